package ledger

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

func anOpenRun(id, approval string) runs.Run {
	r := runs.Run{ID: id, Plan: id, Caller: "stdio", Tool: schemas.ToolEnsurePartnerLinks, Approval: approval, Approver: "alice", Token: "mpt", Ruling: access.RulingApprover,
		OpenedAt: noon(), ExpiresAt: noon().Add(time.Hour), Digest: sha256.Sum256([]byte(`{"rows":[]}`))}
	if approval != "" {
		r.Plan, r.Digest = approval, onePlan().Digest
	}
	return r
}

// onePlan is a plan of one row.
func onePlan() *guard.PlanHead {
	body := []byte(`{"rows":[1]}`)
	return &guard.PlanHead{Rows: 1, Body: body, Digest: sha256.Sum256(body)}
}

func stepIntent(tenant, run string, row int) guard.Event {
	i := intent("stdio", tenant, "1234567")
	i.Tool, i.Run, i.Row, i.Step = schemas.ToolEnsurePartnerLinks, run, row, runs.StepCreate
	return event(guard.KindIntent, i)
}

func openRun(t *testing.T, s guard.Store, r runs.Run) bool { return openRunIn(t, s, r) }

func openRunIn(t testing.TB, s guard.Store, r runs.Run) bool {
	t.Helper()
	opened, err := s.OpenRun(ctx(), r, []byte(`{"rows":[]}`), event(guard.KindConfirmed, guard.Intent{}), event(guard.KindRunOpened, guard.Intent{Run: r.ID}))
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func advance(t *testing.T, s guard.Store, run string, p guard.Progress, event guard.Event) guard.Progress {
	t.Helper()
	now, err := s.Advance(ctx(), run, p, event)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func TestTicketOpensOneRun(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		i := guard.Intent{Caller: "stdio", Tool: schemas.ToolEnsurePartnerLinks}
		asked := ticket("ap_1", i)
		asked.Plan = onePlan()
		if _, err := s.PutTicket(ctx(), asked, 10, event(guard.KindAsked, i)); err != nil {
			t.Fatal(err)
		}
		if stored, _, err := s.Ticket(ctx(), "ap_1"); err != nil || stored.Plan == nil || stored.Plan.Body != nil {
			t.Error("the ticket carries its plan:", stored.Plan, err)
		}
		if body, ok, err := s.Plan(ctx(), "ap_1"); err != nil || !ok || string(body) != `{"rows":[1]}` {
			t.Errorf("%q %v %v", body, ok, err)
		}
		if !openRun(t, s, anOpenRun("run_1", "ap_1")) || openRun(t, s, anOpenRun("run_2", "ap_1")) || openRun(t, s, anOpenRun("run_3", "ap_9")) {
			t.Error("a ticket has to open one run")
		}
		if spent, _, err := s.SpendTicket(ctx(), "ap_1"); spent || err != nil {
			t.Error("the ticket was not spent by its run", err)
		}
		if !openRun(t, s, anOpenRun("run_4", "")) {
			t.Error("a run without a ticket is not opened")
		}
		opened, err := s.OpenedRuns(ctx(), true, 0)
		if err != nil || len(opened) != 2 {
			t.Fatal(opened, err)
		}
		for range 2 {
			if err := s.CloseRun(ctx(), "run_1", noon().Add(time.Minute), event(guard.KindRunEnded, i)); err != nil {
				t.Fatal(err)
			}
		}
		got, ok, err := s.OpenedRun(ctx(), "run_1")
		want := anOpenRun("run_1", "ap_1")
		want.EndedAt = noon().Add(time.Minute)
		if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
			t.Error(diff, ok, err)
		}
		if opened, err = s.OpenedRuns(ctx(), true, 0); err != nil || len(opened) != 1 || opened[0].ID != "run_4" {
			t.Error(opened, err)
		}
	})
}

