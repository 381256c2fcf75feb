package schemas

// The codes of problems. What each means, and what to do, stands in Codes.
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

// CodeInfo describes one problem code for documentation and for NewProblem.
type CodeInfo struct {
	Code Code
	// Meaning is one sentence for docs/errors.md.
	Meaning string
	// Hint is the usual next step; a Problem may carry a more precise one.
	Hint string
	// Refusal is true where the call's status is refused rather than failed.
	Refusal bool
	// Retryable is true where the same call may succeed later.
	Retryable bool
}

// Codes returns every problem code with its meaning, in the order of the way a
// request goes: arguments, guard, vault, sign-in, ARM, outcome.
func Codes() []CodeInfo { return append([]CodeInfo(nil), codeTable[:]...) }

func infoOf(code Code) CodeInfo {
	for _, info := range codeTable {
		if info.Code == code {
			return info
		}
	}
	return CodeInfo{Code: code, Meaning: "Not in the list of codes."}
}

// codeTable is never written after start; Codes hands out copies.
var codeTable = [...]CodeInfo{
	{CodeInvalidArgument, "An argument has the wrong type or form, or the arguments are not one JSON object.", "Correct the argument that the message names.", true, false},
	{CodeUnknownArgument, "The tool has no argument of that name.", "Use the argument names of the tool's input schema.", true, false},
	{CodeInvalidPartnerID, "The partner ID is not a string of 4 to 10 digits.", "Give the MPN ID of the location account as a string of digits.", true, false},
	{CodeUnknownTool, "There is no tool of that name.", "Call find_partner_tool, or list the tools.", true, false},
	{CodeUnknownTenant, "The tenant is not in the directory of this server.", "Call list_tenants and use one of its names.", true, false},
	{CodeTenantRequired, "Several tenants are in the directory and the call named none.", "Name one of the tenants that list_tenants shows.", true, false},
	{CodeDirectoryEmpty, "The directory holds no tenant yet.", "A person runs: mcp-partner setup (or, step by step: mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --secret-stdin)", true, false},
	{CodeUnknownCredential, "The tenant has no credential of that name.", "Leave the credential out to use the tenant's default.", true, false},
	{CodeNotAllowed, "This server was started with a bound on tools, tenants or partner IDs, and the call lies outside it.", "Ask the operator of this server; the bound cannot be changed from here.", true, false},
	{CodeInsufficientScope, "The caller was not given the scope, tool or partner ID that the call needs.", "Ask whoever gave the caller its token or role; the message says what is missing.", true, false},
	{CodeTokenRefused, "The caller's token was revoked, is used up, or has expired.", "Get another one; a run of the same caller goes on with run_id and resume unless its token was revoked.", true, false},
	{CodeWritesDisabled, "Writes are off.", "The operator starts the server with --allow-writes.", true, false},
	{CodePolicyDenied, "A rule of this server's policy denies the call, or no rule allows the write.", "Ask the operator; mcp-partner policy test shows the rule.", true, false},
	{CodeRateExceeded, "The rule that would allow the write allows only so many in a time.", "Wait, or ask the operator to raise the rule's rate.", true, true},
	{CodeFrozen, "The operator has frozen this server.", "Wait until the operator unfreezes it; the message has the reason.", true, true},
	{CodeAlreadyLinked, "This identity is linked to another partner ID in this tenant, and registering never overwrites.", "Use update_partner to move the link.", true, false},
	{CodeNotLinked, "The operation needs a link, and this identity has none in this tenant.", "Use register_partner to make one.", true, false},
	{CodeCurrentMismatch, "The partner ID that the call expects to find is not the one that is linked.", "Check the link, then call again with the current partner ID.", true, false},
	{CodeApprovalDeclined, "The person who was asked did not confirm.", "Nothing was written. Ask what the person wants instead.", true, false},
	{CodeApprovalUnknown, "There is no approval with that ID for this caller.", "Call again without approval_id to make a new plan.", true, false},
	{CodeApprovalExpired, "The approval has expired or was used already.", "Call again without approval_id to make a new plan.", true, false},
	{CodeApprovalMismatch, "The approval belongs to another operation, tenant, identity or partner ID.", "Call again without approval_id to make a new plan.", true, false},
	{CodeStateMoved, "What is linked changed between the plan and its confirmation; nothing was written.", "Read the new state, then call again to make a new plan.", true, false},
	{CodeTooManyApprovals, "Too many questions of this caller wait for a person, or were not confirmed within an hour.", "Let a person answer or let them expire first.", true, true},
	{CodeRunBusy, "Another write to the same link has not ended, or another process works on the same tenant of the run.", "Wait a minute, then resume the run.", true, true},
	{CodeRunIncomplete, "The run is over, and not every tenant of it is as planned.", "Look at the rows that come first; resume the run for those that wait.", false, true},
	{CodeStranded, "In some tenants the old link was removed, the new ID was refused, and the old link could not be put back.", "Resume the run to try both again, or register a partner ID there that is accepted. Tell a person now.", false, false},
	{CodePermitRefused, "A request that would have written carried no valid permit and was stopped before it was sent.", "Nothing was written. Report this: it is a defect of this program.", true, false},
	{CodeVaultMissing, "There is no vault yet, or it holds no such secret.", "A person runs: mcp-partner setup (or, step by step: mcp-partner vault init, then mcp-partner vault add NAME)", false, false},
	{CodeVaultLocked, "The vault needs a passphrase, and there is no terminal to ask on.", "Start the server with --passphrase-file, or use a key file.", false, false},
	{CodeVaultCorrupt, "The vault file cannot be read as what it should be, or the key does not open it.", "A person runs: mcp-partner doctor", false, false},
	{CodeVaultUnavailable, "The vault or the state directory cannot be reached, read or written.", "A person runs: mcp-partner doctor", false, true},
	{CodeCredentialRejected, "Entra ID does not accept the credential (wrong secret or unknown application).", "A person stores a new secret with: mcp-partner tenants set NAME --secret-stdin", false, false},
	{CodeCredentialExpired, "The credential's secret has expired.", "A person stores a new secret with: mcp-partner tenants set NAME --secret-stdin", false, false},
	{CodeConsentMissing, "The application is not in that tenant, or nobody there consented to it.", "An administrator of that tenant consents to the application.", false, false},
	{CodeTenantNotFound, "Entra ID knows no such tenant.", "Check the tenant ID in the directory.", false, false},
	{CodeInteractionRequired, "Entra ID wants a person to sign in (for example for MFA).", "Use a service principal, or let a person sign in again.", false, false},
	{CodeSignInUnavailable, "Entra ID gave no usable answer.", "Try again later. Nothing is known about the link.", false, true},
	{CodeAzureCLIUnavailable, "The az command cannot be run, or nobody is signed in with it.", "A person installs Azure CLI and runs: az login", false, false},
	{CodeWrongTenant, "The token is for another tenant than the one asked for, so the request was not sent with it.", "The credential cannot reach that tenant: use one that can.", false, false},
	{CodeWrongIdentity, "The token is for another identity than the one pinned for this tenant, so the request was not sent with it.", "If the change is meant, a person runs: mcp-partner tenants set NAME --object-id ''", false, false},
	{CodeTokenUnreadable, "The token cannot be decoded, so tenant and identity cannot be checked.", "Use another kind of credential; without the check nothing can be said or written.", false, false},
	{CodeUnauthorized, "ARM did not accept the token.", "Check the cloud and audience of the directory entry.", false, false},
	{CodeForbidden, "ARM forbids this identity the operation.", "Check what the identity may do in that tenant. Nothing is known about the link.", false, false},
	{CodeForeignPrincipal, "The identity has no account in that tenant: a CSP's foreign principal cannot link.", "Use a user or service principal that lives in that tenant.", false, false},
	{CodeProviderUnavailable, "Microsoft.ManagementPartner is not known at that ARM endpoint.", "Check the cloud of the directory entry. Nothing is known about the link.", false, false},
	{CodeBadRequest, "The provider refuses the request as malformed, for example for a PartnerGlobal ID.", "Use the MPN ID of a location account.", false, false},
	{CodeConflict, "The provider reports a conflict, usually that a link exists already.", "Check the link.", false, false},
	{CodeThrottled, "ARM asks to wait longer than this call may.", "Wait retry_after_seconds, then call again.", false, true},
	{CodeARMUnavailable, "ARM answered with a server error.", "Try again later. Nothing is known about the link.", false, true},
	{CodeUnexpectedResponse, "The answer is not what the provider sends (HTML, an empty 404, a cut body).", "Try again; if it stays, look for a proxy between here and ARM. Nothing is known about the link.", false, true},
	{CodeTimeout, "There was no answer in time.", "Try again later. Nothing is known about the link.", false, true},
	{CodeNetwork, "The far side could not be reached.", "Check network, proxy and TLS. Nothing is known about the link.", false, true},
	{CodeCancelled, "The caller went away before anything was written.", "Call again if the answer is still wanted.", false, true},
	{CodeConcurrentChange, "The write was made, and somebody else wrote as well: the version read back is not the expected one.", "Check the link before anything else.", false, false},
	{CodeWriteUnconfirmed, "The write was sent, and whether it happened could not be read back.", "Check the link before anything else; do not repeat the write blindly.", false, false},
	{CodeWriteNotApplied, "The write was sent and did not happen.", "Check the link, then make a new plan.", false, true},
	{CodeUnknownRun, "There is no run with that ID for this caller.", "Start a new run without run_id.", true, false},
	{CodeRunInProgress, "A run of this caller is under way, and a caller has one at a time.", "Call again with that run_id, or wait until it has finished.", true, true},
	{CodeInternal, "An error of this program.", "Report it with the time and the tool's name.", false, false},
}
