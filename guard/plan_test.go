package guard_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// manyPlan is a plan over so many tenants, half of which are written to.
func manyPlan(tool string, rows int, steps ...runs.Step) guard.Plan {
	p := guard.Plan{Caller: "stdio", Tool: tool, Arguments: `{"to":"1234567"}`, To: "1234567"}
	if tool == schemas.ToolTransitionPartner {
		p.From = []partnerid.ID{"7654321"}
	}
	for i := range rows {
		row := guard.PlanRow{
			Identity: answers.Identity{TenantID: fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i), Tenant: fmt.Sprintf("tenant-%d", i),
				ObjectID: fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012d", i), Cloud: "public", Credential: "app"},
			Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, PartnerID: "1234567", LinkedName: "Some name", Labels: []string{"gold"},
		}
		if tool == schemas.ToolTransitionPartner {
			row.Before = guard.LinkSnapshot{State: answers.LinkLinked, PartnerID: "7654321", Version: 4}
		}
		if i%2 == 0 {
			row.Steps = steps
		} else {
			row.Finding = guard.FindingUnchanged
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

func hereOf(row guard.PlanRow) guard.StepContext {
	return guard.StepContext{Snapshot: row.Before, Identity: row.Identity, Tenant: schemas.Tenant{Name: row.Identity.Tenant, Labels: row.Labels}}
}

// allowing is a guard that asks nobody, with its store.
func allowing(t testing.TB, change func(*guard.Options)) (*guard.Guard, *ledgertest.Store) {
	t.Helper()
	store := ledgertest.New(t, time.Now)
	o := guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: store}
	if change != nil {
		change(&o)
	}
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g, store
}

func code(err error) problems.Code {
	if p, ok := errors.AsType[*problems.Problem](err); ok {
		return p.Code
	}
	return ""
}

func opened(t testing.TB, g *guard.Guard, p guard.Plan) guard.OpenRun {
	t.Helper()
	return openedBy(t, g, p, "")
}

func openedBy(t testing.TB, g *guard.Guard, p guard.Plan, token string) guard.OpenRun {
	t.Helper()
	return runOf(t, g.AuthorizePlan(t.Context(), access.Principal{Caller: p.Caller, Grant: access.FullGrant(), Token: token}, p, false))
}

// runOf expects that a run was opened.
func runOf(t testing.TB, a guard.Admission) guard.OpenRun {
	t.Helper()
	run, ok := a.(guard.OpenRun)
	if !ok {
		t.Fatalf("no run: %+v", a)
	}
	return run
}

// A permit of a run is for one request of its row, and nothing else.
func TestRunPermitFitsOneStep(t *testing.T) {
	t.Parallel()
	g, store := allowing(t, nil)
	run := opened(t, g, manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace))
	row := run.Plan.Rows[0]
	granted, at, err := g.Permit(t.Context(), run, guard.Progress{Row: 0}, runs.StepRemove, hereOf(row))
	if err != nil || at.Stage != runs.StageRemoving || at.Intent != granted.Record {
		t.Fatal(at, err)
	}
	events := store.Events()
	if last := events[len(events)-1]; last.Kind != guard.KindIntent || last.Seq != granted.Record || last.Intent.Run != run.ID || last.Intent.Step != runs.StepRemove || last.Intent.PartnerID != "7654321" {
		t.Errorf("the intent is not the last entry: %+v", last)
	}
	wire := guard.Wire{Method: http.MethodDelete, TenantID: row.Identity.TenantID, ObjectID: row.Identity.ObjectID, PartnerID: "7654321"}
	for _, other := range []guard.Wire{
		{Method: http.MethodPut, TenantID: wire.TenantID, ObjectID: wire.ObjectID, PartnerID: wire.PartnerID},
		{Method: wire.Method, TenantID: run.Plan.Rows[2].Identity.TenantID, ObjectID: wire.ObjectID, PartnerID: wire.PartnerID},
		{Method: wire.Method, TenantID: wire.TenantID, ObjectID: wire.ObjectID, PartnerID: "1234567"},
	} {
		if granted.Permit.Spend(other) == nil {
			t.Errorf("it was spent for %+v", other)
		}
	}
	if err := granted.Permit.Spend(wire); err != nil || granted.Permit.Spend(wire) == nil {
		t.Error("it has to be good for one request:", err)
	}
}

// Only steps of the approved plan get a permit, in their order, from the state
// that the plan saw, in the tenant and by the identity of the plan.
func TestRunGetsPermitOnlyForPlannedStep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*guard.OpenRun, *guard.Progress, *runs.Step, *guard.StepContext)
		want   problems.Code
	}{
		"a row that is only listed": {func(_ *guard.OpenRun, at *guard.Progress, _ *runs.Step, _ *guard.StepContext) { at.Row = 1 }, problems.CodePermitRefused},
		"a row that is not there":   {func(_ *guard.OpenRun, at *guard.Progress, _ *runs.Step, _ *guard.StepContext) { at.Row = 99 }, problems.CodePermitRefused},
		"another step":              {func(_ *guard.OpenRun, _ *guard.Progress, s *runs.Step, _ *guard.StepContext) { *s = runs.StepUpdate }, problems.CodePermitRefused},
		"the second step first":     {func(_ *guard.OpenRun, _ *guard.Progress, s *runs.Step, _ *guard.StepContext) { *s = runs.StepReplace }, problems.CodePermitRefused},
		"the way back first":        {func(_ *guard.OpenRun, _ *guard.Progress, s *runs.Step, _ *guard.StepContext) { *s = runs.StepRestore }, problems.CodePermitRefused},
		"a link that moved":         {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) { h.Snapshot.Version++ }, problems.CodeStateMoved},
		"a link that is gone": {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) {
			h.Snapshot = guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}
		}, problems.CodeStateMoved},
		"another identity": {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) {
			h.Identity.ObjectID = "cccccccc-0000-4000-8000-000000000000"
		}, problems.CodeApprovalMismatch},
		"no identity": {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) {
			h.Identity.ObjectID = ""
		}, problems.CodeApprovalMismatch},
		"another tenant": {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) {
			h.Identity.TenantID = "cccccccc-0000-4000-8000-000000000000"
		}, problems.CodeApprovalMismatch},
		"another credential": {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) {
			h.Identity.Credential = "other"
		}, problems.CodeApprovalMismatch},
		"another entry of the directory": {func(_ *guard.OpenRun, _ *guard.Progress, _ *runs.Step, h *guard.StepContext) {
			h.Tenant.Name = "other"
		}, problems.CodeApprovalMismatch},
		"a run that was never opened": {func(r *guard.OpenRun, _ *guard.Progress, _ *runs.Step, _ *guard.StepContext) {
			r.ID = "run_000000000000000000"
		}, problems.CodeApprovalExpired},
		"a run of another plan": {func(r *guard.OpenRun, _ *guard.Progress, _ *runs.Step, _ *guard.StepContext) { r.Digest[0]++ }, problems.CodeApprovalExpired},
		"the new ID is linked already": {func(_ *guard.OpenRun, at *guard.Progress, s *runs.Step, _ *guard.StepContext) {
			at.Stage, *s = runs.StageRemoved, runs.StepReplace
		}, problems.CodeStateMoved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, store := allowing(t, nil)
			run := opened(t, g, manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace))
			at, step, here, had := guard.Progress{}, runs.StepRemove, hereOf(run.Plan.Rows[0]), len(store.Events())
			c.change(&run, &at, &step, &here)
			granted, _, err := g.Permit(t.Context(), run, at, step, here)
			if code(err) != c.want || granted.Record != 0 || len(store.Events()) != had {
				t.Errorf("%v, want %s", err, c.want)
			}
			if granted.Permit.Spend(guard.Wire{Method: http.MethodDelete, TenantID: here.Identity.TenantID, ObjectID: here.Identity.ObjectID, PartnerID: "7654321"}) == nil {
				t.Error("a permit was made")
			}
		})
	}
}

