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
		"all there, all credited": {with: unit, facts: known(answers.LinkLinked, answers.PECEligible), want: InOrder},
		"no cost":                 {facts: known(answers.LinkNotLinked, answers.PECNotEligible), want: InOrder},
		"role missing":            {without: unit, facts: known(answers.LinkLinked, answers.PECNotEligible), want: RoleMissing},
		"link missing":            {without: unit, facts: known(answers.LinkNotLinked, answers.PECEligible), want: LinkMissing},
		"link deleted":            {without: unit, facts: known(answers.LinkDeleted, answers.PECEligible), want: LinkMissing},
		"link to another ID":      {without: unit, facts: other, want: LinkMissing},
		"both missing":            {without: unit, facts: known(answers.LinkNotLinked, answers.PECNotEligible), want: BothMissing},
		"both there, no credit":   {without: unit, facts: known(answers.LinkLinked, answers.PECEligible), want: OpenTicket},
		"both there, credit on a part": {
			with: unit, without: unit, facts: known(answers.LinkLinked, answers.PECEligible), want: PartlyCredit,
		},
		"role in part":                         {without: unit, facts: partial, want: RoleMissing},
		"unlisted role":                        {without: unit, facts: known(answers.LinkLinked, answers.PECUnlisted), want: RoleUnlisted},
		"role unknown":                         {without: unit, facts: known(answers.LinkLinked, answers.PECUnknown), want: Unknown},
		"role not read":                        {without: unit, facts: known(answers.LinkLinked, ""), want: Unknown},
		"link unknown":                         {without: unit, facts: known(answers.LinkUnknown, answers.PECEligible), want: Unknown},
		"link unknown, role missing":           {without: unit, facts: known(answers.LinkUnknown, answers.PECNotEligible), want: RoleMissing},
		"link missing, role unknown":           {without: unit, facts: known(answers.LinkNotLinked, answers.PECUnknown), want: LinkMissing},
		"credit without our link":              {with: unit, facts: known(answers.LinkNotLinked, answers.PECNotEligible), want: OthersCredit},
		"credit, and the link is unknown":      {with: unit, facts: known(answers.LinkUnknown, answers.PECEligible), want: Unknown},
		"credit with our link, role elsewhere": {with: unit, facts: known(answers.LinkLinked, answers.PECNotEligible), want: InOrder},
		"tenant nobody knows":                  {without: unit, want: NotManaged},
		"refund without credit":                {without: -unit, facts: known(answers.LinkLinked, answers.PECNotEligible), want: RoleMissing},
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
