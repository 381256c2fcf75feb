package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// The kinds of rows of runs. A step's name is its run's, a slash and the number
// of its row in the plan, in eight digits.
const (
	stateRun  = "run"
	statePlan = "plan"
	stateStep = "step"
)

// encodeRun writes the end of a run in its fixed width: SQL compares it.
func encodeRun(r runs.Run) []byte {
	return encode(struct {
		runs.Run
		Ended guard.Stamp `json:"ended,omitzero"`
	}{r, guard.Stamp{Time: r.EndedAt}})
}

func stepName(run string, row int) string { return fmt.Sprintf("%s/%08d", run, row) }

// Plan implements guard.RunStore.
func (l *Ledger) Plan(ctx context.Context, id string) (body []byte, ok bool, err error) {
	found, err := read(ctx, l, func(s *session) (found state) {
		found, ok = s.one(statePlan, id)
		return found
	})
	return found.body, ok, err
}

// OpenRun implements guard.RunStore.
func (l *Ledger) OpenRun(ctx context.Context, run runs.Run, body []byte, events ...guard.Event) (opened bool, err error) {
	return written(ctx, l, true, func(w *writing) bool {
		events, ok := w.spendFor(run, body, events)
		if ok {
			w.record(stateRun, run.ID, encodeRun(run), events...)
		}
		return ok
	})
}

// spendFor spends the ticket of a run, which is what the first event is about,
// and returns the others. A run without a ticket brings its plan.
func (w *writing) spendFor(run runs.Run, body []byte, events []guard.Event) (rest []guard.Event, ok bool) {
	if run.Approval == "" {
		// No entry is about a plan: the ticket and the run hold its digest.
		w.put(statePlan, run.Plan, body)
		return events, true
	}
	t, ok := intact[guard.Ticket](w, stateTicket, run.Approval)
	if !ok || t.Spent || len(events) < 2 {
		return nil, false
	}
	t.Spent = true
	w.record(stateTicket, t.ID, encodeTicket(t), events[0])
	return events[1:], true
}

// OpenedRun implements guard.RunStore. A run whose row was changed in the file is not
// there. One whose row is another than the record says of it last is an error, and
// so is every run where an entry since then is not what was written.
func (l *Ledger) OpenedRun(ctx context.Context, id string) (r runs.Run, ok bool, err error) {
	err = l.following(ctx, func(k view) {
		var s state
		if s, ok = k.run(id); ok {
			r = decoded[runs.Run](k.session, s.body)
		}
	})
	if err != nil {
		return runs.Run{}, false, err
	}
	return r, ok, nil
}

// OpenedRuns implements guard.RunStore.
func (l *Ledger) OpenedRuns(ctx context.Context, open bool, limit int) ([]runs.Run, error) {
	return read(ctx, l, func(s *session) []runs.Run {
		opened := s.runs()
		if open {
			return slices.DeleteFunc(opened, func(r runs.Run) bool { return !r.EndedAt.IsZero() })
		}
		slices.Reverse(opened)
		return opened[:min(limit, len(opened))]
	})
}

