package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/simulator"
)

// TestOneTokenAndOneReadATenant pins what an audit costs: cold a token and a GET
// for each tenant, warm a GET.
func TestOneTokenAndOneReadATenant(t *testing.T) {
	t.Parallel()
	const size = 300
	h := build(t, simulator.Config{Tenants: size}, nil)
	for round, wantTokens := range []int64{size, size} {
		h.audited(fleet.Audit{})
		stats := h.sim.Stats()
		if stats.TokenRequests != wantTokens || stats.ARMReads != int64(size*(round+1)) || stats.ARMWrites != 0 {
			t.Errorf("after round %d: %+v", round, stats)
		}
	}
}

// Another process resumes the run: it requests only rows without an answer.
func TestInterruptedRunIsResumed(t *testing.T) {
	t.Parallel()
	const size = 400
	h := build(t, simulator.Config{Tenants: size, Latency: 20 * time.Millisecond}, func(o *fleet.Options) { o.Limits.Concurrency = 8 })
	active := h.begin(expecting(ours))
	testkit.WaitFor(t, "the run reads links", func() bool { return h.reads() >= size/4 })
	h.Close()
	if err := active.Wait(t.Context()); problemCode(err) != problems.CodeCancelled || !strings.Contains(problems.As(err).Command, "audit resume "+active.ID()) {
		t.Error(err)
	}
	before, rows := h.found("test", active.ID())
	if before.Run.State != fleet.RunInterrupted || before.Totals["pending"] == 0 || len(rows) < size/4-8 {
		t.Fatalf("%+v", before)
	}
	asked := map[string]int{}
	for tenant, records := range h.journal() {
		asked[tenant] = len(records)
	}
	h.open(nil)
	resumed, err := h.Resume(t.Context(), "test", active.ID(), everything())
	if err != nil {
		t.Fatal(err)
	}
	if err := resumed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, _ := h.found("test", active.ID())
	if after.Run.State != fleet.RunFinished || after.Totals["answered"] != size || after.Totals["unknown"] != 0 {
		t.Errorf("%+v", after)
	}
	journal := h.journal()
	for _, row := range rows {
		if n := len(journal[row.TenantID]); n != asked[row.TenantID] {
			t.Errorf("%s had an answer and was asked again", row.Tenant)
		}
	}
	if again, err := h.Resume(t.Context(), "test", active.ID(), everything()); again != nil || err != nil {
		t.Error("a finished run began anew:", again, err)
	}
}

// blocked is a Fleet whose reads wait until they are let go.
func blocked(t *testing.T, size int) (h *fixture, release func()) {
	open := make(chan struct{})
	h = build(t, simulator.Config{Tenants: size}, func(o *fleet.Options) {
		o.Clients = gated{o.Clients, open}
	})
	return h, func() { close(open) }
}

// gated lets no request go until it is opened.
type gated struct {
	fleet.Clients
	open <-chan struct{}
}

func (g gated) Reader(ctx context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	reader, err := g.Clients.Reader(ctx, tenant, credential)
	return gatedReader{reader, g.open}, err
}

type gatedReader struct {
	fleet.Reader
	open <-chan struct{}
}

func (g gatedReader) Link(ctx context.Context) armclient.LinkRead {
	select {
	case <-g.open:
	case <-ctx.Done():
	}
	return g.Reader.Link(ctx)
}