// A freeze, the end of the approval and a policy that denies stop what has not
// begun, and never the second half or the way back of what has.
func TestBegunTenantIsCompletedAfterFreeze(t *testing.T) {
	t.Parallel()
	stop := map[string]func(*guard.Guard, *time.Time) (*guard.Guard, problems.Code){
		"frozen": func(g *guard.Guard, _ *time.Time) (*guard.Guard, problems.Code) {
			if err := g.SetFreeze(context.Background(), true, "enough"); err != nil {
				panic(err)
			}
			return g, problems.CodeFrozen
		},
		"revoked": func(g *guard.Guard, _ *time.Time) (*guard.Guard, problems.Code) {
			if n, err := g.RevokeTokens(context.Background(), guard.TokenSelection{All: true}); n != 1 || err != nil {
				panic(err)
			}
			return g, problems.CodeTokenRefused
		},
		"expired": func(g *guard.Guard, now *time.Time) (*guard.Guard, problems.Code) {
			*now = now.Add(runs.Life)
			return g, problems.CodeApprovalExpired
		},
	}
	for name, apply := range stop {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			g, _ := allowing(t, func(o *guard.Options) { o.Now = func() time.Time { return now } })
			_, token, err := g.IssueToken(t.Context(), guard.TokenRequest{For: "agent", Grant: access.Grant{Scopes: []access.Scope{access.ScopeChange}, Tenants: []string{"tenant-0"}}})
			if err != nil {
				t.Fatal(err)
			}
			run := openedBy(t, g, manyPlan(schemas.ToolTransitionPartner, 4, runs.StepRemove, runs.StepReplace), token.ID)
			_, at, err := g.Permit(t.Context(), run, guard.Progress{}, runs.StepRemove, hereOf(run.Plan.Rows[0]))
			if err != nil {
				t.Fatal(err)
			}
			g, want := apply(g, &now)
			if _, _, err := g.Permit(t.Context(), run, guard.Progress{Row: 2}, runs.StepRemove, hereOf(run.Plan.Rows[2])); code(err) != want {
				t.Errorf("another tenant begins: %v", err)
			}
			gone := hereOf(run.Plan.Rows[0])
			gone.Snapshot = guard.LinkSnapshot{State: answers.LinkDeleted, Version: 5}
			at.Stage = runs.StageRemoved
			if at, err = g.Settle(t.Context(), run, at, guard.Outcome{Result: "done", After: gone.Snapshot}); err != nil {
				t.Fatal(err)
			}
			if _, at, err = g.Permit(t.Context(), run, at, runs.StepReplace, gone); err != nil {
				t.Errorf("the second half: %v", err)
			}
			at.Stage, at.Tries = runs.StageRemoved, 1
			if at, err = g.Settle(t.Context(), run, at, guard.Outcome{Result: "bad_request", After: gone.Snapshot}); err != nil {
				t.Fatal(err)
			}
			if _, _, err = g.Permit(t.Context(), run, at, runs.StepRestore, gone); err != nil {
				t.Errorf("the way back: %v", err)
			}
		})
	}
}

