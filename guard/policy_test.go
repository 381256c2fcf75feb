package guard_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
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
	policy, err := access.NewPolicy(access.Settings{Rules: []access.Rule{
		{Name: "closed", Tenants: []string{"label:closed"}, Ruling: access.RulingDeny},
		{Name: "nightly", Operations: []string{"write"}, Callers: []string{"night-*"}, Tenants: []string{"fab*"}, PartnerIDs: []string{"1234567"}, When: answers.LinkNotLinked, Ruling: access.RulingAllow},
		{Name: "expected", Operations: []string{schemas.ToolRegisterPartner}, PartnerIDs: []string{access.Expected}, Ruling: access.RulingRequester},
		{Name: "own", Operations: []string{"write", "destroy"}, PartnerIDs: []string{"1234567"}, Ruling: access.RulingApprover},
		{Name: "no reads of litware", Operations: []string{"read"}, Tenants: []string{"litware"}, Ruling: access.RulingDeny},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const register, update, check = schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolCheckPartnerLink
	for name, test := range map[string]struct {
		tool    string
		subject access.Subject
		ruling  access.Ruling
		rule    string
	}{
		"label": {
			tool:    check,
			subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso", Labels: []string{"emea", "closed"}}},
			ruling:  access.RulingDeny, rule: "closed",
		},
		"read": {
			tool: check, subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}}, ruling: access.RulingAllow,
			rule: "default",
		},
		"read denied": {
			tool: check, subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "litware"}}, ruling: access.RulingDeny,
			rule: "no reads of litware",
		},
		"night, not linked": {
			tool:    register,
			subject: access.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "Fabrikam"}, PartnerID: "1234567", Link: answers.LinkNotLinked},
			ruling:  access.RulingAllow, rule: "nightly",
		},
		"night, deleted counts as not": {
			tool:    register,
			subject: access.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: answers.LinkDeleted},
			ruling:  access.RulingAllow, rule: "nightly",
		},
		"night, linked": {
			tool:    register,
			subject: access.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: answers.LinkLinked},
			ruling:  access.RulingApprover, rule: "own",
		},
		"night, not known": {
			tool:    register,
			subject: access.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: answers.LinkUnknown},
			ruling:  access.RulingDeny, rule: "nightly",
		},
		"night, nothing read yet": {
			tool: register, subject: access.Subject{By: by("night-1"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567"},
			ruling: access.RulingDeny, rule: "nightly",
		},
		"day": {
			tool:    register,
			subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "fabrikam"}, PartnerID: "1234567", Link: answers.LinkNotLinked},
			ruling:  access.RulingApprover, rule: "own",
		},
		"the expected ID": {
			tool:    register,
			subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso", ExpectedPartnerID: "5555555"}, PartnerID: "5555555", Link: answers.LinkNotLinked},
			ruling:  access.RulingRequester, rule: "expected",
		},
		"nothing is expected": {
			tool:    register,
			subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "5555555", Link: answers.LinkNotLinked},
			ruling:  access.RulingDeny, rule: "default",
		},
		"a stranger's ID": {
			tool:    update,
			subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "7654321", Link: answers.LinkLinked},
			ruling:  access.RulingDeny, rule: "default",
		},
		"destroys": {
			tool:    update,
			subject: access.Subject{By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "1234567", Link: answers.LinkLinked},
			ruling:  access.RulingApprover, rule: "own",
		},
	} {
		test.subject.Operation = operation(t, test.tool)
		if got := policy.Evaluate(test.subject); got.Ruling != test.ruling || got.Rule != test.rule {
			t.Errorf("%s: %s by %s (%s), want %s by %s", name, got.Ruling, got.Rule, got.Why, test.ruling, test.rule)
		}
	}
}