func TestCallerHasOneRunAtATime(t *testing.T) {
	t.Parallel()
	h, release := blocked(t, 5)
	first := h.begin(expecting(ours))
	if same := h.begin(expecting(ours)); same != first {
		t.Error("the same question did not join")
	}
	named, err := h.Start(t.Context(), "test", "2026-11", expecting(ours), everything())
	if run, _ := h.Run(t.Context(), "test", first.ID()); err != nil || named != first || run.Label != "2026-11" {
		t.Errorf("the name that was wanted is %q, %v", run.Label, err)
	}
	if _, err := h.Start(t.Context(), "test", "2026-12", expecting(ours), everything()); problemCode(err) != problems.CodeRunInProgress {
		t.Error("a run has two names:", err)
	}
	_, err = h.Start(t.Context(), "test", "", fleet.Audit{}, everything())
	if problemCode(err) != problems.CodeRunInProgress || !strings.Contains(problems.As(err).Hint, first.ID()) {
		t.Error(err)
	}
	other, err := h.Start(t.Context(), "other", "", fleet.Audit{}, everything())
	if err != nil {
		t.Fatal("another caller waits:", err)
	}
	release()
	for _, active := range []*fleet.Active{first, other} {
		if err := active.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	h.audited(fleet.Audit{})
}

// A caller that sees more tenants would take the smaller run's answer for one
// about all of them.
func TestRunOfFewerTenantsIsNotJoined(t *testing.T) {
	t.Parallel()
	h, release := blocked(t, 5)
	narrow := everything()
	narrow.Visible = func(tenant schemas.Tenant) bool { return tenant.Name != "contoso" }
	first, err := h.Start(t.Context(), "test", "", fleet.Audit{}, narrow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(t.Context(), "test", "", fleet.Audit{}, everything()); problemCode(err) != problems.CodeRunInProgress {
		t.Error(err)
	}
	release()
	if err := first.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRunBelongsToItsCaller: for another one it is like one that does not
// exist.
func TestRunBelongsToItsCaller(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, nil)
	report, _ := h.audited(fleet.Audit{})
	id := report.Run.ID
	absent := fleet.UnknownRun()
	for name, err := range map[string]error{
		"report": second(h.Report(t.Context(), "other", id)), "run": second(h.Run(t.Context(), "other", id)),
		"resume": second(h.Resume(t.Context(), "other", id, everything())), "label": h.Label(t.Context(), "other", id, "x"),
		"absent": second(h.Report(t.Context(), "test", "run_000000000000000000")),
	} {
		if err == nil || err.Error() != absent.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Report(t.Context(), fleet.Operator, id); err != nil {
		t.Error("the operator sees everything:", err)
	}
	if _, err := h.Start(t.Context(), fleet.Operator, "", fleet.Audit{}, everything()); problemCode(err) != problems.CodeInternal {
		t.Error("a run without a caller began:", err)
	}
	_, _, err := h.Page(t.Context(), "run_000000000000000001", cursorOf(t, h, id), 1)
	if problemCode(err) != problems.CodeInvalidArgument {
		t.Error("the cursor of another run was taken:", err)
	}
}

func second[T any](_ T, err error) error { return err }

func cursorOf(t *testing.T, h *fixture, id string) string {
	t.Helper()
	_, next, err := h.Page(t.Context(), id, "", 1)
	if err != nil || next == "" {
		t.Fatal(next, err)
	}
	return next
}

// A run is cancelled only if every caller disconnected before an answer.
func TestRunIsCancelledWhenNoCallerHasAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answered []bool
		want     fleet.RunState
	}{
		{name: "before the answer", answered: []bool{false}, want: fleet.RunCancelled},
		{name: "one of two waits on", answered: []bool{false, true}, want: fleet.RunFinished},
		{name: "after an answer", answered: []bool{true, false}, want: fleet.RunFinished},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, release := blocked(t, 5)
			active := h.begin(fleet.Audit{})
			var leave []func(bool)
			for range c.answered {
				leave = append(leave, active.Attend())
			}
			for i, answered := range c.answered {
				leave[i](answered)
			}
			if c.want == fleet.RunFinished {
				release()
			}
			if err := active.Wait(t.Context()); (err == nil) != (c.want == fleet.RunFinished) {
				t.Error(err)
			}
			run, err := h.Run(t.Context(), "test", active.ID())
			if err != nil || run.State != c.want {
				t.Errorf("%s, %v; want %s", run.State, err, c.want)
			}
		})
	}
}

