package schemas

import (
	"slices"
	"testing"

	"mcp-partner/schemas/problems"
)

// Every code but one is some operation's, and what an operation cannot say is
// not among its problems.
func TestProblemsOfOperations(t *testing.T) {
	t.Parallel()
	said := map[problems.Code]bool{problems.CodeUnknownTool: true}
	for _, op := range Catalogue() {
		for _, code := range op.Problems() {
			said[code] = true
		}
	}
	for _, info := range problems.Codes() {
		if !said[info.Code] {
			t.Errorf("no operation answers with %s", info.Code)
		}
	}
	for tool, codes := range map[string][]problems.Code{
		ToolCheckPartnerLink: {problems.CodeWritesDisabled, problems.CodeAlreadyLinked, problems.CodeUnknownRun, problems.CodeApprovalUnknown},
		ToolFindPartnerTool:  {problems.CodeThrottled, problems.CodeVaultMissing, problems.CodeUnknownTenant, problems.CodeInvalidPartnerID},
		ToolRegisterPartner:  {problems.CodeNotLinked, problems.CodeStranded, problems.CodeUnknownRun},
		ToolGetApproval:      {problems.CodeUnauthorized, problems.CodeConcurrentChange},
	} {
		op, _ := Lookup(tool)
		for _, code := range codes {
			if slices.Contains(op.Problems(), code) {
				t.Errorf("%s cannot answer with %s", tool, code)
			}
		}
	}
}
