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

func decodeSchedule(name string, text []byte) (schedules.Schedule, error) {
	s, err := decode[schedules.Schedule](text)
	s.Name = name
	return s, err
}

// Schedules implements schedules.Store. One whose row was changed in the file is not
// there.
func (l *Ledger) Schedules(ctx context.Context) ([]schedules.Schedule, error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	found, err := rowsOf(ctx, db, db.Read, decodeSchedule, `WHERE kind = 'schedule' ORDER BY name`)
	return found, l.problem(err)
}

// AddSchedule implements schedules.Store.
func (l *Ledger) AddSchedule(ctx context.Context, s schedules.Schedule, event guard.Event) error {
	return l.write(ctx, true, func(w *writing) error {
		all, err := rowsOf(ctx, w.db, w.Tx, decodeSchedule, `WHERE kind = 'schedule'`)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(other schedules.Schedule) bool { return other.Name == s.Name }) {
			return problems.New(problems.CodeInvalidArgument, "There is already a schedule "+untrusted.Shown(s.Name)+".",
				problems.WithCommand("Give another name, or remove it first.", "mcp-partner schedules list"))
		}
		if len(all) >= schedules.Most {
			return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("There are already %d schedules.", len(all)),
				problems.WithCommand("Remove those that are not needed.", "mcp-partner schedules list"))
		}
		return w.record(ctx, stateSchedule, s.Name, encode(s), event)
	})
}

// ChangeSchedule implements schedules.Store.
func (l *Ledger) ChangeSchedule(ctx context.Context, s schedules.Schedule, change func(*schedules.Schedule) bool, events ...guard.Event) (changed bool, err error) {
	err = l.write(ctx, len(events) > 0, func(w *writing) error {
		row, ok, err := w.db.one(ctx, w.Tx, stateSchedule, s.Name)
		if err != nil || !ok {
			return err
		}
		now, err := decodeSchedule(s.Name, row.body)
		if err != nil || !now.Same(s) || !change(&now) {
			return err
		}
		changed = true
		return w.record(ctx, stateSchedule, s.Name, encode(now), events...)
	})
	return changed && err == nil, err
}

// RemoveSchedule implements schedules.Store.
func (l *Ledger) RemoveSchedule(ctx context.Context, name string, event guard.Event) (bool, error) {
	return l.removeRow(ctx, stateSchedule, name, event)
}
