package schemas

import (
	"slices"

	"mcp-partner/schemas/problems"
)

// Problems lists the codes that an answer of the operation may carry, in the
// order of Codes. A code that this file does not know yet counts for every
// operation; the tests of the tools fail for an answer with another one.
func (o Operation) Problems() []problems.Code {
	var codes []problems.Code
	for _, info := range problems.Codes() {
		if info.Code != problems.CodeUnknownTool && o.mayAnswer(info.Code) {
			codes = append(codes, info.Code)
		}
	}
	return codes
}

func (o Operation) mayAnswer(code problems.Code) bool {
	arguments, bound := ofArguments()[code]
	switch {
	case slices.Contains(ofWrites(), code) && !o.Effect.Writes(), slices.Contains(ofAzure(), code) && !o.Azure:
		return false
	case bound && !slices.ContainsFunc(arguments, o.takes):
		return false
	case slices.Contains(manyRefuses, code):
		return slices.Contains(o.Refuses, code)
	case code == problems.CodeTenantRequired:
		return !o.AnyTenant
	case code == problems.CodeRunInProgress:
		return !o.Effect.Writes()
	default:
		return true
	}
}

// ofArguments are the problems of what takes one of these arguments.
func ofArguments() map[problems.Code][]string {
	return map[problems.Code][]string{
		problems.CodeInvalidPartnerID: {"partner_id", "own_partner_ids", "to"}, problems.CodeUnknownTenant: {"tenant", "tenants"}, problems.CodeTenantRequired: {"tenant"},
		problems.CodeUnknownCredential: {"credential"}, problems.CodeUnknownRun: {"run_id"}, problems.CodeRunInProgress: {"run_id"}, problems.CodeRunIncomplete: {"run_id"},
		problems.CodeStranded: {"run_id"}, problems.CodeApprovalUnknown: {"approval_id"},
	}
}

// takes reports whether the operation has an argument.
func (o Operation) takes(argument string) bool { return o.InputSchema().Properties[argument] != nil }

// ofWrites are the problems of what needs a permit.
func ofWrites() []problems.Code {
	return []problems.Code{
		problems.CodeWritesDisabled, problems.CodeRateExceeded, problems.CodeApprovalDeclined, problems.CodeApprovalExpired, problems.CodeApprovalMismatch, problems.CodeStateMoved, problems.CodeTooManyApprovals,
		problems.CodePermitRefused, problems.CodeConcurrentChange, problems.CodeRunIncomplete, problems.CodeStranded,
		problems.CodeRunBusy, // a single write stands back from a run, too
		problems.CodeWriteUnconfirmed, problems.CodeWriteNotApplied,
	}
}

// ofAzure are the problems on the way to Azure: vault, sign-in, ARM.
func ofAzure() []problems.Code {
	return []problems.Code{
		problems.CodeDirectoryEmpty, problems.CodePolicyDenied, problems.CodeVaultMissing, problems.CodeVaultLocked, problems.CodeVaultCorrupt,
		problems.CodeCredentialRejected, problems.CodeCredentialExpired, problems.CodeConsentMissing, problems.CodeTenantNotFound, problems.CodeInteractionRequired, problems.CodeSignInBlocked, problems.CodeSignInUnavailable,
		problems.CodeAzureCLIUnavailable, problems.CodeWrongTenant, problems.CodeWrongIdentity, problems.CodeTokenUnreadable, problems.CodeUnauthorized, problems.CodeForbidden, problems.CodeForeignPrincipal,
		problems.CodeProviderUnavailable, problems.CodeBadRequest, problems.CodeConflict, problems.CodeThrottled, problems.CodeARMUnavailable, problems.CodeUnexpectedResponse, problems.CodeNetwork,
	}
}
