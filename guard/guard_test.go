package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

const (
	tenantID = "11111111-1111-4111-8111-111111111111"
	objectID = "22222222-2222-4222-8222-222222222222"
)

func newClock() *testkit.Clock {
	return testkit.NewClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
}

func intent(tool string) guard.Intent {
	i := guard.Intent{
		Caller: "stdio", Tool: tool, PartnerID: "1234567",
		Identity: answers.Identity{TenantID: tenantID, Tenant: "contoso", ObjectID: objectID, Cloud: "public", Credential: "app"},
		Before:   guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1},
	}
	if tool != schemas.ToolRegisterPartner {
		i.Before = guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "7654321", Version: 3}
	}
	return i
}

func wire() guard.Wire {
	return guard.Wire{Method: http.MethodPut, TenantID: tenantID, ObjectID: objectID, PartnerID: "1234567"}
}

func newGuard(t testing.TB, o guard.Options) *guard.Guard {
	t.Helper()
	if o.Store == nil {
		o.Store = ledgertest.New(t, time.Now)
	}
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// by is a caller who was given all.
func by(caller access.Caller) access.Principal {
	return access.Principal{Caller: caller, Grant: access.FullGrant()}
}

// granted expects a permit, and no other answer than a refusal instead.
func granted(a guard.Admission) (guard.Granted, error) {
	granted, waiting, err := redeemed(a)
	if waiting != nil {
		return guard.Granted{}, errors.New("an approver is waited for")
	}
	return granted, err
}

// redeemed expects a permit, or that an approver is waited for.
func redeemed(a guard.Admission) (guard.Granted, *guard.Ticket, error) {
	switch a := a.(type) {
	case guard.Granted:
		return a, nil, nil
	case guard.Waiting:
		return guard.Granted{}, &a.Ticket, nil
	case guard.Refusal:
		return guard.Granted{}, nil, a.Err
	default:
		return guard.Granted{}, nil, fmt.Errorf("unexpected: %T", a)
	}
}

// asked expects a question to the person at the client.
func asked(a guard.Admission) (guard.Seal, error) {
	if question, ok := a.(guard.Asked); ok {
		return question.Seal, nil
	}
	return "", fmt.Errorf("nobody was asked: %+v", a)
}

// waits expects a question to an approver.
func waits(a guard.Admission) (guard.Ticket, error) {
	if waiting, ok := a.(guard.Waiting); ok {
		return waiting.Ticket, nil
	}
	return guard.Ticket{}, guard.RefusalOf(a)
}

// admitted is the code with which a subject was refused.
func admitted(_ access.Verdict, err error) problems.Code { return codeOf(err) }

func TestGuardWithoutAStoreDoesNotStart(t *testing.T) {
	t.Parallel()
	if g, err := guard.New(guard.Options{}); err == nil || g != nil {
		t.Error("a guard that forgets everything was made")
	}
}

func codeOf(err error) problems.Code {
	if err == nil {
		return ""
	}
	return problems.As(err).Code
}

// register returns a permit for the register intent without a question.
func register(t testing.TB, store guard.Store) guard.Permit {
	t.Helper()
	g := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: store})
	write, err := granted(g.Authorize(t.Context(), by("stdio"), intent(schemas.ToolRegisterPartner), false))
	if err != nil {
		t.Fatal(err)
	}
	return write.Permit
}

func TestPermitFitsOneRequestOnly(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*guard.Wire){
		"method":     func(w *guard.Wire) { w.Method = http.MethodDelete },
		"GET":        func(w *guard.Wire) { w.Method = http.MethodGet },
		"tenant":     func(w *guard.Wire) { w.TenantID = objectID },
		"identity":   func(w *guard.Wire) { w.ObjectID = tenantID },
		"partner ID": func(w *guard.Wire) { w.PartnerID = "7654321" },
		"nothing":    func(w *guard.Wire) { *w = guard.Wire{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			permit, w := register(t, nil), wire()
			change(&w)
			if code := codeOf(permit.Spend(w)); code != problems.CodePermitRefused {
				t.Errorf("another request was let through: %q", code)
			}
			if permit.Spent() {
				t.Error("a refused request used the permit up")
			}
			if err := permit.Spend(wire()); err != nil {
				t.Errorf("the right request afterwards: %v", err)
			}
		})
	}
}

func TestPermitIsForOneUse(t *testing.T) {
	t.Parallel()
	permit := register(t, nil)
	w := wire()
	w.TenantID, w.Method = strings.ToUpper(w.TenantID), "put"
	if err := permit.Spend(w); err != nil {
		t.Fatal(err)
	}
	again := permit
	if codeOf(again.Spend(wire())) != problems.CodePermitRefused {
		t.Error("a copy of a spent permit was let through")
	}
}