func TestRowAdvancesOncePerRevision(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		openRun(t, s, anOpenRun("run_1", ""))
		begun := guard.Progress{Row: 3, Stage: runs.StageWriting, Revision: 1, Step: runs.StepCreate, At: noon(), Snapshot: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}}
		now := advance(t, s, "run_1", begun, stepIntent("contoso", "run_1", 3))
		begun.Intent = now.Intent
		if now.Intent == 0 || cmp.Diff(begun, now) != "" {
			t.Fatal(cmp.Diff(begun, now))
		}
		if _, err := s.Advance(ctx(), "run_1", begun, stepIntent("contoso", "run_1", 3)); !errors.Is(err, guard.ErrAdvanced) {
			t.Error("the same revision twice:", err)
		}
		other := guard.Progress{Row: 4, Stage: runs.StageWriting, Revision: 1, At: noon()}
		if _, err := s.Advance(ctx(), "run_1", other, stepIntent("contoso", "run_1", 4)); !errors.Is(err, guard.ErrBusy) {
			t.Error("two writes to one link at once:", err)
		}
		ended := begun
		ended.Stage, ended.Revision, ended.Intent, ended.Result, ended.Tries, ended.Unseen, ended.ARMRequestID, ended.CorrelationID = runs.StageDone, 2, 0, "done", 2, true, "r", "c"
		outcome := event(guard.KindOutcome, guard.Intent{Run: "run_1", Row: 3})
		outcome.Of = begun.Intent
		advance(t, s, "run_1", ended, outcome)
		counted := stepIntent("fabrikam", "run_1", 5)
		counted.Rule, counted.AtMost = "r", &access.Rate{Count: 1, Per: time.Hour}
		five := guard.Progress{Row: 5, Stage: runs.StageWriting, Revision: 1, At: noon()}
		advance(t, s, "run_1", five, counted)
		counted.Intent = stepIntent("adatum", "run_1", 6).Intent
		five.Row = 6
		_, err := s.Advance(ctx(), "run_1", five, counted)
		problemOf(t, err, problems.CodeRateExceeded)
		progress, err := s.Progress(ctx(), "run_1")
		if err != nil || len(progress) != 2 || cmp.Diff(ended, progress[3]) != "" {
			t.Error(cmp.Diff(ended, progress[3]), err)
		}
	})
}

func TestConcurrentAdvanceWinsOnce(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		openRun(t, s, anOpenRun("run_1", ""))
		var won atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				_, err := s.Advance(ctx(), "run_1", guard.Progress{Row: 1, Stage: runs.StageWriting, Revision: 1, At: noon()}, stepIntent("contoso", "run_1", 1))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, guard.ErrAdvanced):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d won", won.Load())
		}
	})
}

// Who has the file alone can neither make a run, nor change one, nor take back
// where a tenant stands.
func TestRowsOfRunsAreAuthenticated(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		prepare := func(t *testing.T) *house {
			h := build(t)
			openRun(t, h.Ledger, anOpenRun("run_1", ""))
			advance(t, h.Ledger, "run_1", guard.Progress{Row: 1, Stage: runs.StageWriting, Revision: 1, At: noon()}, stepIntent("contoso", "run_1", 1))
			return h
		}
		for name, c := range map[string]struct {
			statement     string
			run, progress bool // are still there
		}{
			"another plan": {
				statement: `UPDATE states SET body = replace(body, '"plan":"run_1"', '"plan":"run_2"') WHERE kind = 'run'`, progress: true,
			},
			"a run under a new name": {statement: `UPDATE states SET name = 'run_9' WHERE kind = 'run'`, progress: true},
			"a step taken back":      {statement: `UPDATE states SET body = replace(body, '"writing"', '""') WHERE kind = 'step'`, run: true},
			"a step removed":         {statement: `DELETE FROM states WHERE kind = 'step'`, run: true},
		} {
			t.Run(name, func(t *testing.T) {
				h := prepare(t)
				h.sql(c.statement)
				for _, id := range []string{"run_1", "run_9"} {
					if _, ok, err := h.OpenedRun(ctx(), id); err != nil || ok != (c.run && id == "run_1") {
						t.Error(id, ok, err)
					}
				}
				progress, err := h.Progress(ctx(), "run_1")
				_, again := h.Advance(ctx(), "run_1", guard.Progress{Row: 1, Stage: runs.StageWriting, Revision: 1, At: noon()}, stepIntent("contoso", "run_1", 1))
				problemOf(t, again, problems.CodeVaultCorrupt)
				if !c.progress {
					problemOf(t, err, problems.CodeVaultCorrupt)
				} else if progress[1].Stage != runs.StageWriting || err != nil {
					t.Error(progress, err)
				}
			})
		}
	})
}