// An older copy of where a tenant stands gets no second permit, and two links
// are not written to at once.
func TestRowGetsOnePermitAtATime(t *testing.T) {
	t.Parallel()
	g, _ := allowing(t, nil)
	p := manyPlan(schemas.ToolEnsurePartnerLinks, 4, runs.StepCreate)
	run, other := opened(t, g, p), opened(t, g, p)
	if _, _, err := g.Permit(t.Context(), run, guard.Progress{}, runs.StepCreate, hereOf(p.Rows[0])); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Permit(t.Context(), run, guard.Progress{}, runs.StepCreate, hereOf(p.Rows[0])); code(err) != problems.CodeRunBusy {
		t.Errorf("the same row again: %v", err)
	}
	if _, _, err := g.Permit(t.Context(), other, guard.Progress{}, runs.StepCreate, hereOf(p.Rows[0])); code(err) != problems.CodeRunBusy {
		t.Errorf("another run in the same tenant: %v", err)
	}
}

// Whatever a store holds, a run gets a permit only for the plan whose digest
// was approved.
func TestSwappedPlanGetsNoPermit(t *testing.T) {
	t.Parallel()
	store := swapped{ledgertest.New(t, time.Now)}
	g, err := guard.New(guard.Options{AllowWrites: true, Approval: access.ApprovalNone, Simulated: true, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	run := opened(t, g, manyPlan(schemas.ToolEnsurePartnerLinks, 4, runs.StepCreate))
	if _, _, err := g.LoadRun(t.Context(), run.ID, ""); code(err) != problems.CodeVaultCorrupt {
		t.Errorf("a plan of another digest is loaded: %v", err)
	}
}

type swapped struct{ *ledgertest.Store }

// Plan answers with a plan that says something else.
func (s swapped) Plan(ctx context.Context, id string) ([]byte, bool, error) {
	body, ok, err := s.Store.Plan(ctx, id)
	return []byte(strings.ReplaceAll(string(body), "1234567", "7654321")), ok, err
}

// The digest that is approved covers every part of a plan.
func TestDigestCoversEveryFieldOfPlan(t *testing.T) {
	t.Parallel()
	base := manyPlan(schemas.ToolTransitionPartner, 3, runs.StepUpdate)
	seen := map[string]string{string(base.Encode()): "the plan itself"}
	for name, change := range map[string]func(*guard.Plan){
		"caller": func(p *guard.Plan) { p.Caller = "other" }, "tool": func(p *guard.Plan) { p.Tool = "other" }, "asked": func(p *guard.Plan) { p.Arguments = "{}" },
		"to": func(p *guard.Plan) { p.To = "2345678" }, "from": func(p *guard.Plan) { p.From = append(p.From, "2345678") },
		"strategy": func(p *guard.Plan) { p.Strategy = guard.StrategyReplace }, "first": func(p *guard.Plan) { p.First = 1 }, "reason": func(p *guard.Plan) { p.Reason = "why" },
		"a row less": func(p *guard.Plan) { p.Rows = p.Rows[:2] }, "order": func(p *guard.Plan) { p.Rows[0], p.Rows[2] = p.Rows[2], p.Rows[0] },
		"tenant": func(p *guard.Plan) { p.Rows[0].Identity.TenantID = "x" }, "identity": func(p *guard.Plan) { p.Rows[0].Identity.ObjectID = "x" },
		"credential": func(p *guard.Plan) { p.Rows[0].Identity.Credential = "x" }, "version": func(p *guard.Plan) { p.Rows[0].Before.Version++ },
		"linked": func(p *guard.Plan) { p.Rows[0].Before.PartnerID = "2345678" }, "to be": func(p *guard.Plan) { p.Rows[0].PartnerID = "2345678" },
		"steps": func(p *guard.Plan) { p.Rows[0].Steps = []runs.Step{runs.StepRemove} }, "a row more written": func(p *guard.Plan) { p.Rows[1].Steps = p.Rows[0].Steps },
		"name": func(p *guard.Plan) { p.Rows[0].LinkedName = "x" }, "warning": func(p *guard.Plan) { p.Rows[0].Warning = "x" }, "rule": func(p *guard.Plan) { p.Rows[0].Rule = "x" },
	} {
		p := manyPlan(schemas.ToolTransitionPartner, 3, runs.StepUpdate)
		change(&p)
		if same, ok := seen[string(p.Encode())]; ok {
			t.Errorf("a change of %s gives the bytes of %s", name, same)
		}
		seen[string(p.Encode())] = name
	}
}

// BenchmarkPlan encodes and digests a plan, as is done when it is asked for.
func BenchmarkPlan(b *testing.B) {
	for _, rows := range []int{20, 400, 5000} {
		p := manyPlan(schemas.ToolTransitionPartner, rows, runs.StepRemove, runs.StepReplace)
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			b.SetBytes(int64(len(p.Encode())))
			for b.Loop() {
				if sha256.Sum256(p.Encode()) == [sha256.Size]byte{} {
					b.Fatal("no digest")
				}
			}
		})
	}
}

// BenchmarkStepPermit is one step of a run of 200 000 tenants; it takes about as
// long as ledger.BenchmarkAdvance, whose run is small.
func BenchmarkStepPermit(b *testing.B) {
	g, _ := allowing(b, nil)
	run := opened(b, g, manyPlan(schemas.ToolEnsurePartnerLinks, 2*100_000, runs.StepCreate))
	row := 0
	for b.Loop() {
		granted, at, err := g.Permit(b.Context(), run, guard.Progress{Row: row}, runs.StepCreate, hereOf(run.Plan.Rows[row]))
		if err != nil || granted.Record == 0 {
			b.Fatal(err)
		}
		at.Stage = runs.StageDone
		if _, err := g.Settle(b.Context(), run, at, guard.Outcome{Result: "done"}); err != nil {
			b.Fatal(err)
		}
		if row += 2; row >= len(run.Plan.Rows) {
			run, row = opened(b, g, run.Plan), 0
		}
	}
}