func TestZeroPermitAllowsNothing(t *testing.T) {
	t.Parallel()
	var permit guard.Permit
	permit.Challenged()
	if codeOf(permit.Spend(wire())) != problems.CodePermitRefused || permit.Spent() {
		t.Error("the zero permit was let through")
	}
}

func TestPermitSurvivesExactlyOneChallenge(t *testing.T) {
	t.Parallel()
	permit := register(t, nil)
	permit.Challenged() // before it was spent: no effect
	for i, want := range []problems.Code{"", problems.CodePermitRefused} {
		if got := codeOf(permit.Spend(wire())); got != want {
			t.Fatalf("use %d: %q, want %q", i, got, want)
		}
	}
	permit.Challenged()
	if err := permit.Spend(wire()); err != nil {
		t.Fatal(err)
	}
	permit.Challenged()
	if codeOf(permit.Spend(wire())) != problems.CodePermitRefused {
		t.Error("a second challenge gave a third use")
	}
}

func TestConflictingOptionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options guard.Options
		code    problems.Code
	}{
		"nobody asked, real Azure":    {guard.Options{AllowWrites: true, Approval: access.ApprovalNone}, problems.CodeInvalidArgument},
		"nobody asked, simulated":     {guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true}, ""},
		"nobody asked, bounded":       {guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Bounds: access.Bounds{PartnerIDs: []string{"1234567"}}}, ""},
		"no such mode":                {guard.Options{AllowWrites: true, Approval: "maybe"}, problems.CodeInvalidArgument},
		"no such tool in the bound":   {guard.Options{Bounds: access.Bounds{Tools: []string{"check_link"}}}, problems.CodeUnknownTool},
		"nobody asked, writes off":    {guard.Options{Approval: access.ApprovalNone, Simulated: true}, ""},
		"malformed glob in the bound": {guard.Options{Bounds: access.Bounds{Tenants: []string{"[a"}}}, problems.CodeInvalidArgument},
		"malformed ID in the bound":   {guard.Options{Bounds: access.Bounds{PartnerIDs: []string{"x"}}}, problems.CodeInvalidPartnerID},
	} {
		test.options.Store = ledgertest.New(t, time.Now)
		if _, err := guard.New(test.options); codeOf(err) != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	op := func(name string) schemas.Operation { o, _ := schemas.Lookup(name); return o }
	bounds := access.Bounds{Tools: []string{schemas.ToolCheckPartnerLink, schemas.ToolRegisterPartner, schemas.ToolRemovePartner}, Tenants: []string{"Con*"}, PartnerIDs: []string{"1234567"}}
	for name, test := range map[string]struct {
		writes         bool
		tool           string
		tenant, number string
		code           problems.Code
	}{
		"read": {tool: schemas.ToolCheckPartnerLink, tenant: "contoso"},
		"tool outside": {
			writes: true, tool: schemas.ToolUpdatePartner, tenant: "contoso", number: "1234567", code: problems.CodeNotAllowed,
		},
		"tenant outside": {writes: true, tool: schemas.ToolCheckPartnerLink, tenant: "fabrikam", code: problems.CodeNotAllowed},
		"writes off":     {tool: schemas.ToolRegisterPartner, tenant: "contoso", number: "1234567", code: problems.CodeWritesDisabled},
		"writes on":      {writes: true, tool: schemas.ToolRegisterPartner, tenant: "contoso", number: "1234567"},
		"ID outside": {
			writes: true, tool: schemas.ToolRegisterPartner, tenant: "contoso", number: "7654321", code: problems.CodeNotAllowed,
		},
		"removing an ID outside": {
			writes: true, tool: schemas.ToolRemovePartner, tenant: "contoso", number: "7654321", code: problems.CodeNotAllowed,
		},
		"removing an ID inside":        {writes: true, tool: schemas.ToolRemovePartner, tenant: "contoso", number: "1234567"},
		"directory is empty":           {writes: true, tool: schemas.ToolRegisterPartner, number: "1234567"},
		"outside although writes off ": {tool: schemas.ToolUpdatePartner, number: "1234567", code: problems.CodeNotAllowed},
	} {
		g := newGuard(t, guard.Options{AllowWrites: test.writes, Bounds: bounds})
		if got := admitted(g.Admit(t.Context(), access.Subject{Operation: op(test.tool), By: by("stdio"), Tenant: schemas.Tenant{Name: test.tenant}, PartnerID: partnerid.ID(test.number)})); got != test.code {
			t.Errorf("%s: %q, want %q", name, got, test.code)
		}
	}
}

