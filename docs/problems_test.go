package docs_test

import (
	"slices"
	"testing"

	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// problemsOf lists the codes that an answer of an operation may carry, in the
// order of problems.Codes. A code that this file does not know yet counts for every
// operation; the tests of the tools fail for an answer with a code that
// docs/tools.md does not have.
func problemsOf(op schemas.Operation) []problems.Code {
	var codes []problems.Code
	for _, info := range problems.Codes() {
		if info.Code != problems.CodeUnknownTool && mayAnswer(op, info.Code) {
			codes = append(codes, info.Code)
		}
	}
	return codes
}

func mayAnswer(op schemas.Operation, code problems.Code) bool {
	arguments, bound := ofArguments()[code]
	takes := func(argument string) bool { return op.InputSchema().Properties[argument] != nil }
	tools, own := ofTools()[code]
	switch {
	case slices.Contains(ofWrites(), code) && !op.Effect.Writes(), slices.Contains(ofAzure(), code) && !op.Azure():
		return false
	case bound && !slices.ContainsFunc(arguments, takes):
		return false
	case own:
		return slices.Contains(tools, op.Name)
	case code == problems.CodeTenantRequired:
		return !op.AnyTenant
	case code == problems.CodeRunInProgress:
		return !op.Effect.Writes()
	default:
		return true
	}
}

// ofTools are the problems of what is linked already, which few tools have.
func ofTools() map[problems.Code][]string {
	return map[problems.Code][]string{
		problems.CodeAlreadyLinked: {schemas.ToolRegisterPartner, schemas.ToolEnsurePartnerLinks, schemas.ToolTransitionPartner},
		problems.CodeNotLinked:     {schemas.ToolUpdatePartner, schemas.ToolEnsurePartnerLinks, schemas.ToolTransitionPartner},
		problems.CodeCurrentMismatch: {
			schemas.ToolUpdatePartner, schemas.ToolRemovePartner, schemas.ToolEnsurePartnerLinks, schemas.ToolTransitionPartner,
		},
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

// Every code but one is some operation's, and what an operation cannot say is
// not among its problems.
func TestProblemsOfOperations(t *testing.T) {
	t.Parallel()
	said := map[problems.Code]bool{problems.CodeUnknownTool: true}
	for _, op := range schemas.Catalogue() {
		for _, code := range problemsOf(op) {
			said[code] = true
		}
	}
	for _, info := range problems.Codes() {
		if !said[info.Code] {
			t.Errorf("no operation answers with %s", info.Code)
		}
	}
	for tool, codes := range map[string][]problems.Code{
		schemas.ToolCheckPartnerLink: {problems.CodeWritesDisabled, problems.CodeAlreadyLinked, problems.CodeUnknownRun, problems.CodeApprovalUnknown},
		schemas.ToolFindPartnerTool:  {problems.CodeThrottled, problems.CodeVaultMissing, problems.CodeUnknownTenant, problems.CodeInvalidPartnerID},
		schemas.ToolRegisterPartner:  {problems.CodeNotLinked, problems.CodeStranded, problems.CodeUnknownRun},
		schemas.ToolGetApproval:      {problems.CodeUnauthorized, problems.CodeConcurrentChange},
	} {
		op, _ := schemas.Lookup(tool)
		for _, code := range codes {
			if slices.Contains(problemsOf(op), code) {
				t.Errorf("%s cannot answer with %s", tool, code)
			}
		}
	}
}
