package usage

import (
	"strings"
	"testing"

	"mcp-partner/schemas/answers"
)

// known are facts of tenant A with one subscription.
func known(link answers.LinkState, verdict answers.PECVerdict) map[string]Facts {
	f := Facts{Tenant: "contoso", Link: answers.Link{State: link, PartnerID: "1234567"}, Roles: &answers.PECRoles{}}
	if verdict != "" {
		f.Roles.Rows = []answers.PECSubscription{{SubscriptionID: subA, Verdict: verdict, Why: "because", RequestID: "r1"}}
	}
	return map[string]Facts{tenantA: f}
}

func TestActionFollowsLinkAndRoles(t *testing.T) {
	t.Parallel()
	other := known(answers.LinkLinked, answers.PECEligible)
	f := other[tenantA]
	f.Link.MatchesExpected, f.Link.ExpectedPartnerID = new(bool), "7654321"
	other[tenantA] = f
	partial := known(answers.LinkLinked, answers.PECEligible)
	partial[tenantA].Roles.Rows[0].Partial = true
	for name, c := range map[string]struct {
		with, without Amount
		facts         map[string]Facts
		want          Action
	}{
		"all there, all credited":              {unit, 0, known(answers.LinkLinked, answers.PECEligible), InOrder},
		"no cost":                              {0, 0, known(answers.LinkNotLinked, answers.PECNotEligible), InOrder},
		"role missing":                         {0, unit, known(answers.LinkLinked, answers.PECNotEligible), RoleMissing},
		"link missing":                         {0, unit, known(answers.LinkNotLinked, answers.PECEligible), LinkMissing},
		"link deleted":                         {0, unit, known(answers.LinkDeleted, answers.PECEligible), LinkMissing},
		"link to another ID":                   {0, unit, other, LinkMissing},
		"both missing":                         {0, unit, known(answers.LinkNotLinked, answers.PECNotEligible), BothMissing},
		"both there, no credit":                {0, unit, known(answers.LinkLinked, answers.PECEligible), OpenTicket},
		"both there, credit on a part":         {unit, unit, known(answers.LinkLinked, answers.PECEligible), PartlyCredit},
		"role in part":                         {0, unit, partial, RoleMissing},
		"unlisted role":                        {0, unit, known(answers.LinkLinked, answers.PECUnlisted), RoleUnlisted},
		"role unknown":                         {0, unit, known(answers.LinkLinked, answers.PECUnknown), Unknown},
		"role not read":                        {0, unit, known(answers.LinkLinked, ""), Unknown},
		"link unknown":                         {0, unit, known(answers.LinkUnknown, answers.PECEligible), Unknown},
		"link unknown, role missing":           {0, unit, known(answers.LinkUnknown, answers.PECNotEligible), RoleMissing},
		"link missing, role unknown":           {0, unit, known(answers.LinkNotLinked, answers.PECUnknown), LinkMissing},
		"credit without our link":              {unit, 0, known(answers.LinkNotLinked, answers.PECNotEligible), OthersCredit},
		"credit, and the link is unknown":      {unit, 0, known(answers.LinkUnknown, answers.PECEligible), Unknown},
		"credit with our link, role elsewhere": {unit, 0, known(answers.LinkLinked, answers.PECNotEligible), InOrder},
		"tenant nobody knows":                  {0, unit, nil, NotManaged},
		"refund without credit":                {0, -unit, known(answers.LinkLinked, answers.PECNotEligible), RoleMissing},
	} {
		file := File{Subscriptions: []*Subscription{{TenantID: tenantA, SubscriptionID: subA, Currency: "EUR", WithCredit: c.with, WithoutCredit: c.without}}}
		row := Reconcile(file, c.facts)[0]
		if row.Action != c.want || row.What == "" {
			t.Errorf("%s: %s, want %s", name, row.Action, c.want)
		}
		for _, word := range []string{"earn", "paid"} {
			if strings.Contains(row.What, word) {
				t.Errorf("%q must not be said: %s", word, row.What)
			}
		}
	}
}

func TestLargestAmountComesFirstInEachCurrency(t *testing.T) {
	t.Parallel()
	file := File{Subscriptions: []*Subscription{
		{TenantID: tenantA, SubscriptionID: subA, Currency: "USD", WithoutCredit: 9 * unit}, {TenantID: tenantA, SubscriptionID: subA, Currency: "EUR", WithoutCredit: unit},
		{TenantID: tenantB, SubscriptionID: subB, Currency: "EUR", WithoutCredit: 5 * unit, WithCredit: 2 * unit},
	}}
	rows := Reconcile(file, nil)
	var order []string
	for _, row := range rows {
		order = append(order, row.Currency+row.WithoutCredit)
	}
	if got := strings.Join(order, " "); got != "EUR5.00 EUR1.00 USD9.00" {
		t.Error(got)
	}
	totals := Totals(rows)
	if len(totals) != 2 || totals[0] != (Total{NotManaged, "EUR", 2, "6.00", "2.00"}) || totals[1] != (Total{NotManaged, "USD", 1, "9.00", "0.00"}) {
		t.Errorf("%+v", totals)
	}
}

func TestEveryActionHasText(t *testing.T) {
	t.Parallel()
	for _, a := range Actions() {
		if a.Words() == "" {
			t.Errorf("%s has no words", a)
		}
	}
}
