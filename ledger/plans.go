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
	body, err = read(ctx, l, func(db *opened) ([]byte, error) {
		var s state
		s, ok, err = db.one(ctx, db.Read, statePlan, id)
		return s.body, err
	})
	return body, ok, err
}

// OpenRun implements guard.RunStore.
func (l *Ledger) OpenRun(ctx context.Context, run runs.Run, body []byte, events ...guard.Event) (opened bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		var ok bool
		if events, ok, err = w.spendFor(ctx, run, body, events); err != nil || !ok {
			return err
		}
		opened = true
		return w.record(ctx, stateRun, run.ID, encodeRun(run), events...)
	})
	return opened && err == nil, err
}

// spendFor spends the ticket of a run, which is what the first event is about,
// and returns the others. A run without a ticket brings its plan.
func (w *writing) spendFor(ctx context.Context, run runs.Run, body []byte, events []guard.Event) (rest []guard.Event, ok bool, err error) {
	if run.Approval == "" {
		// No entry is about a plan: the ticket and the run hold its digest.
		return events, true, w.put(ctx, statePlan, run.Plan, body)
	}
	t, ok, err := intact[guard.Ticket](ctx, w, stateTicket, run.Approval)
	if err != nil || !ok || t.Spent || len(events) < 2 {
		return nil, false, err
	}
	t.Spent = true
	return events[1:], true, w.record(ctx, stateTicket, t.ID, encodeTicket(t), events[0])
}

// OpenedRun implements guard.RunStore. A run whose row was changed in the file is not
// there. One whose row is another than the record says of it last is an error, and
// so is every run where an entry since then is not what was written.
func (l *Ledger) OpenedRun(ctx context.Context, id string) (r runs.Run, ok bool, err error) {
	err = l.following(ctx, func(k view) error {
		s, there, err := k.run(ctx, id)
		if err != nil || !there {
			return err
		}
		ok = true
		r, err = decode[runs.Run](s.body)
		return err
	})
	if err != nil {
		return runs.Run{}, false, err
	}
	return r, ok, nil
}

// OpenedRuns implements guard.RunStore.
func (l *Ledger) OpenedRuns(ctx context.Context, open bool, limit int) ([]runs.Run, error) {
	return read(ctx, l, func(db *opened) ([]runs.Run, error) {
		opened, err := db.runs(ctx, db.Read)
		if open {
			return slices.DeleteFunc(opened, func(r runs.Run) bool { return !r.EndedAt.IsZero() }), err
		}
		slices.Reverse(opened)
		return opened[:min(limit, len(opened))], err
	})
}

