package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
)

var _ fleet.Record = (*Ledger)(nil)

// The kinds of rows about changes: what was alerted last, and what somebody knows of.
const (
	stateAlert        = "alert"
	stateAcknowledged = "acknowledged"
)

// LastWrite implements fleet.Record.
func (l *Ledger) LastWrite(ctx context.Context, tenantID, objectID string, since, until time.Time) (guard.Intent, bool, error) {
	found, err := read(ctx, l, func(s *session) (event guard.Event) {
		s.row(eventColumns(&event), `SELECT seq, body FROM events`+s.db.Index("events_tenants")+`
			WHERE kind = 'intent' AND tenant_id = $1 AND body ->> 'object_id' = $2 AND time >= $3 AND time < $4 ORDER BY seq DESC LIMIT 1`,
			tenantID, objectID, formatTime(since), formatTime(until))
		return event
	})
	return found.Intent, err == nil && found.Seq > 0, err
}

// Alert is a change that channels are told of.
type Alert struct {
	// Name is the same for the same kind of change of one identity.
	Name string
	// Event is of guard.KindChange; its Intent has the run that found the change.
	Event guard.Event
	// Since is when it was not so yet, and Seen when it was found.
	Since, Seen time.Time
	// Channels are those that want to be told.
	Channels []string
}

type alertBody struct {
	Run  string    `json:"run"`
	Seen time.Time `json:"seen"`
}

// Alert records changes and puts a message for each channel into the outbox, all or
// nothing. It passes over those that were recorded by this run, or by another one
// that found them since they came about, and returns the number of the others.
func (l *Ledger) Alert(ctx context.Context, alerts []Alert) (int, error) {
	if len(alerts) == 0 {
		return 0, nil
	}
	return written(ctx, l, false, func(w *writing) (recorded int) {
		first, channels := w.tail.seq+1, map[string]bool{}
		for _, one := range alerts {
			last, ok := get[alertBody](w.session, stateAlert, one.Name)
			if ok && (last.Run == one.Event.Intent.Run || last.Seen.After(one.Since)) {
				continue
			}
			w.record(stateAlert, one.Name, encode(alertBody{one.Event.Intent.Run, one.Seen}), one.Event)
			recorded++
			for _, channel := range one.Channels {
				channels[channel] = true
			}
		}
		for _, channel := range slices.Sorted(maps.Keys(channels)) {
			w.enqueue(OutboxChange, fmt.Sprintf("%s/%d-%d", channel, first, w.tail.seq))
		}
		return recorded
	})
}

// Acknowledge records that somebody knows of the state of a tenant. One whose Until is
// zero ends; ok is false if there was none.
func (l *Ledger) Acknowledge(ctx context.Context, a fleet.Acknowledgement, event guard.Event) (ok bool, err error) {
	if a.Until.IsZero() {
		return l.removeRow(ctx, stateAcknowledged, a.Key(), event)
	}
	err = l.write(ctx, false, func(w *writing) { w.record(stateAcknowledged, a.Key(), encode(a), event) })
	return err == nil, err
}

// Acknowledged implements fleet.Record.
func (l *Ledger) Acknowledged(ctx context.Context) (map[string]fleet.Acknowledgement, error) {
	return read(ctx, l, func(s *session) map[string]fleet.Acknowledgement {
		found := map[string]fleet.Acknowledgement{}
		for one := range s.states(`WHERE kind = 'acknowledged'`) {
			found[one.name] = decoded[fleet.Acknowledgement](s, one.body)
		}
		return found
	})
}
