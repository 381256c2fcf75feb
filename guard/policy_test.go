package guard_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
)

func operation(t testing.TB, name string) schemas.Operation {
	t.Helper()
	op, ok := schemas.Lookup(name)
	if !ok {
		t.Fatalf("no operation %s", name)
	}
	return op
}

func TestPolicyFirstMatchDecides(t *testing.T) {
	t.Parallel()
	policy, err := guard.NewPolicy(guard.Options{Rules: []guard.Rule{
		{Name: "closed", Tenants: []string{"label:closed"}, Ruling: guard.RulingDeny},
		{Name: "nightly", Operations: []string{"write"}, Callers: []string{"night-*"}, Tenants: []string{"fab*"}, PartnerIDs: []string{"1234567"}, When: schemas.LinkNotLinked, Ruling: guard.RulingAllow},
		{Name: "expected", Operations: []string{schemas.ToolRegisterPartner}, PartnerIDs: []string{guard.Expected}, Ruling: guard.RulingRequester},
		{Name: "own", Operations: []string{"write", "destroy"}, PartnerIDs: []string{"1234567"}, Ruling: guard.RulingApprover},
		{Name: "no reads of litware", Operations: []string{"read"}, Tenants: []string{"litware"}, Ruling: guard.RulingDeny},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const register, update, check = schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolCheckPartnerLink
	for name, test := range map[string]struct {
		tool    string
		subject guard.Subject
		ruling  guard.Ruling
		rule    string
	}{
		"label":                        {check, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso", Labels: []string{"emea", "closed"}}}, guard.RulingDeny, "closed"},
		"read":                         {check, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}}, guard.RulingAllow, "default"},
		"read denied":                  {check, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "litware"}}, guard.RulingDeny, "no reads of litware"},
		"night, not linked":            {register, guard.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "Fabrikam"}, PartnerID: "1234567", Link: schemas.LinkNotLinked}, guard.RulingAllow, "nightly"},
		"night, deleted counts as not": {register, guard.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: schemas.LinkDeleted}, guard.RulingAllow, "nightly"},
		"night, linked":                {register, guard.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: schemas.LinkLinked}, guard.RulingApprover, "own"},
		"night, not known":             {register, guard.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: schemas.LinkUnknown}, guard.RulingDeny, "nightly"},
		"night, nothing read yet":      {register, guard.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567"}, guard.RulingDeny, "nightly"},
		"day":                          {register, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: schemas.LinkNotLinked}, guard.RulingApprover, "own"},
		"the expected ID":              {register, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso", ExpectedPartnerID: "5555555"}, PartnerID: "5555555", Link: schemas.LinkNotLinked}, guard.RulingRequester, "expected"},
		"nothing is expected":          {register, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "5555555", Link: schemas.LinkNotLinked}, guard.RulingDeny, "default"},
		"a stranger's ID":              {update, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "7654321", Link: schemas.LinkLinked}, guard.RulingDeny, "default"},
		"destroys":                     {update, guard.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "1234567", Link: schemas.LinkLinked}, guard.RulingApprover, "own"},
	} {
		test.subject.Operation = operation(t, test.tool)
		if got := policy.Evaluate(test.subject); got.Ruling != test.ruling || got.Rule != test.rule {
			t.Errorf("%s: %s by %s (%s), want %s by %s", name, got.Ruling, got.Rule, got.Why, test.ruling, test.rule)
		}
	}
}

func TestRulesThatCannotMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]guard.Rule{
		"no answer":                   {},
		"unknown answer":              {Ruling: "maybe"},
		"unknown operation":           {Operations: []string{"delete_all"}, Ruling: guard.RulingDeny},
		"malformed glob":              {Tenants: []string{"[a"}, Ruling: guard.RulingDeny},
		"empty tenant":                {Tenants: []string{""}, Ruling: guard.RulingDeny},
		"empty label":                 {Tenants: []string{"label:"}, Ruling: guard.RulingDeny},
		"malformed partner ID":        {PartnerIDs: []string{"12"}, Ruling: guard.RulingDeny},
		"unknown condition":           {When: "unknown", Ruling: guard.RulingDeny},
		"rate of nothing":             {Rate: &guard.Rate{Count: 0, Per: time.Hour}, Ruling: guard.RulingDeny},
		"allow without operations":    {Tenants: []string{"a"}, PartnerIDs: []string{"1234567"}, Ruling: guard.RulingAllow},
		"allow without tenants":       {Operations: []string{"write"}, PartnerIDs: []string{"1234567"}, Ruling: guard.RulingAllow},
		"allow without partner IDs":   {Operations: []string{schemas.ToolUpdatePartner}, Tenants: []string{"*"}, Ruling: guard.RulingAllow},
		"allow of everything written": {Ruling: guard.RulingAllow},
	} {
		if _, err := guard.NewPolicy(guard.Options{Rules: []guard.Rule{rule}}); codeOf(err) != schemas.CodeInvalidArgument && codeOf(err) != schemas.CodeInvalidPartnerID {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := guard.NewPolicy(guard.Options{Rules: []guard.Rule{{Operations: []string{"read"}, Ruling: guard.RulingAllow}}}); err != nil {
		t.Errorf("allow for reads alone: %v", err)
	}
	if _, err := guard.NewPolicy(guard.Options{Rules: []guard.Rule{{Name: "a", Ruling: guard.RulingDeny}, {Name: "a", Ruling: guard.RulingDeny}}}); err == nil {
		t.Error("two rules of one name")
	}
}

func TestFlagsStandForRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options          guard.Options
		register, update guard.Ruling
	}{
		"nothing":   {guard.Options{}, guard.RulingDeny, guard.RulingDeny},
		"writes":    {guard.Options{AllowWrites: true}, guard.RulingRequester, guard.RulingApprover},
		"requester": {guard.Options{AllowWrites: true, Approval: guard.ApprovalRequester}, guard.RulingRequester, guard.RulingRequester},
		"approver":  {guard.Options{AllowWrites: true, Approval: guard.ApprovalApprover}, guard.RulingApprover, guard.RulingApprover},
		"none":      {guard.Options{AllowWrites: true, Approval: guard.ApprovalNone, Simulated: true}, guard.RulingAllow, guard.RulingAllow},
		"none off":  {guard.Options{Approval: guard.ApprovalNone, Simulated: true}, guard.RulingDeny, guard.RulingDeny},
	} {
		g := newGuard(t, test.options)
		for tool, want := range map[string]guard.Ruling{schemas.ToolRegisterPartner: test.register, schemas.ToolUpdatePartner: test.update} {
			verdict, err := g.Admit(t.Context(), intent(tool).Subject(by("stdio")))
			if verdict.Ruling != want || (err != nil) != (want == guard.RulingDeny) {
				t.Errorf("%s, %s: %s, %v", name, tool, verdict.Ruling, err)
			}
		}
	}
}

// TestASimulationAsksItsClient: there is no approver to find in a simulation.
func TestASimulationAsksItsClient(t *testing.T) {
	t.Parallel()
	for approval, want := range map[guard.Approval]guard.Ruling{
		"": guard.RulingRequester, guard.ApprovalAsk: guard.RulingRequester, guard.ApprovalRequester: guard.RulingRequester,
		guard.ApprovalApprover: guard.RulingApprover,
	} {
		g, err := guard.New(guard.Options{AllowWrites: true, Approval: approval, Simulated: true, Store: ledgertest.New(t, time.Now)})
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolRemovePartner} {
			got := g.Policy().Evaluate(guard.Subject{Operation: operation(t, tool), By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "1234567"})
			if got.Ruling != want {
				t.Errorf("--approval %q, %s: %s, want %s", approval, tool, got.Ruling, want)
			}
		}
	}
}

