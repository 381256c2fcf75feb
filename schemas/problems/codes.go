package problems

// The codes of problems. Codes says what each means and what to do.
const (
	CodeInvalidArgument     Code = "invalid_argument"
	CodeUnknownArgument     Code = "unknown_argument"
	CodeInvalidPartnerID    Code = "invalid_partner_id"
	CodeUnknownTool         Code = "unknown_tool"
	CodeUnknownTenant       Code = "unknown_tenant"
	CodeTenantRequired      Code = "tenant_required"
	CodeDirectoryEmpty      Code = "directory_empty"
	CodeUnknownCredential   Code = "unknown_credential"
	CodeNotAllowed          Code = "not_allowed"
	CodeInsufficientScope   Code = "insufficient_scope"
	CodeTokenRefused        Code = "token_refused"
	CodeWritesDisabled      Code = "writes_disabled"
	CodePolicyDenied        Code = "policy_denied"
	CodeRateExceeded        Code = "rate_exceeded"
	CodeFrozen              Code = "frozen"
	CodeAlreadyLinked       Code = "already_linked"
	CodeNotLinked           Code = "not_linked"
	CodeCurrentMismatch     Code = "current_partner_mismatch"
	CodeApprovalDeclined    Code = "approval_declined"
	CodeApprovalUnknown     Code = "approval_unknown"
	CodeApprovalExpired     Code = "approval_expired"
	CodeApprovalMismatch    Code = "approval_mismatch"
	CodeStateMoved          Code = "state_moved"
	CodeTooManyApprovals    Code = "too_many_approvals"
	CodeRunBusy             Code = "run_busy"
	CodeRunIncomplete       Code = "run_incomplete"
	CodeStranded            Code = "stranded"
	CodePermitRefused       Code = "permit_refused"
	CodeVaultMissing        Code = "vault_missing"
	CodeVaultLocked         Code = "vault_locked"
	CodeVaultCorrupt        Code = "vault_corrupt"
	CodeVaultUnavailable    Code = "vault_unavailable"
	CodeCredentialRejected  Code = "credential_rejected"
	CodeCredentialExpired   Code = "credential_expired"
	CodeConsentMissing      Code = "consent_missing"
	CodeTenantNotFound      Code = "tenant_not_found"
	CodeInteractionRequired Code = "interaction_required"
	CodeSignInBlocked       Code = "sign_in_blocked"
	CodeSignInUnavailable   Code = "sign_in_unavailable"
	CodeAzureCLIUnavailable Code = "azure_cli_unavailable"
	CodeWrongTenant         Code = "wrong_tenant"
	CodeWrongIdentity       Code = "wrong_identity"
	CodeTokenUnreadable     Code = "token_unreadable"
	CodeUnauthorized        Code = "unauthorized"
	CodeForbidden           Code = "forbidden"
	CodeForeignPrincipal    Code = "foreign_principal"
	CodeProviderUnavailable Code = "provider_unavailable"
	CodeBadRequest          Code = "bad_request"
	CodeConflict            Code = "conflict"
	CodeThrottled           Code = "throttled"
	CodeARMUnavailable      Code = "arm_unavailable"
	CodeUnexpectedResponse  Code = "unexpected_response"
	CodeTimeout             Code = "timeout"
	CodeNetwork             Code = "network_error"
	CodeCancelled           Code = "cancelled"
	CodeConcurrentChange    Code = "concurrent_change"
	CodeWriteUnconfirmed    Code = "write_unconfirmed"
	CodeWriteNotApplied     Code = "write_not_applied"
	CodeUnknownRun          Code = "unknown_run"
	CodeRunInProgress       Code = "run_in_progress"
	CodeInternal            Code = "internal_error"
)

// Info describes one problem code for documentation and for New.
type Info struct {
	Code Code
	// Meaning is one sentence for docs/errors.md.
	Meaning string
	// Hint is the usual next step; a Problem may carry a more precise one. It names
	// tools, for agents.
	Hint string
	// Command is what a person runs in a shell for that step, where one command
	// does it.
	Command string
	// Refusal is true where the call's status is refused rather than failed.
	Refusal bool
	// Retryable is true where the same call may succeed later.
	Retryable bool
}

// Codes returns every problem code with its meaning, in the order of the way a
// request goes: arguments, guard, vault, sign-in, ARM, outcome.
func Codes() []Info { return append([]Info(nil), codeTable[:]...) }

func infoOf(code Code) Info {
	for _, info := range codeTable {
		if info.Code == code {
			return info
		}
	}
	return Info{Code: code, Meaning: "Not in the list of codes."}
}

