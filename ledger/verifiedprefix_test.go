package ledger

import (
	"fmt"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas/problems"
)

// begin is the first write of a tenant of run_1.
func (h *house) begin(row int) (guard.Progress, error) {
	h.t.Helper()
	return h.Advance(ctx(), "run_1", guard.Progress{Row: row, Stage: runs.StageWriting, Revision: 1, At: noon()},
		stepIntent(fmt.Sprint("tenant ", row), "run_1", row))
}

// done records how it ended.
func (h *house) done(now guard.Progress) {
	h.t.Helper()
	outcome := event(guard.KindOutcome, guard.Intent{Run: "run_1", Row: now.Row})
	outcome.Of = now.Intent
	now.Stage, now.Intent = runs.StageDone, 0
	now.Revision++
	_, err := h.Advance(ctx(), "run_1", now, outcome)
	h.must(err)
}

// hidden makes the entries about a row into entries about none, which is all that
// the file alone would tell of an older copy put back.
func hidden(row string) string {
	return fmt.Sprintf(`UPDATE events SET body = json_remove(body, '$.state') WHERE state = '%s'`, row)
}

// Somebody with the file puts an older copy of a row back and changes the record
// so that it says nothing else. No tenant of the run begins then, in the process
// that has read the record before and in one that reads it anew.
func TestRunStopsWhenRecordDoesNotMatch(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		first := stepName("run_1", 1)
		for name, tamper := range map[string]func(h *house){
			"a run that ended is open again": func(h *house) {
				old := h.rows()
				h.must(h.CloseRun(ctx(), "run_1", noon(), event(guard.KindRunEnded, guard.Intent{Run: "run_1"})))
				h.meanwhile(append(old, `UPDATE events SET body = json_remove(body, '$.state') WHERE kind = 'run ended'`)...)
			},
			"a tenant that was written in has not begun": func(h *house) {
				now, err := h.begin(1)
				h.must(err)
				h.done(now)
				h.meanwhile(`DELETE FROM states WHERE kind = 'step'`, hidden("step/"+first))
			},
			"a tenant stands where it stood": func(h *house) {
				now, err := h.begin(1)
				h.must(err)
				old := h.rows()
				h.done(now)
				h.meanwhile(append(old, `UPDATE events SET body = json_remove(body, '$.state') WHERE kind = 'outcome'`)...)
			},
			"entries are gone":       func(h *house) { h.meanwhile(`DELETE FROM events WHERE seq = (SELECT max(seq) - 1 FROM events)`) },
			"an entry says another":  func(h *house) { h.meanwhile(`UPDATE events SET body = replace(body, 'tenant 7', 'tenant 8')`) },
			"the chain is plain new": func(h *house) { h.meanwhile(h.rewritten(2)...) },
		} {
			for _, anew := range []bool{false, true} {
				t.Run(fmt.Sprint(name, anew), func(t *testing.T) {
					h := build(t)
					openRun(t, h.Ledger, anOpenRun("run_1", ""))
					seven, err := h.begin(7)
					h.must(err)
					h.done(seven)
					tamper(h)
					if anew {
						h.reopen()
					}
					for _, row := range []int{1, 2} {
						_, err = h.begin(row)
						problemOf(t, err, problems.CodeVaultCorrupt)
					}
				})
			}
		}
	})
}

// Other entries in between, a pruning by another process, and an older file that
// was put back are no tampering.
func TestRunContinuesAfterPruning(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(3)
		openRun(t, h.Ledger, anOpenRun("run_1", ""))
		for row := range 3 {
			now, err := h.begin(row)
			h.must(err)
			h.done(now)
			h.fill(2)
		}
		h.clock.Advance(time.Hour)
		other := h.second()
		if made, err := other.Prune(ctx(), h.clock.Now()); err != nil || made.Removed == 0 {
			t.Fatal(made, err)
		}
		h.must(other.Close())
		for row := range 2 {
			now, err := h.begin(3 + row)
			h.must(err)
			h.done(now)
			h.reopen()
		}
		progress, err := h.Progress(ctx(), "run_1")
		if err != nil || len(progress) != 5 {
			t.Error(progress, err)
		}
		if _, ok, err := h.OpenedRun(ctx(), "run_1"); !ok || err != nil {
			t.Error(ok, err)
		}
		h.whole()
	})
}

// A pruning leaves what a run has done in the record as long as more of it may be
// done: that a tenant was written in must not be forgotten with the entry.
func TestPruneKeepsEntriesOfOpenRun(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(3)
		run := anOpenRun("run_1", "")
		run.ExpiresAt = noon().Add(2 * time.Hour)
		openRun(t, h.Ledger, run)
		now, err := h.begin(1)
		h.must(err)
		h.done(now)
		h.clock.Advance(time.Hour)
		if made, err := h.Prune(ctx(), h.clock.Now()); err != nil || made.Count != 3 {
			t.Fatal(made, err)
		}
		h.meanwhile(`DELETE FROM states WHERE kind = 'step'`)
		h.reopen()
		_, err = h.begin(1)
		problemOf(t, err, problems.CodeVaultCorrupt)
		h.clock.Advance(time.Hour)
		if made, err := h.Prune(ctx(), h.clock.Now()); err != nil || made.Removed == 0 {
			t.Error("nothing keeps the entries of a run that is over:", made, err)
		}
	})
}