func TestFormAnswerDecidesTicket(t *testing.T) {
	t.Parallel()
	const want = "1234567"
	for name, test := range map[string]struct {
		answer guard.Answer
		change func(*guard.Intent)
		later  time.Duration
		code   problems.Code
	}{
		"accepted":             {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}},
		"reason worded anew":   {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.Reason = "other words" }},
		"declined, right text": {answer: guard.Answer{Action: guard.ActionDecline, Typed: want}, code: problems.CodeApprovalDeclined},
		"cancelled":            {answer: guard.Answer{Action: guard.ActionCancel}, code: problems.CodeApprovalDeclined},
		"no action":            {answer: guard.Answer{Typed: want}, code: problems.CodeApprovalDeclined},
		"empty text":           {answer: guard.Answer{Action: guard.ActionAccept}, code: problems.CodeApprovalDeclined},
		"a choice of no":       {answer: guard.Answer{Action: guard.ActionAccept, Typed: "Reject"}, code: problems.CodeApprovalDeclined},
		"space at the end":     {answer: guard.Answer{Action: guard.ActionAccept, Typed: want + " "}, code: problems.CodeApprovalDeclined},
		"expired":              {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, later: guard.InBandLife, code: problems.CodeApprovalExpired},
		"other caller":         {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.Caller = "other" }, code: problems.CodeApprovalMismatch},
		"other tenant":         {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.Identity.TenantID = objectID }, code: problems.CodeApprovalMismatch},
		"other identity":       {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.Identity.ObjectID = tenantID }, code: problems.CodeApprovalMismatch},
		"other credential":     {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.Identity.Credential = "x" }, code: problems.CodeApprovalMismatch},
		"other partner ID":     {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.PartnerID = "7654321" }, code: problems.CodeApprovalMismatch},
		"other operation":      {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, change: func(i *guard.Intent) { i.Tool = schemas.ToolUpdatePartner }, code: problems.CodeApprovalMismatch},
		"state moved": {answer: guard.Answer{Action: guard.ActionAccept, Typed: want}, code: problems.CodeStateMoved,
			change: func(i *guard.Intent) {
				i.Before = guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "9999999", Version: 1}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			store := ledgertest.New(t, c.Now)
			g := newGuard(t, guard.Options{AllowWrites: true, Store: store, Now: c.Now})
			i := intent(schemas.ToolRegisterPartner)
			seal, err := asked(g.Authorize(t.Context(), by("stdio"), i, true))
			if err != nil {
				t.Fatal(err)
			}
			c.Advance(test.later)
			if test.change != nil {
				test.change(&i)
			}
			permit, err := granted(g.Answer(t.Context(), by("stdio"), i, seal, test.answer))
			if codeOf(err) != test.code {
				t.Fatalf("%v, want %q", err, test.code)
			}
			if (permit.Permit.Spend(wire()) == nil) != (test.code == "") {
				t.Errorf("code %q, and the permit says otherwise", test.code)
			}
		})
	}
}

func TestConcurrentAnswersRedeemSealOnce(t *testing.T) {
	t.Parallel()
	g := newGuard(t, guard.Options{AllowWrites: true})
	i := intent(schemas.ToolRegisterPartner)
	seal, err := asked(g.Authorize(t.Context(), by("stdio"), i, true))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 64 {
		wg.Go(func() {
			permit, err := granted(g.Answer(context.Background(), by("stdio"), i, seal, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}))
			if err == nil && permit.Permit.Spend(wire()) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 64 won", won)
	}
}

func TestDeclinedTicketCannotBeAnsweredAgain(t *testing.T) {
	t.Parallel()
	g := newGuard(t, guard.Options{AllowWrites: true})
	i := intent(schemas.ToolRegisterPartner)
	seal, _ := asked(g.Authorize(t.Context(), by("stdio"), i, true))
	_, _ = granted(g.Answer(t.Context(), by("stdio"), i, seal, guard.Answer{Action: guard.ActionDecline}))
	_, err := granted(g.Answer(t.Context(), by("stdio"), i, seal, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}))
	if codeOf(err) != problems.CodeApprovalExpired {
		t.Errorf("a second answer after a no: %v", err)
	}
}