// runs returns all runs, oldest first.
func (s *session) runs() []runs.Run {
	found := rowsOf[runs.Run](s, `WHERE kind = 'run'`)
	slices.SortFunc(found, func(a, b runs.Run) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return found
}

// CloseRun implements guard.RunStore.
func (l *Ledger) CloseRun(ctx context.Context, id string, at time.Time, event guard.Event) error {
	return l.write(ctx, false, func(w *writing) { w.closeRun(id, at, event) })
}

func (w *writing) closeRun(id string, at time.Time, event guard.Event) {
	if r, ok := get[runs.Run](w.session, stateRun, id); ok && r.EndedAt.IsZero() {
		r.EndedAt = at
		w.record(stateRun, id, encodeRun(r), event)
	}
}

// Progress implements guard.RunStore. A row that was changed in the file is an
// error, and not one that has not begun.
func (l *Ledger) Progress(ctx context.Context, run string) (map[int]guard.Progress, error) {
	found := map[int]guard.Progress{}
	err := l.following(ctx, func(k view) {
		there := slices.Collect(k.states(`WHERE kind = 'step' AND name > $1 AND name < $2`, run+"/", run+"0"))
		for _, s := range there {
			p := decoded[guard.Progress](k.session, s.body)
			found[p.Row] = p
		}
		k.allSteps(run, there)
	})
	return found, err
}

// Advance implements guard.RunStore. Before an intent, after which a write follows,
// the run and the step are compared with the chain of the record.
func (l *Ledger) Advance(ctx context.Context, run string, next guard.Progress, event guard.Event) (now guard.Progress, err error) {
	intends := event.Kind == guard.KindIntent
	err = l.write(ctx, intends, func(w *writing) {
		if intends {
			w.vouched(run, next.Row)
		}
		if now = w.step(run, next.Row); now.Revision != next.Revision-1 {
			w.fail(guard.ErrAdvanced)
			return
		}
		if intends && !event.Completes {
			w.unwritten(event.Intent.Identity)
		}
		name := stepName(run, next.Row)
		w.events(ref(stateStep, name), false, event)
		if now = next; intends {
			now.Intent = w.tail.seq
		}
		w.put(stateStep, name, encode(now))
	})
	return now, err
}

// step returns where a row of a run stands. One that the record speaks of and
// that is not there, or not genuine, was tampered with.
func (w *writing) step(run string, row int) guard.Progress {
	name := stepName(run, row)
	s, ok := w.one(stateStep, name)
	if ok {
		return decoded[guard.Progress](w.session, s.body)
	}
	if s.name != "" || value[bool](w.session, `SELECT EXISTS (SELECT 1 FROM events WHERE state = $1)`, ref(stateStep, name)) {
		w.fail(w.l.corrupt("the progress of run " + run + " in a tenant was changed by another program"))
	}
	return guard.Progress{Row: row}
}

// unwritten refuses a write to a link with an intent that has no outcome yet.
func (w *writing) unwritten(id answers.Identity) {
	if value[bool](w.session, `SELECT EXISTS (SELECT 1 FROM events`+w.db.Index("events_tenants")+withoutOutcome+`
		AND tenant_id = $1 AND body ->> 'object_id' = $2)`, id.TenantID, id.ObjectID) {
		w.fail(guard.ErrBusy)
	}
}

// voidRuns ends the runs of a file that was put back: what they have done since
// is not in it.
func (w *writing) voidRuns() {
	for _, r := range w.runs() {
		w.closeRun(r.ID, w.l.o.Now(), guard.Event{Time: w.l.o.Now(), Kind: guard.KindRunEnded, Detail: "an older ledger was restored",
			Intent: guard.Intent{Caller: r.Caller, Tool: r.Tool, Run: r.ID}, Result: string(problems.CodeApprovalExpired)})
	}
}

// deleteRuns removes runs that ended long ago with where their tenants stood,
// and plans that nothing refers to any more.
func (w *writing) deleteRuns(cut int64, before time.Time) {
	w.exec(`DELETE FROM states WHERE kind = 'run' AND seq <= $1 AND body ->> 'ended' < $2 AND NOT EXISTS (
		SELECT 1 FROM states s WHERE s.kind = 'step' AND s.seq > $3 AND s.name > states.name || '/' AND s.name < states.name || '0')`,
		cut, formatTime(before), cut)
	w.exec(`DELETE FROM states WHERE kind = 'step' AND NOT EXISTS (
		SELECT 1 FROM states r WHERE r.kind = 'run' AND r.name = substr(states.name, 1, length(states.name) - 9))`)
	w.exec(`DELETE FROM states WHERE kind = 'plan' AND NOT EXISTS (SELECT 1 FROM states t WHERE t.kind = 'ticket' AND t.name = states.name)
		AND NOT EXISTS (SELECT 1 FROM states r WHERE r.kind = 'run' AND r.body ->> 'plan' = states.name)`)
}
