package ledger

import (
	"context"
	"fmt"
	"slices"

	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/jobs/schedules"
	"mcp-partner/schemas/problems"
)

var _ schedules.Store = (*Ledger)(nil)

// Schedules implements schedules.Store. One whose row was changed in the file is not
// there.
func (l *Ledger) Schedules(ctx context.Context) ([]schedules.Schedule, error) {
	return read(ctx, l, (*session).schedules)
}

func (s *session) schedules() []schedules.Schedule {
	return rowsOf[schedules.Schedule](s, `WHERE kind = 'schedule' ORDER BY name`)
}

// AddSchedule implements schedules.Store.
func (l *Ledger) AddSchedule(ctx context.Context, s schedules.Schedule, event guard.Event) error {
	return l.write(ctx, true, func(w *writing) {
		all := w.schedules()
		if slices.ContainsFunc(all, func(other schedules.Schedule) bool { return other.Name == s.Name }) {
			w.fail(problems.New(problems.CodeInvalidArgument, "There is already a schedule "+untrusted.Shown(s.Name)+".",
				problems.WithCommand("Give another name, or remove it first.", "mcp-partner schedules list")))
		}
		if len(all) >= schedules.Most {
			w.fail(problems.New(problems.CodeInvalidArgument, fmt.Sprintf("There are already %d schedules.", len(all)),
				problems.WithCommand("Remove those that are not needed.", "mcp-partner schedules list")))
		}
		w.record(stateSchedule, s.Name, encode(s), event)
	})
}

// ChangeSchedule implements schedules.Store.
func (l *Ledger) ChangeSchedule(ctx context.Context, s schedules.Schedule, change func(*schedules.Schedule) bool, events ...guard.Event) (bool, error) {
	return written(ctx, l, len(events) > 0, func(w *writing) (changed bool) {
		now, ok := get[schedules.Schedule](w.session, stateSchedule, s.Name)
		if changed = ok && now.Same(s) && change(&now); changed {
			w.record(stateSchedule, s.Name, encode(now), events...)
		}
		return changed
	})
}

// RemoveSchedule implements schedules.Store.
func (l *Ledger) RemoveSchedule(ctx context.Context, name string, event guard.Event) (bool, error) {
	return l.removeRow(ctx, stateSchedule, name, event)
}