// The expired secret is presented a few times at most, and reported as one cause
// for all rows.
func TestExpiredSecretIsOneCauseForAllItsTenants(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 400}, nil)
	h.sim.ExpireSecret()
	report, rows := h.audited(fleet.Audit{})
	if len(report.Causes) != 1 || report.Causes[0].Rows != 400 || report.Causes[0].Code != problems.CodeCredentialExpired || report.Causes[0].Hint == "" {
		t.Errorf("%+v", report.Causes)
	}
	if report.Totals["unknown"] != 400 || report.Totals["not_linked"] != 0 || len(rows) != 400 {
		t.Errorf("%+v", report.Totals)
	}
	if n := h.sim.Stats().TokenRequests; n > 3 {
		t.Errorf("the expired secret was presented %d times", n)
	}
}

// A denied row is unknown, and no request is sent for it.
func TestPolicyCanDenyReading(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 3}, nil)
	access := everything()
	access.Admit = func(_ context.Context, tenant schemas.Tenant) error {
		if tenant.Name == "contoso" {
			return problems.New(problems.CodePolicyDenied, "The policy denies this.")
		}
		return nil
	}
	active, err := h.Start(t.Context(), "test", "", fleet.Audit{}, access)
	if err != nil {
		t.Fatal(err)
	}
	if err := active.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, rows := h.found("test", active.ID())
	if got := stateOf(rows, "contoso"); got != "unknown policy_denied" {
		t.Error(got)
	}
	if records := h.journal()[h.tenant("contoso").TenantID]; len(records) != 0 {
		t.Errorf("%d requests were made about a tenant that may not be read", len(records))
	}
}

// The tenant is removed while the run is interrupted.
func TestTenantRemovedDuringRunIsUnknown(t *testing.T) {
	t.Parallel()
	h, _ := blocked(t, 4)
	active := h.begin(fleet.Audit{})
	h.Close()
	if _, err := h.directory.Remove(t.Context(), "contoso", "contoso"); err != nil {
		t.Fatal(err)
	}
	h.open(nil)
	hideFabrikam := everything()
	hideFabrikam.Visible = func(t schemas.Tenant) bool { return t.Name != "fabrikam" }
	resumed, err := h.Resume(t.Context(), "test", active.ID(), hideFabrikam)
	if err != nil {
		t.Fatal(err)
	}
	if err := resumed.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, rows := h.found("test", active.ID())
	for _, name := range []string{"contoso", "fabrikam"} {
		if got := stateOf(rows, name); got != "unknown unknown_tenant" {
			t.Error(name, got)
		}
	}
	if len(rows) != 4 {
		t.Errorf("%d rows", len(rows))
	}
}

// Tenants that were not asked before the timeout are unknown, not missing.
func TestRunTimeoutLeavesRowsUnknown(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	h := build(t, simulator.Config{Tenants: 6}, func(o *fleet.Options) {
		o.Clients = gated{o.Clients, open}
		o.Limits.RunTime, o.Limits.Concurrency = 50*time.Millisecond, 2
	})
	report, rows := h.audited(fleet.Audit{})
	if report.Run.State != fleet.RunFinished || report.Totals["unknown"] != 6 || len(rows) != 6 || report.Causes[0].Code != problems.CodeTimeout {
		t.Errorf("%+v", report)
	}
}

// Staleness is marked in addition to the state.
func TestStaleLinksAreMarked(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 60}, nil)
	for _, name := range []string{"contoso", "fabrikam"} {
		if err := h.sim.SetLink(name, ours); err != nil {
			t.Fatal(err)
		}
	}
	report, rows := h.audited(fleet.Audit{ExpectedIDs: []string{ours, "7654321"}, StaleAfterDays: 30})
	stale := 0
	for _, row := range rows {
		written, err := time.Parse(time.RFC3339Nano, row.UpdatedTime)
		want := err == nil && row.State.Linked() && time.Since(written) > 30*24*time.Hour
		if row.Stale != want {
			t.Errorf("%s, %s, last written %s: stale is %v", row.Tenant, row.State, row.UpdatedTime, row.Stale)
		}
		if row.Stale {
			stale++
		}
	}
	if report.Totals["stale"] != stale || stale == 0 {
		t.Errorf("%d rows are stale, the totals say %d", stale, report.Totals["stale"])
	}
	page, _, err := h.Page(t.Context(), report.Run.ID, "", 200)
	if err != nil || page[len(page)-1].State != answers.RowLinkedExpected || page[len(page)-1].Stale {
		t.Error("what is in order does not come last:", err)
	}
}

