package answers

import "testing"

func TestLinkEarnsNothingOnlyWhereEveryVerdictSaysSo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		roles *PECRoles
		want  bool
	}{
		"not read":            {nil, false},
		"no subscription":     {&PECRoles{}, false},
		"none eligible":       {&PECRoles{Verdicts: PECCounts{Subscriptions: 2, NoEligibleRole: 2}}, true},
		"one eligible":        {&PECRoles{Verdicts: PECCounts{Subscriptions: 2, NoEligibleRole: 1, EligibleRole: 1}}, false},
		"one not listed":      {&PECRoles{Verdicts: PECCounts{Subscriptions: 2, NoEligibleRole: 1, UnlistedRole: 1}}, false},
		"one that is unclear": {&PECRoles{Verdicts: PECCounts{Subscriptions: 2, NoEligibleRole: 1, Unknown: 1}}, false},
	} {
		if got := test.roles.EarnsNothing(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
