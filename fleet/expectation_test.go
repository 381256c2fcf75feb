package fleet_test

import (
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
)

func TestLinkStateFollowsExpectedAndOwnIDs(t *testing.T) {
	t.Parallel()
	const first, second, strange = "1234567", "2345678", "7654321"
	linked := func(id partnerid.ID) answers.Link { return answers.Link{State: answers.LinkLinked, PartnerID: id} }
	for name, test := range map[string]struct {
		expected string
		own      []string
		link     answers.Link
		want     answers.RowState
	}{
		"nothing is known":                {link: linked(first), want: answers.RowLinked},
		"as the tenant expects":           {expected: first, link: linked(first), want: answers.RowLinkedExpected},
		"not as the tenant expects":       {expected: first, link: linked(strange), want: answers.RowLinkedOther},
		"the only own ID":                 {own: []string{first}, link: linked(first), want: answers.RowLinkedExpected},
		"one of several own IDs":          {own: []string{first, second}, link: linked(second), want: answers.RowLinkedExpected},
		"another partner's ID":            {own: []string{first, second}, link: linked(strange), want: answers.RowLinkedOther},
		"own, and not what is expected":   {expected: first, own: []string{first, second}, link: linked(second), want: answers.RowLinkedOwn},
		"another partner's, not expected": {expected: first, own: []string{first, second}, link: linked(strange), want: answers.RowLinkedOther},
		"expected, and not among the own": {expected: strange, own: []string{first}, link: linked(strange), want: answers.RowLinkedExpected},
		"nothing is linked": {
			expected: first, own: []string{first}, link: answers.Link{State: answers.LinkNotLinked}, want: answers.RowNotLinked,
		},
		"what cannot be read stays unknown": {
			expected: first, own: []string{first}, link: answers.Link{State: answers.LinkUnknown, PartnerID: first},
			want: answers.RowUnknown,
		},
	} {
		if got := fleet.ExpectationOf(schemas.Tenant{ExpectedPartnerID: partnerid.ID(test.expected)}, test.own).State(test.link); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
