package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/jobs/schedules"
	"mcp-partner/schemas/problems"
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

const (
	// OutboxApproval is the kind of a message that an approval is pending; its name is
	// the approval's ID.
	OutboxApproval = "approval"
	// OutboxChange is that of a message about changes: its name is the channel, and
	// the first and the last of their entries, as in finops/12-14.
	OutboxChange = "change"
	// OutboxPerson is that of a message about a user: somebody was invited, reset,
	// enrolled or removed. Its name is the number of the entry.
	OutboxPerson = "person"
)

// Message is a row of the outbox: what waits until its receiver takes it. It holds
// no text, which is made of what it names when it is sent.
type Message struct {
	Kind, Name string
	// Tries counts the attempts, including the one that Claim returned it for.
	Tries int
	// Age is how long it has waited, and Again when it is due again without a call of
	// Delivered.
	Age   time.Duration
	Again time.Time
}

// Channel names the channel of alerts that gets the message; "" for that of approvals.
func (m Message) Channel() string {
	if m.Kind != OutboxChange {
		return ""
	}
	name, _, _ := strings.Cut(m.Name, "/")
	return name
}

// enqueue puts a message into the outbox, with the change that it is about.
func (w *writing) enqueue(kind, name string) {
	now := formatTime(w.now())
	w.exec(`INSERT INTO outbox (kind, name, created, due, tries) VALUES ($1, $2, $3, $4, 0)`, kind, name, now, now)
}

// Claim returns the message that is due for longest, for one attempt: no process
// gets it before pause has passed for it. ok is false if none is due. A process that
// dies meanwhile loses nothing, and a receiver may get a message twice. Times are
// those of the store.
func (l *Ledger) Claim(ctx context.Context, pause func(tries int) time.Duration) (m Message, ok bool, err error) {
	ok, err = read(ctx, l, func(s *session) bool {
		var created time.Time
		now := s.now()
		due := s.row([]any{&m.Kind, &m.Name, &m.Tries, moment{&created}}, `SELECT kind, name, tries, created FROM outbox WHERE due <= $1 ORDER BY due, kind, name LIMIT 1`, formatTime(now))
		m.Tries++
		m.Age, m.Again = now.Sub(created), now.Add(pause(m.Tries))
		return due
	})
	if err != nil || !ok {
		return Message{}, false, err
	}
	err = l.write(ctx, false, func(w *writing) {
		// Another process may have claimed or delivered it since.
		ok = w.exec(`UPDATE outbox SET tries = $1, due = $2 WHERE kind = $3 AND name = $4 AND tries = $5`, m.Tries, formatTime(m.Again), m.Kind, m.Name, m.Tries-1) > 0
		w.changed = true
	})
	return m, ok && err == nil, err
}

// Delivered takes a message out of the outbox. For one that is given up, events say
// so in the record.
func (l *Ledger) Delivered(ctx context.Context, m Message, events ...guard.Event) error {
	return l.write(ctx, false, func(w *writing) {
		w.changed = true
		if w.exec(`DELETE FROM outbox WHERE kind = $1 AND name = $2`, m.Kind, m.Name) > 0 {
			w.events("", false, events...)
		}
	})
}

// Undelivered returns the messages whose delivery failed so far, the oldest first.
func (l *Ledger) Undelivered(ctx context.Context) ([]Message, error) {
	return read(ctx, l, func(s *session) []Message {
		return slices.Collect(rows(s, func(m *Message) []any { return []any{&m.Kind, &m.Name, &m.Tries} },
			`SELECT kind, name, tries FROM outbox WHERE tries > 0 ORDER BY created, kind, name`))
	})
}

// GivenUp counts the messages that were given up since a time.
func (l *Ledger) GivenUp(ctx context.Context, since time.Time) (int, error) {
	return read(ctx, l, func(s *session) int {
		return value[int](s, `SELECT count(*) FROM events WHERE kind = $1 AND time >= $2`, guard.KindUndelivered, formatTime(since))
	})
}

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
