package schemas

import "slices"

// Problems lists the codes that an answer of the operation may carry, in the
// order of Codes. A code that this file does not know yet counts for every
// operation; the tests of the tools fail for an answer with another one.
func (o Operation) Problems() []Code {
	var codes []Code
	for _, info := range Codes() {
		if info.Code != CodeUnknownTool && o.mayAnswer(info.Code) {
			codes = append(codes, info.Code)
		}
	}
	return codes
}

func (o Operation) mayAnswer(code Code) bool {
	arguments, bound := ofArguments()[code]
	switch {
	case slices.Contains(ofWrites(), code) && !o.Effect.Writes(), slices.Contains(ofAzure(), code) && !o.Azure:
		return false
	case bound && !slices.ContainsFunc(arguments, o.takes):
		return false
	case slices.Contains(manyRefuses, code):
		return slices.Contains(o.Refuses, code)
	case code == CodeTenantRequired:
		return !o.AnyTenant
	case code == CodeRunInProgress:
		return !o.Effect.Writes()
	default:
		return true
	}
}

// ofArguments are the problems of what takes one of these arguments.
func ofArguments() map[Code][]string {
	return map[Code][]string{
		CodeInvalidPartnerID: {"partner_id", "own_partner_ids", "to"}, CodeUnknownTenant: {"tenant", "tenants"}, CodeTenantRequired: {"tenant"},
		CodeUnknownCredential: {"credential"}, CodeUnknownRun: {"run_id"}, CodeRunInProgress: {"run_id"}, CodeRunIncomplete: {"run_id"},
		CodeStranded: {"run_id"}, CodeApprovalUnknown: {"approval_id"},
	}
}

// takes reports whether the operation has an argument.
func (o Operation) takes(argument string) bool { return o.InputSchema().Properties[argument] != nil }

// ofWrites are the problems of what needs a permit.
func ofWrites() []Code {
	return []Code{
		CodeWritesDisabled, CodeRateExceeded, CodeApprovalDeclined, CodeApprovalExpired, CodeApprovalMismatch, CodeStateMoved, CodeTooManyApprovals,
		CodePermitRefused, CodeConcurrentChange, CodeRunIncomplete, CodeStranded,
		CodeRunBusy, // a single write stands back from a run, too
		CodeWriteUnconfirmed, CodeWriteNotApplied,
	}
}

// ofAzure are the problems on the way to Azure: vault, sign-in, ARM.
func ofAzure() []Code {
	return []Code{
		CodeDirectoryEmpty, CodePolicyDenied, CodeVaultMissing, CodeVaultLocked, CodeVaultCorrupt,
		CodeCredentialRejected, CodeCredentialExpired, CodeConsentMissing, CodeTenantNotFound, CodeInteractionRequired, CodeSignInBlocked, CodeSignInUnavailable,
		CodeAzureCLIUnavailable, CodeWrongTenant, CodeWrongIdentity, CodeTokenUnreadable, CodeUnauthorized, CodeForbidden, CodeForeignPrincipal,
		CodeProviderUnavailable, CodeBadRequest, CodeConflict, CodeThrottled, CodeARMUnavailable, CodeUnexpectedResponse, CodeNetwork,
	}
}
