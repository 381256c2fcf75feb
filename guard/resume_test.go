package guard_test

import (
	"context"
	"errors"
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

// agentGrant is what agent's tokens grant in the tests of runs.
func agentGrant() access.Grant {
	return access.Grant{Scopes: []access.Scope{access.ScopeChange}, Tenants: []string{"tenant-0", "tenant-1", "tenant-2", "tenant-3"}}
}

// agentToken issues a token for agent and shows it.
func agentToken(t *testing.T, g *guard.Guard) access.Principal {
	t.Helper()
	secret, _ := issue(t, g, guard.TokenRequest{For: "agent", Grant: agentGrant()})
	p, err := g.AuthenticateToken(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// approvedRun opens a run of agent's whose plan somebody approves.
func approvedRun(t *testing.T, g *guard.Guard, p access.Principal, approve func(guard.Ticket)) guard.OpenRun {
	t.Helper()
	plan := manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace)
	plan.Caller = p.Caller
	ticket, err := waits(g.AuthorizePlan(t.Context(), p, plan, true))
	if err != nil {
		t.Fatal(err)
	}
	approve(ticket)
	return runOf(t, g.RedeemPlan(t.Context(), guard.Request{Principal: p, Tool: plan.Tool, Arguments: plan.Arguments}, ticket.ID))
}

// taken is a store from which tokens can be taken.
type taken struct {
	*ledgertest.Store
	gone bool
}

// Token implements guard.TokenStore.
func (s *taken) Token(ctx context.Context, id string) (guard.Token, bool, error) {
	if s.gone {
		return guard.Token{}, false, nil
	}
	return s.Store.Token(ctx, id)
}

// goingOn is a run with one tenant begun, and what happens to it.
type goingOn struct {
	t        *testing.T
	g        *guard.Guard
	clock    *testkit.Clock
	store    *taken
	agent    access.Principal
	approver guard.Token
	// given and err are what the caller's Still says.
	given access.Grant
	err   error
}

func (o *goingOn) revoke(which guard.TokenSelection) {
	o.t.Helper()
	if n, err := o.g.RevokeTokens(o.t.Context(), which); n == 0 || err != nil {
		o.t.Fatal(n, err)
	}
}

// An approval covers the whole plan as long as the caller that continues the
// run keeps its grant and the approver may approve. What has begun is completed
// in any case.
func TestRunStopsWhenGrantIsRevoked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*goingOn)
		want   problems.Code
		// next is what the caller's next token gets.
		next problems.Code
	}{
		"nothing":           {change: func(*goingOn) {}},
		"the token expires": {change: func(o *goingOn) { o.clock.Advance(guard.DefaultTokenLife) }, want: problems.CodeTokenRefused},
		"the token is gone": {change: func(o *goingOn) { o.store.gone = true }, want: problems.CodeTokenRefused, next: problems.CodeTokenRefused},
		"revoked by ID": {
			change: func(o *goingOn) { o.revoke(guard.TokenSelection{ID: o.agent.Token}) }, want: problems.CodeTokenRefused,
			next: problems.CodeTokenRefused,
		},
		"revoked by name": {
			change: func(o *goingOn) { o.revoke(guard.TokenSelection{For: o.agent.Caller}) }, want: problems.CodeTokenRefused,
			next: problems.CodeTokenRefused,
		},
		"revoked after its end": {change: func(o *goingOn) {
			o.clock.Advance(guard.DefaultTokenLife)
			o.revoke(guard.TokenSelection{ID: o.agent.Token})
		}, want: problems.CodeTokenRefused, next: problems.CodeTokenRefused},
		"the approver's token is revoked after its end": {change: func(o *goingOn) {
			o.clock.Advance(guard.MaxTokenLife)
			o.revoke(guard.TokenSelection{ID: o.approver.ID})
		}, want: problems.CodeTokenRefused, next: problems.CodeTokenRefused},
		"all are revoked": {
			change: func(o *goingOn) { o.revoke(guard.TokenSelection{All: true}) }, want: problems.CodeTokenRefused,
			next: problems.CodeTokenRefused,
		},
		"the tenant is taken": {change: func(o *goingOn) { o.given.Tenants = o.given.Tenants[:2] }, want: problems.CodeUnknownTenant},
		"the scope is taken":  {change: func(o *goingOn) { o.given.Scopes = nil }, want: problems.CodeInsufficientScope},
		"the ID is taken":     {change: func(o *goingOn) { o.given.PartnerIDs = []string{"7654321"} }, want: problems.CodeInsufficientScope},
		"the caller is out":   {change: func(o *goingOn) { o.err = errors.New("out") }, want: problems.CodeInternal},
		"the approver's token is revoked": {change: func(o *goingOn) { o.revoke(guard.TokenSelection{ID: o.approver.ID}) },
			want: problems.CodeTokenRefused, next: problems.CodeTokenRefused},
		"the approver is removed": {change: func(o *goingOn) {
			if err := o.g.RemoveUser(o.t.Context(), anna.Name, anna); err != nil {
				o.t.Fatal(err)
			}
		}, want: problems.CodeTokenRefused, next: problems.CodeTokenRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &goingOn{t: t, clock: newClock(), given: agentGrant()}
			o.store = &taken{Store: ledgertest.New(t, o.clock.Now)}
			o.g = newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalApprover, Store: o.store, Now: o.clock.Now, ApproverCost: guard.Cost{Time: 1, Memory: 64, Threads: 1}})
			if err := o.g.AddUser(t.Context(), guard.User{Name: anna.Name}, anna.Passphrase, guard.Credentials{}); err != nil {
				t.Fatal(err)
			}
			request := readToken("alice")
			request.Grant = access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: agentGrant().Tenants}
			request.By, request.Life = anna, guard.MaxTokenLife
			_, o.approver = issue(t, o.g, request)
			o.agent = agentToken(t, o.g)
			o.agent.Revalidate = func() (access.Grant, error) {
				if o.err != nil {
					return access.Grant{}, problems.As(o.err)
				}
				return o.given, nil
			}
			run := approvedRun(t, o.g, o.agent, func(ticket guard.Ticket) {
				p := access.Principal{Caller: o.approver.Caller, Grant: o.approver.Grant, Token: o.approver.ID}
				if _, err := o.g.DecideAs(t.Context(), p, ticket.ID, yes(ticket)); err != nil {
					t.Fatal(err)
				}
			})
			_, at, err := o.g.Permit(t.Context(), run, guard.Progress{}, runs.StepRemove, hereOf(run.Plan.Rows[0]))
			if err != nil {
				t.Fatal(err)
			}
			test.change(o)
			begin := func(run guard.OpenRun) problems.Code {
				_, _, err := o.g.Permit(t.Context(), run, guard.Progress{Row: 2}, runs.StepRemove, hereOf(run.Plan.Rows[2]))
				return code(err)
			}
			if got := begin(run); got != test.want {
				t.Errorf("another tenant begins: %q, want %q", got, test.want)
			}
			o.finishes(run, at)
			if test.want == "" || o.store.gone {
				return
			}
			next, _, err := o.g.RunOf(t.Context(), run.ID, agentToken(t, o.g))
			if err != nil {
				t.Fatal(err)
			}
			if got := begin(next); got != test.next {
				t.Errorf("with the next token: %q, want %q", got, test.next)
			}
		})
	}
}

