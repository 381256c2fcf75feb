package problems

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

// The codes of problems; codes.jsonl says what each means and what to do.
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
	Code Code `json:"code"`
	// Meaning is one sentence for docs/errors.md.
	Meaning string `json:"meaning"`
	// Hint is the usual next step; a Problem may carry a more precise one. It names
	// tools, for agents.
	Hint string `json:"hint"`
	// Command is what a person runs in a shell for that step, where one command
	// does it.
	Command string `json:"command"`
	// Refusal is true where the call's status is refused rather than failed.
	Refusal bool `json:"refusal"`
	// Retryable is true where the same call may succeed later.
	Retryable bool `json:"retryable"`
}

// codesText says of each code what it means and what to do, one line a code.
//
//go:embed codes.jsonl
var codesText []byte

var codes = sync.OnceValue(func() (all []Info) {
	for line := range bytes.Lines(codesText) {
		var info Info
		if err := json.Unmarshal(line, &info); err != nil {
			panic("problems: codes.jsonl: " + err.Error()) // a test reads all of it
		}
		all = append(all, info)
	}
	return all
})

// Codes returns every problem code with its meaning, in the order of the way a
// request goes: arguments, guard, vault, sign-in, ARM, outcome.
func Codes() []Info { return slices.Clone(codes()) }

func infoOf(code Code) Info {
	for _, info := range codes() {
		if info.Code == code {
			return info
		}
	}
	return Info{Code: code, Meaning: "Not in the list of codes."}
}
