package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// OutboxApproval is the kind of a message that an approval is pending; its name is
// the approval's ID.
const OutboxApproval = "approval"

// Message is a row of the outbox: what waits until its receiver takes it. It holds
// no text, which is made of what it names when it is sent.
type Message struct {
	Kind, Name string
	// Tries counts the attempts, including the one that Claim returned it for.
	Tries int
	// Again is when it is due again without a call of Delivered.
	Again time.Time
}

// enqueue puts a message into the outbox, with the change that it is about.
func (w *writing) enqueue(ctx context.Context, kind, name string) error {
	now := formatTime(w.l.o.Now())
	_, err := w.ExecContext(ctx, `INSERT INTO outbox (kind, name, created, due, tries) VALUES ($1, $2, $3, $4, 0)`, kind, name, now, now)
	return err
}

// Claim returns the message that is due for longest, for one attempt: no process
// gets it before pause has passed for it. ok is false if none is due. A process that
// dies meanwhile loses nothing, and a receiver may get a message twice.
func (l *Ledger) Claim(ctx context.Context, kind string, pause func(tries int) time.Duration) (m Message, ok bool, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return Message{}, false, err
	}
	now := l.o.Now()
	m.Kind = kind
	err = db.Read.QueryRowContext(ctx, `SELECT name, tries FROM outbox WHERE kind = $1 AND due <= $2 ORDER BY due LIMIT 1`, kind, formatTime(now)).Scan(&m.Name, &m.Tries)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, l.problem(err)
	}
	m.Tries++
	m.Again = now.Add(pause(m.Tries))
	err = l.write(ctx, false, func(w *writing) error {
		// Another process may have claimed or delivered it since.
		changed, err := w.ExecContext(ctx, `UPDATE outbox SET tries = $1, due = $2 WHERE kind = $3 AND name = $4 AND tries = $5`, m.Tries, formatTime(m.Again), kind, m.Name, m.Tries-1)
		if err != nil {
			return err
		}
		rows, err := changed.RowsAffected()
		w.changed, ok = true, rows == 1
		return err
	})
	return m, ok && err == nil, err
}

// Delivered takes a message out of the outbox.
func (l *Ledger) Delivered(ctx context.Context, m Message) error {
	return l.write(ctx, false, func(w *writing) error {
		w.changed = true
		_, err := w.ExecContext(ctx, `DELETE FROM outbox WHERE kind = $1 AND name = $2`, m.Kind, m.Name)
		return err
	})
}

// Undelivered counts the messages whose delivery failed so far.
func (l *Ledger) Undelivered(ctx context.Context) (count int, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return 0, err
	}
	err = db.Read.QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE tries > 0`).Scan(&count)
	return count, l.problem(err)
}