func TestARateIsHeldTo(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := newGuard(t, guard.Options{Now: c.Now, Store: ledgertest.New(t, c.Now), Rules: []guard.Rule{{
		Operations: []string{"write"}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"},
		Rate: &guard.Rate{Count: 2, Per: time.Hour}, Ruling: guard.RulingAllow,
	}}})
	for n, want := range []schemas.Code{"", "", schemas.CodeRateExceeded} {
		if _, err := granted(g.Authorize(t.Context(), by("stdio"), intent(schemas.ToolRegisterPartner), false)); codeOf(err) != want {
			t.Fatalf("write %d: %v, want %q", n, err, want)
		}
	}
	c.Advance(time.Hour + time.Second)
	if _, err := granted(g.Authorize(t.Context(), by("stdio"), intent(schemas.ToolRegisterPartner), false)); err != nil {
		t.Errorf("after the hour: %v", err)
	}
}

// 64 calls race for the five writes of a rule.
func TestARateIsHeldToByManyAtOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := ledgertest.New(t, c.Now)
	g := newGuard(t, guard.Options{Now: c.Now, Store: store, Rules: []guard.Rule{{
		Operations: []string{"write"}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"},
		Rate: &guard.Rate{Count: 5, Per: time.Hour}, Ruling: guard.RulingAllow,
	}}})
	var group sync.WaitGroup
	var permits atomic.Int32
	for range 64 {
		group.Go(func() {
			_, err := granted(g.Authorize(context.Background(), by("stdio"), intent(schemas.ToolRegisterPartner), false))
			if err == nil {
				permits.Add(1)
			} else if codeOf(err) != schemas.CodeRateExceeded {
				t.Errorf("%v", err)
			}
		})
	}
	group.Wait()
	if open, err := store.Unfinished(t.Context()); permits.Load() != 5 || len(open) != 5 || err != nil {
		t.Errorf("%d permits, %d intents, %v", permits.Load(), len(open), err)
	}
}

func BenchmarkGuardDecide(b *testing.B) {
	g := newGuard(b, guard.Options{AllowWrites: true})
	i := intent(schemas.ToolRegisterPartner)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Admit(b.Context(), i.Subject(by("stdio"))); err != nil {
			b.Fatal(err)
		}
	}
}

// TestADenialHoldsForManyTenantsToo: who denies a write somewhere does not want
// it there by a run either. What allows one says nothing of the other.
func TestADenialHoldsForManyTenantsToo(t *testing.T) {
	t.Parallel()
	for single, many := range map[string]string{
		schemas.ToolRegisterPartner: schemas.ToolEnsurePartnerLinks,
		schemas.ToolUpdatePartner:   schemas.ToolTransitionPartner,
		schemas.ToolRemovePartner:   schemas.ToolTransitionPartner,
	} {
		op, _ := schemas.Lookup(many)
		subject := guard.Subject{Operation: op, By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "1234567"}
		wide := guard.Rule{Name: "wide", Operations: []string{many}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"}, Ruling: guard.RulingAllow}
		deny := guard.Rule{Name: "deny", Operations: []string{single}, Tenants: []string{"contoso"}, Ruling: guard.RulingDeny}
		policy, err := guard.NewPolicy(guard.Options{Rules: []guard.Rule{deny, wide}})
		if err != nil {
			t.Fatal(err)
		}
		if verdict := policy.Evaluate(subject); verdict.Rule != "deny" {
			t.Errorf("%s is denied, and %s is answered by %+v", single, many, verdict)
		}
		wide.Operations = []string{single}
		if policy, err = guard.NewPolicy(guard.Options{Rules: []guard.Rule{wide}}); err != nil {
			t.Fatal(err)
		}
		if verdict := policy.Evaluate(subject); verdict.Ruling != guard.RulingDeny {
			t.Errorf("%s is allowed, and %s is answered by %+v", single, many, verdict)
		}
	}
}
