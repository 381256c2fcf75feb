package guard_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

var anna = guard.Credentials{Name: "anna", Passphrase: []byte("correct horse")}

// withApprover is a guard whose every write needs a person, and the person.
func withApprover(t *testing.T) (*guard.Guard, *ledgertest.Store, *testkit.Clock) {
	t.Helper()
	c := newClock()
	store := ledgertest.New(t, c.Now)
	g := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: store, Now: c.Now, Account: "ops", ApproverCost: guard.Cost{Time: 1, Memory: 64, Threads: 1}})
	if err := g.AddUser(t.Context(), guard.User{Name: anna.Name}, anna.Passphrase, guard.Credentials{}); err != nil {
		t.Fatal(err)
	}
	return g, store, c
}

func deferred(t *testing.T, g *guard.Guard, i guard.Intent) guard.Ticket {
	t.Helper()
	ticket, err := waits(g.Authorize(t.Context(), by("stdio"), i, false))
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestApprovedTicketIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	g, store, _ := withApprover(t)
	i := intent(schemas.ToolRegisterPartner)
	ticket := deferred(t, g, i)
	if _, pending, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); err != nil || pending == nil {
		t.Fatalf("before: %v, %v", pending, err)
	}
	if _, err := g.Approve(t.Context(), ticket.ID, anna.Name, []byte("wrong horse")); codeOf(err) != problems.CodeNotAllowed {
		t.Fatalf("a wrong passphrase: %v", err)
	}
	approved, err := g.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase)
	if err != nil || g.State(approved) != "approved" || !approved.Decision.SameUser {
		t.Fatalf("approve: %+v, %v", approved, err)
	}
	granted, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID))
	if err != nil || granted.Permit.Spend(wire()) != nil {
		t.Fatalf("redeem: %v", err)
	}
	if _, _, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID)); codeOf(err) != problems.CodeApprovalExpired {
		t.Errorf("redeemed twice: %v", err)
	}
	if err := g.Finished(t.Context(), granted.Record, i, guard.Outcome{Result: "done"}); err != nil {
		t.Fatal(err)
	}
	if open, _ := g.Unfinished(t.Context()); len(open) != 0 {
		t.Errorf("unfinished: %+v", open)
	}
	kinds := map[guard.EventKind]int{}
	for _, event := range store.Events() {
		kinds[event.Kind]++
	}
	for _, kind := range []guard.EventKind{guard.KindUser, guard.KindAsked, guard.KindApproved, guard.KindConfirmed, guard.KindIntent, guard.KindOutcome} {
		if kinds[kind] != 1 {
			t.Errorf("%d events %s", kinds[kind], kind)
		}
	}
}

func TestInvalidApprovalIsNotRedeemed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(t *testing.T, g *guard.Guard, s *ledgertest.Store, c *testkit.Clock, ticket guard.Ticket, i *guard.Intent)
		code   problems.Code
	}{
		"denied": {func(t *testing.T, g *guard.Guard, _ *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, _ *guard.Intent) {
			if _, err := g.Deny(t.Context(), ticket.ID, "not this month"); err != nil {
				t.Fatal(err)
			}
		}, problems.CodeApprovalDeclined},
		"expired after the approval": {func(t *testing.T, g *guard.Guard, _ *ledgertest.Store, c *testkit.Clock, ticket guard.Ticket, _ *guard.Intent) {
			approve(t, g, ticket)
			c.Advance(guard.ApproverLife)
		}, problems.CodeApprovalExpired},
		"signed by nobody": {func(t *testing.T, _ *guard.Guard, s *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, _ *guard.Intent) {
			forge(t, s, ticket, guard.Decision{Approved: true, Approver: anna.Name})
		}, problems.CodeApprovalUnknown},
		"signed by no approver": {func(t *testing.T, _ *guard.Guard, s *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, _ *guard.Intent) {
			forge(t, s, ticket, guard.Decision{Approved: true, Approver: "mallory"})
		}, problems.CodeNotAllowed},
		"the approver was removed": {func(t *testing.T, g *guard.Guard, _ *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, _ *guard.Intent) {
			approve(t, g, ticket)
			if err := g.RemoveUser(t.Context(), anna.Name, anna); err != nil {
				t.Fatal(err)
			}
		}, problems.CodeNotAllowed},
		"frozen meanwhile": {func(t *testing.T, g *guard.Guard, _ *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, _ *guard.Intent) {
			approve(t, g, ticket)
			if err := g.SetFreeze(t.Context(), false, "incident"); err != nil {
				t.Fatal(err)
			}
		}, problems.CodeFrozen},
		"state moved": {func(t *testing.T, g *guard.Guard, _ *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, i *guard.Intent) {
			approve(t, g, ticket)
			i.Before = guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "9999999", Version: 4}
		}, problems.CodeStateMoved},
		"another caller": {func(t *testing.T, g *guard.Guard, _ *ledgertest.Store, _ *testkit.Clock, ticket guard.Ticket, i *guard.Intent) {
			approve(t, g, ticket)
			i.Caller = "other"
		}, problems.CodeApprovalUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, store, c := withApprover(t)
			i := intent(schemas.ToolRegisterPartner)
			ticket := deferred(t, g, i)
			test.change(t, g, store, c, ticket, &i)
			granted, pending, err := redeemed(g.Redeem(t.Context(), by("stdio"), i, ticket.ID))
			if codeOf(err) != test.code || pending != nil || granted.Permit.Spend(wire()) == nil {
				t.Errorf("%v, want %s", err, test.code)
			}
		})
	}
}