// runs returns all runs, oldest first.
func (d *opened) runs(ctx context.Context, q querier) ([]runs.Run, error) {
	found, err := rowsOf[runs.Run](ctx, d, q, `WHERE kind = 'run'`)
	slices.SortFunc(found, func(a, b runs.Run) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return found, err
}

// CloseRun implements guard.RunStore.
func (l *Ledger) CloseRun(ctx context.Context, id string, at time.Time, event guard.Event) error {
	return l.write(ctx, false, func(w *writing) error { return w.closeRun(ctx, id, at, event) })
}

func (w *writing) closeRun(ctx context.Context, id string, at time.Time, event guard.Event) error {
	r, ok, err := get[runs.Run](ctx, w.db, w.Tx, stateRun, id)
	if err != nil || !ok || !r.EndedAt.IsZero() {
		return err
	}
	r.EndedAt = at
	return w.record(ctx, stateRun, id, encodeRun(r), event)
}

// Progress implements guard.RunStore. A row that was changed in the file is an
// error, and not one that has not begun.
func (l *Ledger) Progress(ctx context.Context, run string) (map[int]guard.Progress, error) {
	found := map[int]guard.Progress{}
	err := l.following(ctx, func(k view) error {
		var there []state
		err := k.db.each(ctx, k.q, func(s state) error {
			there = append(there, s)
			p, err := decode[guard.Progress](s.body)
			found[p.Row] = p
			return err
		}, `WHERE kind = 'step' AND name > $1 AND name < $2`, run+"/", run+"0")
		if err != nil {
			return err
		}
		return k.allSteps(ctx, run, there)
	})
	return found, err
}

// Advance implements guard.RunStore. Before an intent, after which a write follows,
// the run and the step are compared with the chain of the record.
func (l *Ledger) Advance(ctx context.Context, run string, next guard.Progress, event guard.Event) (now guard.Progress, err error) {
	intends := event.Kind == guard.KindIntent
	err = l.write(ctx, intends, func(w *writing) error {
		if intends {
			if err = w.vouched(ctx, run, next.Row); err != nil {
				return err
			}
		}
		if now, err = w.step(ctx, run, next.Row); err != nil {
			return err
		}
		if now.Revision != next.Revision-1 {
			return guard.ErrAdvanced
		}
		if intends && !event.Completes {
			if err := w.unwritten(ctx, event.Intent.Identity); err != nil {
				return err
			}
		}
		name := stepName(run, next.Row)
		if err := w.events(ctx, ref(stateStep, name), false, event); err != nil {
			return err
		}
		if now = next; intends {
			now.Intent = w.tail.seq
		}
		return w.put(ctx, stateStep, name, encode(now))
	})
	return now, err
}

// step returns where a row of a run stands. One that the record speaks of and
// that is not there, or not genuine, was tampered with.
func (w *writing) step(ctx context.Context, run string, row int) (guard.Progress, error) {
	name := stepName(run, row)
	s, ok, err := w.db.one(ctx, w.Tx, stateStep, name)
	if err != nil {
		return guard.Progress{}, err
	}
	if ok {
		return decode[guard.Progress](s.body)
	}
	var told bool
	err = w.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE state = $1)`, ref(stateStep, name)).Scan(&told)
	if err == nil && (told || s.name != "") {
		err = w.l.corrupt("the progress of run " + run + " in a tenant was changed by another program")
	}
	return guard.Progress{Row: row}, err
}

// unwritten refuses a write to a link with an intent that has no outcome yet.
func (w *writing) unwritten(ctx context.Context, id answers.Identity) error {
	var busy bool
	err := w.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events`+w.db.Index("events_tenants")+withoutOutcome+`
		AND tenant_id = $1 AND body ->> 'object_id' = $2)`, id.TenantID, id.ObjectID).Scan(&busy)
	if err == nil && busy {
		return guard.ErrBusy
	}
	return err
}

// voidRuns ends the runs of a file that was put back: what they have done since
// is not in it.
func (w *writing) voidRuns(ctx context.Context) error {
	opened, err := w.db.runs(ctx, w.Tx)
	if err != nil {
		return err
	}
	for _, r := range opened {
		if !r.EndedAt.IsZero() {
			continue
		}
		event := guard.Event{Time: w.l.o.Now(), Kind: guard.KindRunEnded, Detail: "an older ledger was restored",
			Intent: guard.Intent{Caller: r.Caller, Tool: r.Tool, Run: r.ID}, Result: string(problems.CodeApprovalExpired)}
		if err := w.closeRun(ctx, r.ID, w.l.o.Now(), event); err != nil {
			return err
		}
	}
	return nil
}

// deleteRuns removes runs that ended long ago with where their tenants stood,
// and plans that nothing refers to any more.
func (w *writing) deleteRuns(ctx context.Context, cut int64, before time.Time) error {
	for _, statement := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM states WHERE kind = 'run' AND seq <= $1 AND body ->> 'ended' < $2 AND NOT EXISTS (
			SELECT 1 FROM states s WHERE s.kind = 'step' AND s.seq > $3 AND s.name > states.name || '/' AND s.name < states.name || '0')`,
			[]any{cut, formatTime(before), cut}},
		{`DELETE FROM states WHERE kind = 'step' AND NOT EXISTS (
			SELECT 1 FROM states r WHERE r.kind = 'run' AND r.name = substr(states.name, 1, length(states.name) - 9))`, nil},
		{`DELETE FROM states WHERE kind = 'plan' AND NOT EXISTS (SELECT 1 FROM states t WHERE t.kind = 'ticket' AND t.name = states.name)
			AND NOT EXISTS (SELECT 1 FROM states r WHERE r.kind = 'run' AND r.body ->> 'plan' = states.name)`, nil},
	} {
		if _, err := w.ExecContext(ctx, statement.text, statement.args...); err != nil {
			return err
		}
	}
	return nil
}
