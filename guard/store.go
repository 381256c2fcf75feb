package guard

import (
	"context"
	"time"
)

// Event is one line of the record: what was asked, approved, done or refused.
type Event struct {
	Time time.Time
	// Kind is intent, outcome, refusal, asked, confirmed or declined.
	Kind   string
	Intent Intent
	// Approval is the ID of the ticket that the event belongs to, if any.
	Approval string
	// Result is a problem code or a status; empty for an intent.
	Result string
	// After is the state read back; only for an outcome.
	After Seen
	// ARMRequestID is what ARM called the write; only for an outcome.
	ARMRequestID string
}

// The kinds of events.
const (
	KindAsked     = "asked"
	KindConfirmed = "confirmed"
	KindDeclined  = "declined"
	KindRefusal   = "refusal"
	KindIntent    = "intent"
	KindOutcome   = "outcome"
)

// Store is what the guard needs to remember. Every method is safe for
// concurrent use. An error before a write means that there is no write.
type Store interface {
	// PutTicket adds a ticket. One that is not in band joins the live one of
	// the same caller, binding and state, so that asking twice is asking once.
	// It refuses with CodeTooManyApprovals when too many of the caller's wait.
	PutTicket(ctx context.Context, ticket Ticket) (Ticket, error)
	// Ticket returns the ticket of a handle's ID; ok is false if there is none.
	Ticket(ctx context.Context, id string) (ticket Ticket, ok bool, err error)
	// SpendTicket marks a ticket as used or declined, once: a second call, or
	// one for a ticket that is gone, returns false.
	SpendTicket(ctx context.Context, id string) (bool, error)
	// Append adds an event to the record, in order.
	Append(ctx context.Context, event Event) error
}