// A run that a client opened is over when the person takes back what they allowed it,
// also for their next client; that the token or the consent expires ends nothing.
func TestRunIsOverWhenTheConsentBehindItEnds(t *testing.T) {
	t.Parallel()
	family := func(row any) func(guard.StateTx) error {
		return func(tx guard.StateTx) error { return tx.Put(guard.FamilyState, "f1", row) }
	}
	for name, test := range map[string]struct {
		change func(guard.StateTx) error
		want   problems.Code
	}{
		"nothing": {change: family(map[string]any{"id": "f1"})},
		"ended":   {change: family(map[string]any{"id": "f1", "ended": time.Now()}), want: problems.CodeTokenRefused},
		"removed": {change: func(tx guard.StateTx) error { return tx.Remove(guard.FamilyState, "f1") }, want: problems.CodeTokenRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			store := ledgertest.New(t, clock.Now)
			g := newGuard(t, guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Bounds: access.Bounds{PartnerIDs: []string{"1234567", "7654321"}}, Store: store, Now: clock.Now})
			_, token := guard.NewAccessToken("agent", "f1", "https://a.example/mcp", agentGrant(), clock.Now(), clock.Now().Add(time.Minute))
			for _, change := range []func(guard.StateTx) error{family(map[string]any{"id": "f1"}), func(tx guard.StateTx) error { return tx.Put(guard.TokenState, token.ID, token) }} {
				if err := store.ChangeStates(t.Context(), change); err != nil {
					t.Fatal(err)
				}
			}
			run := openedBy(t, g, manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace), token.ID)
			clock.Advance(time.Hour)
			if err := store.ChangeStates(t.Context(), test.change); err != nil {
				t.Fatal(err)
			}
			run, _, err := g.RunOf(t.Context(), run.ID, access.Principal{Caller: run.Caller, Grant: access.FullGrant()})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := g.Permit(t.Context(), run, guard.Progress{}, runs.StepRemove, hereOf(run.Plan.Rows[0])); code(err) != test.want {
				t.Errorf("a tenant begins: %v, want %q", err, test.want)
			}
		})
	}
}