func TestInvalidRulesAreRefused(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]access.Rule{
		"no answer":                   {},
		"unknown answer":              {Ruling: "maybe"},
		"unknown operation":           {Operations: []string{"delete_all"}, Ruling: access.RulingDeny},
		"malformed glob":              {Tenants: []string{"[a"}, Ruling: access.RulingDeny},
		"empty tenant":                {Tenants: []string{""}, Ruling: access.RulingDeny},
		"empty label":                 {Tenants: []string{"label:"}, Ruling: access.RulingDeny},
		"malformed partner ID":        {PartnerIDs: []string{"12"}, Ruling: access.RulingDeny},
		"unknown condition":           {When: "unknown", Ruling: access.RulingDeny},
		"rate of nothing":             {Rate: &access.Rate{Count: 0, Per: time.Hour}, Ruling: access.RulingDeny},
		"allow without operations":    {Tenants: []string{"a"}, PartnerIDs: []string{"1234567"}, Ruling: access.RulingAllow},
		"allow without tenants":       {Operations: []string{"write"}, PartnerIDs: []string{"1234567"}, Ruling: access.RulingAllow},
		"allow without partner IDs":   {Operations: []string{schemas.ToolUpdatePartner}, Tenants: []string{"*"}, Ruling: access.RulingAllow},
		"allow of everything written": {Ruling: access.RulingAllow},
	} {
		if _, err := access.NewPolicy(access.Settings{Rules: []access.Rule{rule}}); codeOf(err) != problems.CodeInvalidArgument && codeOf(err) != problems.CodeInvalidPartnerID {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := access.NewPolicy(access.Settings{Rules: []access.Rule{{Operations: []string{"read"}, Ruling: access.RulingAllow}}}); err != nil {
		t.Errorf("allow for reads alone: %v", err)
	}
	if _, err := access.NewPolicy(access.Settings{Rules: []access.Rule{{Name: "a", Ruling: access.RulingDeny}, {Name: "a", Ruling: access.RulingDeny}}}); err == nil {
		t.Error("two rules of one name")
	}
}

func TestFlagsBecomeRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options          guard.Options
		register, update access.Ruling
	}{
		"nothing": {options: guard.Options{}, register: access.RulingDeny, update: access.RulingDeny},
		"writes":  {options: guard.Options{AllowWrites: true}, register: access.RulingRequester, update: access.RulingApprover},
		"requester": {
			options: guard.Options{AllowWrites: true, Approval: access.ApprovalRequester}, register: access.RulingRequester,
			update: access.RulingRequester,
		},
		"approver": {
			options: guard.Options{AllowWrites: true, Approval: access.ApprovalApprover}, register: access.RulingApprover,
			update: access.RulingApprover,
		},
		"none": {
			options: guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true}, register: access.RulingAllow,
			update: access.RulingAllow,
		},
		"none off": {
			options: guard.Options{Approval: access.ApprovalNone, Simulated: true}, register: access.RulingDeny, update: access.RulingDeny,
		},
	} {
		g := newGuard(t, test.options)
		for tool, want := range map[string]access.Ruling{schemas.ToolRegisterPartner: test.register, schemas.ToolUpdatePartner: test.update} {
			verdict, err := g.Admit(t.Context(), intent(tool).Subject(by("stdio")))
			if verdict.Ruling != want || (err != nil) != (want == access.RulingDeny) {
				t.Errorf("%s, %s: %s, %v", name, tool, verdict.Ruling, err)
			}
		}
	}
}

// A simulation has no approvers.
func TestSimulationAsksRequester(t *testing.T) {
	t.Parallel()
	for approval, want := range map[access.Approval]access.Ruling{
		"": access.RulingRequester, access.ApprovalAsk: access.RulingRequester, access.ApprovalRequester: access.RulingRequester,
		access.ApprovalApprover: access.RulingApprover,
	} {
		g, err := guard.New(guard.Options{AllowWrites: true, Approval: approval, Simulated: true, Store: ledgertest.New(t, time.Now)})
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolRemovePartner} {
			got := g.Policy().Evaluate(access.Subject{Operation: operation(t, tool), By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "1234567"})
			if got.Ruling != want {
				t.Errorf("--approval %q, %s: %s, want %s", approval, tool, got.Ruling, want)
			}
		}
	}
}

func TestRateLimitsWrites(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := newGuard(t, guard.Options{Now: c.Now, Store: ledgertest.New(t, c.Now), Rules: []access.Rule{{
		Operations: []string{"write"}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"},
		Rate: &access.Rate{Count: 2, Per: time.Hour}, Ruling: access.RulingAllow,
	}}})
	for n, want := range []problems.Code{"", "", problems.CodeRateExceeded} {
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
func TestRateLimitsConcurrentWrites(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := ledgertest.New(t, c.Now)
	g := newGuard(t, guard.Options{Now: c.Now, Store: store, Rules: []access.Rule{{
		Operations: []string{"write"}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"},
		Rate: &access.Rate{Count: 5, Per: time.Hour}, Ruling: access.RulingAllow,
	}}})
	var group sync.WaitGroup
	var permits atomic.Int32
	for range 64 {
		group.Go(func() {
			_, err := granted(g.Authorize(context.Background(), by("stdio"), intent(schemas.ToolRegisterPartner), false))
			if err == nil {
				permits.Add(1)
			} else if codeOf(err) != problems.CodeRateExceeded {
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

// A rule that denies a single write also denies it in a run; a rule that allows
// one does not allow the other.
func TestDenyRuleForOneTenantAppliesToRuns(t *testing.T) {
	t.Parallel()
	for single, many := range map[string]string{
		schemas.ToolRegisterPartner: schemas.ToolEnsurePartnerLinks,
		schemas.ToolUpdatePartner:   schemas.ToolTransitionPartner,
		schemas.ToolRemovePartner:   schemas.ToolTransitionPartner,
	} {
		op, _ := schemas.Lookup(many)
		subject := access.Subject{Operation: op, By: by("stdio"), Tenant: schemas.Tenant{Name: "contoso"}, PartnerID: "1234567"}
		wide := access.Rule{Name: "wide", Operations: []string{many}, Tenants: []string{"*"}, PartnerIDs: []string{"1234567"}, Ruling: access.RulingAllow}
		deny := access.Rule{Name: "deny", Operations: []string{single}, Tenants: []string{"contoso"}, Ruling: access.RulingDeny}
		policy, err := access.NewPolicy(access.Settings{Rules: []access.Rule{deny, wide}})
		if err != nil {
			t.Fatal(err)
		}
		if verdict := policy.Evaluate(subject); verdict.Rule != "deny" {
			t.Errorf("%s is denied, and %s is answered by %+v", single, many, verdict)
		}
		wide.Operations = []string{single}
		if policy, err = access.NewPolicy(access.Settings{Rules: []access.Rule{wide}}); err != nil {
			t.Fatal(err)
		}
		if verdict := policy.Evaluate(subject); verdict.Ruling != access.RulingDeny {
			t.Errorf("%s is allowed, and %s is answered by %+v", single, many, verdict)
		}
	}
}
