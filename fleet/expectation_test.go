package fleet_test

import (
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

func TestLinkStateFollowsExpectedAndOwnIDs(t *testing.T) {
	t.Parallel()
	const first, second, strange = "1234567", "2345678", "7654321"
	linked := func(id string) answers.Link { return answers.Link{State: answers.LinkLinked, PartnerID: id} }
	for name, test := range map[string]struct {
		expected string
		own      []string
		link     answers.Link
		want     answers.RowState
	}{
		"nothing is known":                  {"", nil, linked(first), answers.RowLinked},
		"as the tenant expects":             {first, nil, linked(first), answers.RowLinkedExpected},
		"not as the tenant expects":         {first, nil, linked(strange), answers.RowLinkedOther},
		"the only own ID":                   {"", []string{first}, linked(first), answers.RowLinkedExpected},
		"one of several own IDs":            {"", []string{first, second}, linked(second), answers.RowLinkedExpected},
		"another partner's ID":              {"", []string{first, second}, linked(strange), answers.RowLinkedOther},
		"own, and not what is expected":     {first, []string{first, second}, linked(second), answers.RowLinkedOwn},
		"another partner's, not expected":   {first, []string{first, second}, linked(strange), answers.RowLinkedOther},
		"expected, and not among the own":   {strange, []string{first}, linked(strange), answers.RowLinkedExpected},
		"nothing is linked":                 {first, []string{first}, answers.Link{State: answers.LinkNotLinked}, answers.RowNotLinked},
		"what cannot be read stays unknown": {first, []string{first}, answers.Link{State: answers.LinkUnknown, PartnerID: first}, answers.RowUnknown},
	} {
		if got := fleet.ExpectationOf(schemas.Tenant{ExpectedPartnerID: test.expected}, test.own).State(test.link); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
