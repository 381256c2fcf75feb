package guard_test

import (
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

func TestQuestionNamesTheCustomerAsData(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ company, domain, want string }{
		"company and domain": {"Contoso Ltd", "contoso.com", "Contoso Ltd, contoso.com"},
		"company alone":      {"Contoso\u202e\n Ltd", "", "Contoso Ltd"},
		"no company":         {"", "contoso.com", ""},
	} {
		q := guard.QuestionFor(guard.Intent{Tool: schemas.ToolRegisterPartner, PartnerID: "1234567", Company: test.company, Domain: test.domain})
		got := ""
		for _, fact := range q.Facts {
			if fact.Label == "Customer" {
				got = fact.Value
			}
		}
		if got != test.want || strings.Contains(q.Text, "Contoso") {
			t.Errorf("%s: customer %q, want %q; text %q", name, got, test.want, q.Text)
		}
	}
}