// TestDiff compares two audits of a fleet that changed meanwhile.
func TestDiff(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 10, LinkedPercent: 100}, nil)
	for _, tenant := range h.sim.Tenants() {
		if err := h.sim.SetLink(tenant.TenantID, ours); err != nil {
			t.Fatal(err)
		}
	}
	steps := []error{h.sim.ClearLink("litware"), h.sim.SetConsent("wingtip", false)}
	before, _ := h.audited(expecting(ours))
	steps = append(steps, h.sim.ClearLink("contoso"), h.sim.SetLink("fabrikam", "7654321"), h.sim.SetLink("litware", ours), h.sim.SetConsent("wingtip", true))
	h.sim.Inject(simulator.Rule{TenantID: "northwind", Kind: simulator.FaultForbidden})
	_, err := h.directory.Remove(t.Context(), "proseware", "proseware")
	steps = append(steps, err)
	for _, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.source.Close() // forgets that wingtip refused
	h.source = signin.NewSource(signin.Options{Directory: h.directory, Store: h.secrets, HTTP: h.http})
	after, _ := h.audited(expecting(ours))
	got := map[string]answers.ChangeKind{}
	for _, change := range h.diff(before, after) {
		got[change.Row().Tenant] = change.Kind
	}
	want := map[string]answers.ChangeKind{
		"contoso": answers.KindLinkVanished, "fabrikam": answers.KindPartnerChanged, "litware": answers.KindNewlyLinked,
		"northwind": answers.KindNewlyUnknown, "wingtip": answers.KindKnownAgain, "proseware": answers.KindGone,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, change := range h.diff(after, before) {
		if change.Row().Tenant == "proseware" && change.Kind != answers.KindAppeared {
			t.Error(change.Kind)
		}
	}
}

// A process whose run was taken over stores nothing more.
func TestSecondOwnerFencesFirst(t *testing.T) {
	t.Parallel()
	h, release := blocked(t, 5)
	active := h.begin(fleet.Audit{})
	run, _, err := h.store.Run(t.Context(), active.ID())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.store.EndRun(t.Context(), active.ID(), run.Owner, fleet.RunInterrupted); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := h.store.ClaimRun(t.Context(), active.ID(), "somebody else", time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	release()
	if err := active.Wait(t.Context()); problemCode(err) != problems.CodeRunInProgress {
		t.Error(err)
	}
	if _, rows := h.found("test", active.ID()); len(rows) != 0 {
		t.Errorf("%d rows were stored by a process that had lost the run", len(rows))
	}
}

// Equal audits must have equal stored texts.
func TestStoredAuditOmitsUnsetFields(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(fleet.Audit{})
	if err != nil || string(text) != "{}" {
		t.Errorf("%s, %v", text, err)
	}
}

// The same request in a second process follows the run and cannot end it.
func TestSecondProcessFollowsRun(t *testing.T) {
	t.Parallel()
	h, release := blocked(t, 5)
	first := h.begin(fleet.Audit{})
	other := fleet.New(fleet.Options{Directory: directory{h.directory}, Clients: h, Store: h.store})
	defer other.Close()
	joined, err := other.Start(t.Context(), guard.NewRunID(), "test", "", fleet.Audit{}, everything())
	if err != nil || joined.ID() != first.ID() {
		t.Fatal(joined, err)
	}
	joined.Attend()(false)
	if joined.Interrupt() {
		t.Error("a run was interrupted from another process")
	}
	release()
	if err := joined.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if answered, total := joined.Progress(); answered != 5 || total != 5 {
		t.Error(answered, total)
	}
	if run, err := other.Run(t.Context(), "test", joined.ID()); err != nil || run.State != fleet.RunFinished {
		t.Error(run, err)
	}
}
