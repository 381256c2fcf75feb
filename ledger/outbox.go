package ledger

import (
	"context"
	"slices"
	"strings"
	"time"

	"mcp-partner/guard"
)

const (
	// OutboxApproval is the kind of a message that an approval is pending; its name is
	// the approval's ID.
	OutboxApproval = "approval"
	// OutboxChange is that of a message about changes: its name is the channel, and
	// the first and the last of their entries, as in finops/12-14.
	OutboxChange = "change"
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

// Channel names the channel of alerts that gets the message; "" for an approval.
func (m Message) Channel() string {
	if m.Kind == OutboxApproval {
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