// finishes puts the second half of what has begun.
func (o *goingOn) finishes(run guard.OpenRun, at guard.Progress) {
	o.t.Helper()
	gone := hereOf(run.Plan.Rows[0])
	gone.Snapshot = guard.LinkSnapshot{State: answers.LinkDeleted, Version: 5}
	at.Stage = runs.StageRemoved
	at, err := o.g.Settle(o.t.Context(), run, at, guard.Outcome{Result: "done", After: gone.Snapshot})
	if err != nil {
		o.t.Fatal(err)
	}
	if _, _, err := o.g.Permit(o.t.Context(), run, at, runs.StepReplace, gone); err != nil {
		o.t.Errorf("the second half: %v", err)
	}
}

// An approver at the terminal who was removed approves no further tenants.
func TestRunStopsWhenApproverIsRemoved(t *testing.T) {
	t.Parallel()
	g, _, _ := withApprover(t)
	run := approvedRun(t, g, access.Principal{Caller: "stdio", Grant: access.FullGrant()}, func(ticket guard.Ticket) {
		if _, err := g.Approve(t.Context(), ticket.ID, anna.Name, anna.Passphrase); err != nil {
			t.Fatal(err)
		}
	})
	if _, _, err := g.Permit(t.Context(), run, guard.Progress{}, runs.StepRemove, hereOf(run.Plan.Rows[0])); err != nil {
		t.Fatal(err)
	}
	if err := g.RemoveUser(t.Context(), anna.Name, anna); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Permit(t.Context(), run, guard.Progress{Row: 2}, runs.StepRemove, hereOf(run.Plan.Rows[2])); code(err) != problems.CodeNotAllowed {
		t.Errorf("%v", err)
	}
}

// A start continues nothing that has not begun.
func TestStartBeginsNoNewTenant(t *testing.T) {
	t.Parallel()
	g, _ := allowing(t, nil)
	run := opened(t, g, manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace))
	_, at, err := g.Permit(t.Context(), run, guard.Progress{}, runs.StepRemove, hereOf(run.Plan.Rows[0]))
	if err != nil {
		t.Fatal(err)
	}
	started, _, err := g.LoadRun(t.Context(), run.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Permit(t.Context(), started, guard.Progress{Row: 2}, runs.StepRemove, hereOf(run.Plan.Rows[2])); code(err) != problems.CodePermitRefused {
		t.Errorf("a tenant that has not begun: %v", err)
	}
	at.Stage, at.Tries = runs.StagePlanned, 1 // the first write did not arrive
	if at, err = g.Settle(t.Context(), run, at, guard.Outcome{Result: "not_applied"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Permit(t.Context(), started, at, runs.StepRemove, hereOf(run.Plan.Rows[0])); err != nil {
		t.Errorf("a tenant that has begun: %v", err)
	}
}
