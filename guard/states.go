package guard

import (
	"context"
	"encoding/json"
	"time"
)

// Stamp is a time that is written in a fixed width and in UTC, so that a database can
// compare it as text. Reading takes any form of RFC 3339.
type Stamp struct{ time.Time }

// StampLayout is the form of a Stamp.
const StampLayout = "2006-01-02T15:04:05.000000000Z"

// MarshalJSON implements json.Marshaler.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + s.UTC().Format(StampLayout) + `"`), nil
}

// StateKind is a kind of rows that signing in keeps: each kind belongs to one package,
// which knows what its rows hold.
type StateKind string

// The kinds of rows. All but users may be removed once they have expired.
const (
	// UserState is a person of this server, by name.
	UserState StateKind = "user"
	// ClientState is an MCP client that registered or was registered, by its ID.
	ClientState StateKind = "client"
	// FamilyState is one consent of a person to a client, with the tokens that follow
	// from it.
	FamilyState StateKind = "family"
	// SessionState is a signed-in browser, and OnceState what is good for one answer: an
	// invitation, a challenge, a code.
	SessionState StateKind = "session"
	OnceState    StateKind = "once"
	// TokenState are invocation tokens and TicketState questions, by their IDs.
	TokenState  StateKind = "token"
	TicketState StateKind = "ticket"
)

// StateStore keeps rows beside the record. A row is JSON, and authenticated: one that
// another program changed, or put back, is not there. A member expires, in the form of
// Stamp, says when a row is of no use any more.
type StateStore interface {
	// State decodes a row as it is now, for all processes; ok is false if there is none.
	State(ctx context.Context, kind StateKind, name string, into any) (ok bool, err error)
	// States calls each with every row of a kind, by name.
	States(ctx context.Context, kind StateKind, each func(body []byte) error) error
	// ChangeStates runs a function in a transaction that no other write passes, in any
	// process. An error of the function undoes everything. The error may be a problem.
	ChangeStates(ctx context.Context, change func(StateTx) error) error
	// Append adds events to the record, in order, all or nothing, and returns
	// the Seq of the last. An intent is refused in a freeze of writes, and with
	// RateExceeded out of its AtMost; to look and to append are one step, in all
	// processes.
	Append(ctx context.Context, events ...Event) (last int64, err error)
}

// StateTx is a transaction of a StateStore.
type StateTx interface {
	// State decodes a row; ok is false if there is none.
	State(kind StateKind, name string, into any) (ok bool, err error)
	// States is that of the store, as of the transaction.
	States(ctx context.Context, kind StateKind, each func(body []byte) error) error
	// Put writes a row, a Token or a Ticket among them, after the events that say why.
	// With an event, an older copy of the row is refused from then on. Without one, the
	// row is no part of the record.
	Put(kind StateKind, name string, row any, events ...Event) error
	// Remove removes a row, if it is there.
	Remove(kind StateKind, name string, events ...Event) error
}

// Rows returns the rows of a kind that keep wants, in a transaction or outside, by name.
func Rows[T any](ctx context.Context, of interface {
	States(context.Context, StateKind, func([]byte) error) error
}, kind StateKind, keep func(T) bool) (rows []T, err error) {
	err = of.States(ctx, kind, func(body []byte) error {
		var row T
		err := json.Unmarshal(body, &row)
		if err == nil && keep(row) {
			rows = append(rows, row)
		}
		return err
	})
	return rows, err
}