// unfrozen is a store whose freeze was looked at before it was set.
type unfrozen struct{ *ledgertest.Store }

// Freeze implements guard.Store.
func (unfrozen) Freeze(context.Context) (guard.Freeze, error) { return guard.Freeze{}, nil }

// A freeze between the admission of a write and its intent: no permit, and the
// approval is good again once the freeze is lifted.
func TestFreezeAfterAdmissionGivesNoPermit(t *testing.T) {
	t.Parallel()
	approver, store, c := withApprover(t)
	i := intent(schemas.ToolRegisterPartner)
	ticket := deferred(t, approver, i)
	approve(t, approver, ticket)
	plan := manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace)
	late := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: unfrozen{store}, Now: c.Now})
	run := opened(t, late, plan)
	calls := map[string]func() (guard.Granted, error){
		"allowed":  func() (guard.Granted, error) { return granted(late.Authorize(t.Context(), by("stdio"), i, false)) },
		"approved": func() (guard.Granted, error) { return granted(late.Redeem(t.Context(), by("stdio"), i, ticket.ID)) },
		"a tenant of a run": func() (guard.Granted, error) {
			granted, _, err := late.Permit(t.Context(), run, guard.Progress{}, runs.StepRemove, hereOf(plan.Rows[0]))
			return granted, err
		},
	}
	if err := approver.SetFreeze(t.Context(), false, "incident"); err != nil {
		t.Fatal(err)
	}
	had := len(store.Events())
	for name, call := range calls {
		if granted, err := call(); codeOf(err) != problems.CodeFrozen || granted != (guard.Granted{}) || len(store.Events()) != had {
			t.Errorf("%s: %+v, %v", name, granted, err)
		}
	}
	if err := approver.Unfreeze(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if _, err := call(); err != nil {
			t.Errorf("%s after the freeze: %v", name, err)
		}
	}
}

func approve(t *testing.T, g *guard.Guard, ticket guard.Ticket) {
	t.Helper()
	if _, err := g.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase); err != nil {
		t.Fatal(err)
	}
}

// forge writes a decision past the guard, as an editor of the database would.
func forge(t *testing.T, s *ledgertest.Store, ticket guard.Ticket, d guard.Decision) {
	t.Helper()
	if ok, err := s.DecideTicket(context.Background(), ticket.ID, d, guard.Event{Kind: guard.KindApproved}, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestNewApproverNeedsExistingApprover(t *testing.T) {
	t.Parallel()
	g, _, _ := withApprover(t)
	bert := guard.Credentials{Name: "bert", Passphrase: []byte("battery staple")}
	if err := g.AddUser(t.Context(), guard.User{Name: bert.Name}, bert.Passphrase, guard.Credentials{}); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("nobody vouched: %v", err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: bert.Name}, bert.Passphrase, guard.Credentials{Name: "anna", Passphrase: []byte("guess guess")}); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("a guess vouched: %v", err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: bert.Name}, bert.Passphrase, anna); err != nil {
		t.Errorf("anna vouched: %v", err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: bert.Name}, bert.Passphrase, anna); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("twice: %v", err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: "c"}, []byte("short"), anna); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("a short passphrase: %v", err)
	}
	if err := g.AddUser(t.Context(), guard.User{Name: "a\x1b[2J"}, anna.Passphrase, anna); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("a hostile name: %v", err)
	}
	if err := g.RemoveUser(t.Context(), "anna", bert); err != nil {
		t.Errorf("remove: %v", err)
	}
	if approvers, _ := g.Approvers(t.Context()); len(approvers) != 1 || approvers[0].Name != "bert" {
		t.Errorf("left: %+v", approvers)
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	g, store, _ := withApprover(t)
	read := access.Subject{Operation: operation(t, schemas.ToolCheckPartnerLink), By: by("stdio")}
	write := access.Subject{Operation: operation(t, schemas.ToolRegisterPartner), By: by("stdio")}
	check := func(when string, wantRead, wantWrite problems.Code) {
		t.Helper()
		if got := admitted(g.Admit(t.Context(), read)); got != wantRead {
			t.Errorf("%s, read: %q, want %q", when, got, wantRead)
		}
		if got := admitted(g.Admit(t.Context(), write)); got != wantWrite {
			t.Errorf("%s, write: %q, want %q", when, got, wantWrite)
		}
	}
	check("before", "", "")
	if err := g.SetFreeze(t.Context(), false, ""); codeOf(err) != problems.CodeInvalidArgument {
		t.Errorf("without a reason: %v", err)
	}
	_ = g.SetFreeze(t.Context(), false, "incident 7")
	check("frozen", "", problems.CodeFrozen)
	other := newGuard(t, guard.Options{AllowWrites: true, Store: store}) // another server on the same store
	if admitted(other.Admit(t.Context(), write)) != problems.CodeFrozen {
		t.Error("another server goes on")
	}
	_ = g.SetFreeze(t.Context(), true, "incident 7")
	check("frozen for reads", problems.CodeFrozen, problems.CodeFrozen)
	if err := g.Unfreeze(t.Context(), guard.Credentials{}); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("nobody unfroze: %v", err)
	}
	if err := g.Unfreeze(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	check("after", "", "")
}

