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
	switch {
	case slices.Contains(ofWrites(), code):
		return o.Effect.Writes()
	case slices.Contains(ofAzure(), code):
		return o.Azure
	}
	switch code {
	case CodeInvalidPartnerID:
		return o.takes("partner_id") || o.takes("own_partner_ids") || o.takes("to")
	case CodeUnknownTenant:
		return o.takes("tenant") || o.takes("tenants")
	case CodeTenantRequired:
		return o.takes("tenant") && !o.AnyTenant
	case CodeUnknownCredential:
		return o.takes("credential")
	case CodeUnknownRun:
		return o.takes("run_id")
	case CodeRunInProgress:
		return o.takes("run_id") && !o.Effect.Writes()
	case CodeRunBusy:
		return o.Effect.Writes() // a single write stands back from a run, too
	case CodeRunIncomplete, CodeStranded:
		return o.takes("run_id") && o.Effect.Writes()
	case CodeAlreadyLinked, CodeNotLinked, CodeCurrentMismatch:
		return slices.Contains(o.Refuses, code)
	case CodeApprovalUnknown:
		return o.takes("approval_id")
	default:
		return true
	}
}

// takes reports whether the operation has an argument.
func (o Operation) takes(argument string) bool { return o.InputSchema().Properties[argument] != nil }

// ofWrites are the problems of what needs a permit.
func ofWrites() []Code {
	return []Code{
		CodeWritesDisabled, CodeRateExceeded, CodeApprovalDeclined, CodeApprovalExpired, CodeApprovalMismatch, CodeStateMoved, CodeTooManyApprovals,
		CodePermitRefused, CodeConcurrentChange, CodeWriteUnconfirmed, CodeWriteNotApplied,
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