func TestDeferredApprovals(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := newGuard(t, guard.Options{AllowWrites: true, Now: c.Now, Store: ledgertest.New(t, c.Now)})
	i := intent(schemas.ToolUpdatePartner)
	first, err := waits(g.Authorize(t.Context(), by("stdio"), i, false))
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := waits(g.Authorize(t.Context(), by("stdio"), i, false)); second.ID != first.ID {
		t.Error("asking twice made two questions")
	}
	if _, pending, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, first.ID)); err != nil || pending == nil || pending.ID != first.ID {
		t.Errorf("a pending approval: %v, %v", pending, err)
	}
	stranger := i
	stranger.Caller = "other"
	if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), stranger, first.ID)); codeOf(err) != problems.CodeApprovalUnknown {
		t.Errorf("another caller's approval: %v", err)
	}
	for n := range 9 {
		other := i
		other.PartnerID = partnerid.ID(fmt.Sprint(1000000 + n))
		if _, err := waits(g.Authorize(t.Context(), by("stdio"), other, false)); err != nil {
			t.Fatal(err)
		}
	}
	other := i
	other.PartnerID = "2000000"
	if _, err := waits(g.Authorize(t.Context(), by("stdio"), other, false)); codeOf(err) != problems.CodeTooManyApprovals {
		t.Errorf("the eleventh: %v", err)
	}
	c.Advance(guard.ApproverLife)
	if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, first.ID)); codeOf(err) != problems.CodeApprovalExpired {
		t.Errorf("an expired approval: %v", err)
	}
}

// brokenStore fails where configured.
type brokenStore struct {
	*ledgertest.Store
	append, spend bool
}

func (b *brokenStore) Append(ctx context.Context, events ...guard.Event) (int64, error) {
	if b.append {
		return 0, problems.New(problems.CodeVaultUnavailable, "disk full")
	}
	return b.Store.Append(ctx, events...)
}

func (b *brokenStore) SpendTicket(ctx context.Context, id string, events ...guard.Event) (bool, int64, error) {
	if b.spend {
		return false, 0, problems.New(problems.CodeVaultUnavailable, "database is locked")
	}
	return b.Store.SpendTicket(ctx, id, events...)
}

func TestNoPermitWhenRecordFails(t *testing.T) {
	t.Parallel()
	i := intent(schemas.ToolRegisterPartner)
	accept := guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}
	store := &brokenStore{Store: ledgertest.New(t, time.Now), append: true}
	unasked := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: store})
	if granted, err := granted(unasked.Authorize(t.Context(), by("stdio"), i, false)); codeOf(err) != problems.CodeVaultUnavailable || granted.Permit.Spend(wire()) == nil {
		t.Errorf("unasked: %v", err)
	}
	for name, broken := range map[string]*brokenStore{"spend": {spend: true}} {
		store := &brokenStore{Store: ledgertest.New(t, time.Now)}
		g := newGuard(t, guard.Options{AllowWrites: true, Store: store})
		seal, err := asked(g.Authorize(t.Context(), by("stdio"), i, true))
		if err != nil {
			t.Fatal(err)
		}
		store.append, store.spend = broken.append, broken.spend
		permit, err := granted(g.Answer(t.Context(), by("stdio"), i, seal, accept))
		if codeOf(err) != problems.CodeVaultUnavailable || permit.Permit.Spend(wire()) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Over any sequence of asking, answering, replaying and spending, the requests
// let through are at most the permits given, each recorded before as an intent.
func TestSpentPermitsMatchRecordedIntents(t *testing.T) {
	t.Parallel()
	c := newClock()
	store := ledgertest.New(t, c.Now)
	g := newGuard(t, guard.Options{AllowWrites: true, Store: store, Now: c.Now})
	rapid.Check(t, func(t *rapid.T) {
		c.Advance(guard.AskedWithin) // what was asked before counts no more
		began := c.Now()
		i := intent(schemas.ToolRegisterPartner)
		var seals []guard.Seal
		var permits []guard.Permit
		sent := 0
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(*rapid.T) {
				if seal, err := asked(g.Authorize(context.Background(), by("stdio"), i, true)); err == nil {
					seals = append(seals, seal)
				}
			},
			"answer": func(t *rapid.T) {
				if len(seals) == 0 {
					return
				}
				answer := guard.Answer{
					Action: rapid.SampledFrom([]guard.Action{guard.ActionAccept, guard.ActionDecline, guard.ActionCancel}).Draw(t, "action"),
					Typed:  rapid.SampledFrom([]string{"1234567", "", "no"}).Draw(t, "typed"),
				}
				seal := rapid.SampledFrom(seals).Draw(t, "seal")
				if permit, err := granted(g.Answer(context.Background(), by("stdio"), i, seal, answer)); err == nil {
					permits = append(permits, permit.Permit)
				}
			},
			"send": func(t *rapid.T) {
				if len(permits) == 0 {
					return
				}
				if rapid.SampledFrom(permits).Draw(t, "permit").Spend(wire()) == nil {
					sent++
				}
			},
			"wait": func(*rapid.T) { c.Advance(time.Minute) },
			"": func(t *rapid.T) {
				intents, err := store.CountIntents(context.Background(), "--allow-writes, new links", began)
				if err != nil {
					t.Fatal(err)
				}
				if sent > intents || intents != len(permits) || intents > len(seals) {
					t.Fatalf("%d sent, %d intents, %d permits, %d questions", sent, intents, len(permits), len(seals))
				}
			},
		})
	})
}