// codeTable is never written after start; Codes hands out copies.
var codeTable = [...]Info{
	{CodeInvalidArgument, "An argument has the wrong type or form, or the arguments are not one JSON object.", "Correct the argument that the message names.", "", true, false},
	{CodeUnknownArgument, "The tool has no argument of that name.", "Use the argument names of the tool's input schema.", "", true, false},
	{CodeInvalidPartnerID, "The partner ID is not a string of 4 to 10 digits without a leading zero.", "Pass the MPN ID of the location account as a string of digits.", "", true, false},
	{CodeUnknownTool, "There is no tool of that name.", "Call find_partner_tool, or list the tools.", "mcp-partner tools", true, false},
	{CodeUnknownTenant, "The tenant is not in this server's directory.", "Use the name of a tenant in the directory.", "mcp-partner tenants list", true, false},
	{CodeTenantRequired, "The directory has several tenants and the call names none.", "Name a tenant of the directory.", "mcp-partner tenants list", true, false},
	{CodeDirectoryEmpty, "The tenant directory is empty.", "Ask a person to add a tenant.", "mcp-partner setup", true, false},
	{CodeUnknownCredential, "The tenant has no credential of that name.", "Leave credential out to use the tenant's default.", "", true, false},
	{CodeNotAllowed, "The call is outside the tools, tenants or partner IDs that this server is limited to.", "Ask the operator of this server; a call cannot change the limit.", "", true, false},
	{CodeInsufficientScope, "The caller's grant lacks the scope, tool or partner ID that the call needs.", "Ask the operator who issued the caller's token or role; the message names what is missing.", "", true, false},
	{CodeTokenRefused, "The caller's token is revoked, used up or expired.", "Get a new token; with it the same caller can resume a run by run_id and resume, unless the old token was revoked.", "", true, false},
	{CodeWritesDisabled, "Writes are off.", "Ask the operator to start the server with --allow-writes. Reads and plans work without it.", "", true, false},
	{CodePolicyDenied, "A rule of this server's policy denies the call, or no rule allows the write.", "Ask the operator of this server to change the policy.", "mcp-partner policy test", true, false},
	{CodeRateExceeded, "The rule that allows the write has reached its rate limit.", "Wait, or ask the operator to raise the rule's rate.", "", true, true},
	{CodeFrozen, "The operator has frozen this server.", "Wait until the operator unfreezes it; the message has the reason.", "", true, true},
	{CodeAlreadyLinked, "This identity is linked to another partner ID in this tenant, and registering never overwrites.", "Use update_partner to change the link.", "", true, false},
	{CodeNotLinked, "The operation needs a link, and this identity has none in this tenant.", "Use register_partner to create one.", "", true, false},
	{CodeCurrentMismatch, "The partner ID that the call expects is not the one that is linked.", "Call check_partner_link, then call again with the partner ID that is linked.", "mcp-partner check NAME", true, false},
	{CodeApprovalDeclined, "The person who was asked did not confirm.", "Nothing was written. Ask the person how to continue.", "", true, false},
	{CodeApprovalUnknown, "This caller has no approval with that ID.", "Call again without approval_id to make a new plan.", "", true, false},
	{CodeApprovalExpired, "The approval has expired or was used already.", "Call again without approval_id to make a new plan.", "", true, false},
	{CodeApprovalMismatch, "The approval belongs to another operation, tenant, identity or partner ID.", "Call again without approval_id to make a new plan.", "", true, false},
	{CodeStateMoved, "The link changed between the plan and its confirmation; nothing was written.", "Call check_partner_link, then call again to make a new plan.", "mcp-partner check NAME", true, false},
	{CodeTooManyApprovals, "This caller has too many open questions, or too many that nobody confirmed within an hour.", "Wait until a person answers them or they expire.", "", true, true},
	{CodeRunBusy, "Another write to the same link is still running, or another process works on the same tenant of the run.", "Wait a minute, then resume the run.", "", true, true},
	{CodeRunIncomplete, "The run has ended, and some tenants are not as planned.", "Check the first rows; resume the run for those that are waiting.", "", false, true},
	{CodeStranded, "In some tenants the old link was removed, the new ID was refused, and the old link could not be restored.", "Tell a person now. Resume the run to try both again, or register a partner ID there that is accepted.", "", false, false},
	{CodePermitRefused, "A request that would have written carried no valid permit and was stopped before it was sent.", "Nothing was written. Report this: it is a defect of this program.", "", true, false},
	{CodeVaultMissing, "There is no vault yet, or it holds no such secret.", "Ask a person to set this server up.", "mcp-partner setup", false, false},
	{CodeVaultLocked, "The vault needs a passphrase, and there is no terminal to type it on.", "Ask the operator to start the server with --passphrase-file, or to use a key file.", "", false, false},
	{CodeVaultCorrupt, "The vault file is damaged, or the key does not open it.", "Ask a person to examine the state directory.", "mcp-partner doctor", false, false},
	{CodeVaultUnavailable, "The vault or the state directory cannot be read or written.", "Ask a person to examine the state directory.", "mcp-partner doctor", false, true},
	{CodeCredentialRejected, "Entra ID does not accept the credential (wrong secret or unknown application).", "Ask a person to store a new secret.", "mcp-partner tenants set NAME --secret-stdin", false, false},
	{CodeCredentialExpired, "The credential's secret has expired.", "Ask a person to store a new secret.", "mcp-partner tenants set NAME --secret-stdin", false, false},
	{CodeConsentMissing, "The application is not in that tenant, or nobody there has consented to it.", "An administrator of that tenant must consent to the application.", "mcp-partner tenants consent-links", false, false},
	{CodeTenantNotFound, "Entra ID has no such tenant.", "Ask a person to check the tenant ID in the directory.", "mcp-partner tenants list", false, false},
	{CodeInteractionRequired, "Entra ID requires a person to sign in, for example for multifactor authentication.", "Use a service principal, or ask a person to sign in again.", "", false, false},
	{CodeSignInBlocked, "A rule or setting of the tenant refuses the sign-in; a new secret or sign-in does not help.", "An administrator of that tenant can find the rule in Entra ID's sign-in logs, by the correlation ID.", "", false, false},
	{CodeSignInUnavailable, "Entra ID gave no usable answer.", "Try again later. The state of the link is unknown.", "", false, true},
	{CodeAzureCLIUnavailable, "The az command cannot be run, or nobody is signed in with it.", "Ask a person to install Azure CLI and sign in.", "az login", false, false},
	{CodeWrongTenant, "The token is for another tenant than requested, so the request was not sent.", "Use a credential that can sign in to that tenant.", "", false, false},
	{CodeWrongIdentity, "The token is for another identity than the one pinned for this tenant, so the request was not sent.", "Ask a person whether the identity was changed on purpose, and to unpin it if so.", "mcp-partner tenants set NAME --object-id ''", false, false},
	{CodeTokenUnreadable, "The token cannot be decoded, so its tenant and identity cannot be checked.", "Use another kind of credential.", "", false, false},
	{CodeUnauthorized, "ARM did not accept the token.", "Ask a person to check the cloud and audience of the directory entry.", "mcp-partner doctor", false, false},
	{CodeForbidden, "ARM does not allow this identity the operation.", "Check which permissions the identity has in that tenant. The state of the link is unknown.", "", false, false},
	{CodeForeignPrincipal, "The identity has no account in that tenant: a CSP's foreign principal cannot link.", "Use a user or service principal of that tenant.", "", false, false},
	{CodeProviderUnavailable, "ARM does not serve Microsoft.ManagementPartner at that endpoint.", "Ask a person to check the cloud of the directory entry. The state of the link is unknown.", "mcp-partner tenants list", false, false},
	{CodeBadRequest, "The provider refuses the request as malformed.", "Report ARM's answer in foreign_code and foreign_message.", "", false, false},
	{CodeConflict, "The provider reports a conflict, usually an existing link.", "Call check_partner_link.", "mcp-partner check NAME", false, false},
	{CodeThrottled, "ARM asks to wait longer than this call allows.", "Wait retry_after_seconds, then call again.", "", false, true},
	{CodeARMUnavailable, "ARM answered with a server error.", "Try again later. The state of the link is unknown.", "", false, true},
	{CodeUnexpectedResponse, "The answer does not come from the provider (HTML, an empty 404, an incomplete body).", "Try again. If it happens again, look for a proxy between this server and ARM. The state of the link is unknown.", "", false, true},
	{CodeTimeout, "There was no answer in time.", "Try again later. The state of the link is unknown.", "", false, true},
	{CodeNetwork, "Azure could not be reached.", "Ask a person to check network, proxy and TLS. The state of the link is unknown.", "mcp-partner doctor", false, true},
	{CodeCancelled, "The caller ended the call before anything was written.", "Call again if the answer is still needed.", "", false, true},
	{CodeConcurrentChange, "The write was made, but someone else wrote too: the version read back is not the expected one.", "Call check_partner_link before anything else.", "mcp-partner check NAME", false, false},
	{CodeWriteUnconfirmed, "The write was sent, and its result could not be read back.", "Call check_partner_link first; do not repeat the write before you know the link.", "mcp-partner check NAME", false, false},
	{CodeWriteNotApplied, "The write was sent and not applied.", "Call check_partner_link, then make a new plan.", "mcp-partner check NAME", false, true},
	{CodeUnknownRun, "There is no run with that ID for this caller.", "Check the run's ID, or start a new run.", "", true, false},
	{CodeRunInProgress, "This caller already has a run in progress, and only one is allowed.", "Call again with that run_id, or wait until it has finished.", "", true, true},
	{CodeInternal, "A defect of this program.", "Report it with the time and the tool's name.", "", false, false},
}
