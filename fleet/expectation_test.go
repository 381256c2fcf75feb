package fleet_test

import (
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
)

func TestALinkIsJudgedByExpectedAndOwnIDs(t *testing.T) {
	t.Parallel()
	const first, second, strange = "1234567", "2345678", "7654321"
	linked := func(id string) schemas.Link { return schemas.Link{State: schemas.LinkLinked, PartnerID: id} }
	for name, test := range map[string]struct {
		expected string
		own      []string
		link     schemas.Link
		want     schemas.RowState
	}{
		"nothing is known":                  {"", nil, linked(first), schemas.RowLinked},
		"as the tenant expects":             {first, nil, linked(first), schemas.RowLinkedExpected},
		"not as the tenant expects":         {first, nil, linked(strange), schemas.RowLinkedOther},
		"the only own ID":                   {"", []string{first}, linked(first), schemas.RowLinkedExpected},
		"one of several own IDs":            {"", []string{first, second}, linked(second), schemas.RowLinkedExpected},
		"another partner's ID":              {"", []string{first, second}, linked(strange), schemas.RowLinkedOther},
		"own, and not what is expected":     {first, []string{first, second}, linked(second), schemas.RowLinkedOwn},
		"another partner's, not expected":   {first, []string{first, second}, linked(strange), schemas.RowLinkedOther},
		"expected, and not among the own":   {strange, []string{first}, linked(strange), schemas.RowLinkedExpected},
		"nothing is linked":                 {first, []string{first}, schemas.Link{State: schemas.LinkNotLinked}, schemas.RowNotLinked},
		"what cannot be read stays unknown": {first, []string{first}, schemas.Link{State: schemas.LinkUnknown, PartnerID: first}, schemas.RowUnknown},
	} {
		if got := fleet.ExpectationOf(schemas.Tenant{ExpectedPartnerID: test.expected}, test.own).State(test.link); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
