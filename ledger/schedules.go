package ledger

import (
	"context"
	"fmt"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/jobs/schedules"
	"mcp-partner/schemas/problems"
)

var _ schedules.Store = (*Ledger)(nil)

// scheduleBody is schedules.Schedule as it is written.
type scheduleBody struct {
	Cron     string        `json:"cron"`
	Zone     string        `json:"zone"`
	Audit    fleet.Audit   `json:"audit"`
	Creator  access.Caller `json:"creator,omitempty"`
	By       string        `json:"by"`
	Created  string        `json:"created"`
	Stopped  string        `json:"stopped,omitempty"`
	Due      string        `json:"due,omitempty"`
	Run      string        `json:"run,omitempty"`
	Problem  string        `json:"problem,omitempty"`
	Compared string        `json:"compared,omitempty"`
}

func encodeSchedule(s schedules.Schedule) []byte {
	body := scheduleBody{
		Cron: s.Cron, Zone: s.Zone, Audit: s.Audit, Creator: s.Creator, By: s.By, Created: formatTime(s.CreatedAt), Stopped: s.Stopped,
		Run: s.Last.Run, Problem: s.Last.Problem, Compared: s.Compared,
	}
	if !s.Last.Due.IsZero() {
		body.Due = formatTime(s.Last.Due)
	}
	return encode(body)
}

func decodeSchedule(name string, text []byte) (schedules.Schedule, error) {
	var body scheduleBody
	times := unmarshal(text, &body)
	s := schedules.Schedule{
		Name: name, Cron: body.Cron, Zone: body.Zone, Audit: body.Audit, Creator: body.Creator, By: body.By, Stopped: body.Stopped,
		CreatedAt: times.parse(body.Created), Last: schedules.Slot{Run: body.Run, Problem: body.Problem}, Compared: body.Compared,
	}
	if body.Due != "" {
		s.Last.Due = times.parse(body.Due)
	}
	return s, times.failure
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
		for _, other := range all {
			if other.Name == s.Name {
				return problems.New(problems.CodeInvalidArgument, "There is already a schedule "+untrusted.Shown(s.Name)+".",
					problems.WithCommand("Give another name, or remove it first.", "mcp-partner schedules list"))
			}
		}
		if len(all) >= schedules.Most {
			return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("There are already %d schedules.", len(all)),
				problems.WithCommand("Remove those that are not needed.", "mcp-partner schedules list"))
		}
		return w.record(ctx, stateSchedule, s.Name, encodeSchedule(s), event)
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
		return w.record(ctx, stateSchedule, s.Name, encodeSchedule(now), events...)
	})
	return changed && err == nil, err
}

// RemoveSchedule implements schedules.Store.
func (l *Ledger) RemoveSchedule(ctx context.Context, name string, event guard.Event) (removed bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		_, there, err := w.db.one(ctx, w.Tx, stateSchedule, name)
		if err != nil || !there {
			return err
		}
		removed = true
		if err := w.events(ctx, ref(stateSchedule, name), true, event); err != nil {
			return err
		}
		return w.remove(ctx, stateSchedule, name)
	})
	return removed && err == nil, err
}