// An older file that is put back carries runs whose tenants have gone on since:
// none of them may begin another tenant.
func TestRestoredOlderFileEndsRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		openRun(t, h.Ledger, anOpenRun("run_1", ""))
		last := h.events()
		h.must(h.keys.SetCounter(ctx(), last[len(last)-1].Seq+5))
		h.reopen()
		h.fill(2)
		got, ok, err := h.OpenedRun(ctx(), "run_1")
		if err != nil || !ok || got.EndedAt.IsZero() {
			t.Error(got, ok, err)
		}
		h.hasGap(Gap{From: 3, To: 7, NoticedAt: 8})
	})
}

func TestPruneRemovesRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		for _, id := range []string{"run_1", "run_2"} {
			openRun(t, h.Ledger, anOpenRun(id, ""))
			now := advance(t, h.Ledger, id, guard.Progress{Row: 1, Stage: runs.StageWriting, Revision: 1, At: noon()}, stepIntent("tenant of "+id, id, 1))
			outcome := event(guard.KindOutcome, guard.Intent{Run: id, Row: 1})
			outcome.Of = now.Intent
			now.Intent, now.Stage = 0, runs.StageDone
			now.Revision++
			advance(t, h.Ledger, id, now, outcome)
		}
		h.must(h.CloseRun(ctx(), "run_1", noon(), event(guard.KindRunEnded, guard.Intent{Run: "run_1"})))
		h.clock.Advance(48 * time.Hour)
		if _, err := h.Prune(ctx(), h.clock.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		for id, kept := range map[string]bool{"run_1": false, "run_2": true} {
			_, ok, err := h.OpenedRun(ctx(), id)
			_, planned, failure := h.Plan(ctx(), id)
			progress, unread := h.Progress(ctx(), id)
			if err != nil || failure != nil || unread != nil || ok != kept || planned != kept || (len(progress) == 1) != kept {
				t.Error(id, ok, planned, progress, err, failure, unread)
			}
		}
		h.whole()
	})
}

// The rows of plans are named by no entry of the record.
func TestVerifyFindsAPlanThatWasRemovedOrReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for _, test := range []struct{ name, statement, row, what string }{
			{
				name: "of a run without a ticket", statement: `DELETE FROM states WHERE kind = 'plan' AND name = 'run_1'`, row: "plan/run_1",
				what: "the plan of run/run_1 was removed",
			},
			{
				name: "of a run with a ticket", statement: `DELETE FROM states WHERE kind = 'plan' AND name = 'ap_1'`, row: "plan/ap_1",
				what: "the plan of ticket/ap_1 was removed",
			},
			{
				name: "of a ticket that waits", statement: `DELETE FROM states WHERE kind = 'plan' AND name = 'ap_2'`, row: "plan/ap_2",
				what: "the plan of ticket/ap_2 was removed",
			},
			{
				name: "changed", statement: `UPDATE states SET body = '{"rows":[2]}' WHERE kind = 'plan' AND name = 'ap_1'`,
				row: "plan/ap_1", what: "was changed or inserted",
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				h := build(t)
				for _, id := range []string{"ap_1", "ap_2"} {
					asked := ticket(id, guard.Intent{Caller: "stdio", Tool: schemas.ToolEnsurePartnerLinks, PartnerID: partnerid.ID(id)})
					asked.Plan = onePlan()
					_, err := h.PutTicket(ctx(), asked, 10, event(guard.KindAsked, asked.Intent))
					h.must(err)
				}
				openRun(t, h.Ledger, anOpenRun("run_1", ""))
				openRun(t, h.Ledger, anOpenRun("run_2", "ap_1"))
				h.whole()
				h.sql(test.statement)
				report := h.verify(nil)
				found := false
				for _, finding := range report.Findings {
					found = found || finding.Row == test.row && strings.Contains(finding.What, test.what)
				}
				if !found {
					t.Errorf("%+v", report.Findings)
				}
			})
		}
	})
}
