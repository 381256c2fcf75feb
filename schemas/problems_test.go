package schemas

import (
	"slices"
	"testing"
)

// Every code but one is some operation's, and what an operation cannot say is
// not among its problems.
func TestProblemsOfOperations(t *testing.T) {
	t.Parallel()
	said := map[Code]bool{CodeUnknownTool: true}
	for _, op := range Catalogue() {
		for _, code := range op.Problems() {
			said[code] = true
		}
	}
	for _, info := range Codes() {
		if !said[info.Code] {
			t.Errorf("no operation answers with %s", info.Code)
		}
	}
	for tool, codes := range map[string][]Code{
		ToolCheckPartnerLink: {CodeWritesDisabled, CodeAlreadyLinked, CodeUnknownRun, CodeApprovalUnknown},
		ToolFindPartnerTool:  {CodeThrottled, CodeVaultMissing, CodeUnknownTenant, CodeInvalidPartnerID},
		ToolRegisterPartner:  {CodeNotLinked, CodeStranded, CodeUnknownRun},
		ToolGetApproval:      {CodeUnauthorized, CodeConcurrentChange},
	} {
		op, _ := Lookup(tool)
		for _, code := range codes {
			if slices.Contains(op.Problems(), code) {
				t.Errorf("%s cannot answer with %s", tool, code)
			}
		}
	}
}