func TestSealFitsOneTicketAndSurvivesKeyRotation(t *testing.T) {
	t.Parallel()
	var old, fresh [guard.KeySize]byte
	old[0], fresh[0] = 1, 2
	store := ledgertest.New(t, time.Now)
	before := newGuard(t, guard.Options{AllowWrites: true, Store: store, Sealer: guard.NewSealer(old)})
	after := newGuard(t, guard.Options{AllowWrites: true, Store: store, Sealer: guard.NewSealer(fresh, old)})
	lost := newGuard(t, guard.Options{AllowWrites: true, Store: store, Sealer: guard.NewSealer(fresh)})
	i := intent(schemas.ToolRegisterPartner)
	seal, err := asked(before.Authorize(t.Context(), by("stdio"), i, true))
	if err != nil {
		t.Fatal(err)
	}
	accept := guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}
	if _, err := granted(lost.Answer(t.Context(), by("stdio"), i, seal, accept)); codeOf(err) != problems.CodeApprovalUnknown {
		t.Errorf("without the old key: %v", err)
	}
	if _, err := granted(after.Answer(t.Context(), by("stdio"), i, seal, accept)); err != nil {
		t.Errorf("in another process, with both keys: %v", err)
	}
}

// Only an approver lets go: a second freeze, which takes no passphrase, must not
// free the reads.
func TestLesserFreezeDoesNotLiftFreeze(t *testing.T) {
	t.Parallel()
	g, _, _ := withApprover(t)
	if err := g.SetFreeze(t.Context(), true, "a leak"); err != nil {
		t.Fatal(err)
	}
	if err := g.SetFreeze(t.Context(), false, "never mind"); err != nil {
		t.Fatal(err)
	}
	if f, err := g.Frozen(t.Context()); err != nil || !f.Reads {
		t.Errorf("%+v, %v", f, err)
	}
	if err := g.Unfreeze(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	if f, err := g.Frozen(t.Context()); err != nil || f != (guard.Freeze{}) {
		t.Errorf("%+v, %v", f, err)
	}
}

// However many questions came later and were decided, one that waits is shown to
// approvers and counted.
func TestPendingTicketStaysListed(t *testing.T) {
	t.Parallel()
	g, _, c := withApprover(t)
	waiting := deferred(t, g, askedBy("token:first"))
	for i := range 150 {
		c.Advance(time.Second)
		later := deferred(t, g, askedBy(access.Caller(fmt.Sprint("token:", i))))
		if _, err := g.Deny(t.Context(), later.ID, "no"); err != nil {
			t.Fatal(err)
		}
	}
	only := func(what string, tickets []guard.Ticket, err error) {
		t.Helper()
		if err != nil || len(tickets) != 1 || tickets[0].ID != waiting.ID {
			t.Errorf("%s: %d tickets, %v", what, len(tickets), err)
		}
	}
	pending, err := g.Pending(t.Context())
	only("pending", pending, err)
	shown, err := g.QuestionsFor(t.Context(), alice())
	only("an approver's", shown, err)
	all, err := g.Questions(t.Context())
	if err != nil || len(all) != 101 || all[100].ID != waiting.ID || all[0].CreatedAt.Before(all[1].CreatedAt) {
		t.Errorf("all: %d, %v", len(all), err)
	}
}
