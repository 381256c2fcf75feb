package guard

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"
)

const (
	// InBandLife is how long a question asked in the client's session lives.
	InBandLife = 5 * time.Minute
	// ApproverLife is how long a question waits for an approver.
	ApproverLife = 24 * time.Hour

	// AskedWithin is how long a question in the client that nobody confirmed counts.
	AskedWithin = time.Hour

	// MaxPending is how many live tickets for approvers a caller may have, MaxAsked
	// how many questions in the client that count.
	MaxPending = 10
	MaxAsked   = 100
)

// Ticket is one question that waits for a person's answer.
type Ticket struct {
	// ID is what an agent sees; it refers to the ticket and opens nothing.
	ID     string
	Intent Intent
	// Binding is what the second call's intent is compared with.
	Binding   [sha256.Size]byte
	CreatedAt time.Time
	ExpiresAt time.Time
	// InBand is true for a question asked in the client's own session; its
	// answer comes back with a seal. Any other waits for an approver.
	InBand bool
	Spent  bool
	// Declined says of a spent one that it ended without a confirmation.
	Declined bool
	// Decision is nil as long as no approver has decided.
	Decision *Decision
	// Requester is the operating-system account that the request came from.
	Requester string
	// Rule is the policy rule that asked.
	Rule string
	// Plan is set where the question is about many tenants. Intent then names
	// caller, tool, partner ID and reason only.
	Plan *PlanHead
}

// Live reports whether the ticket can still be answered or used.
func (t Ticket) Live(now time.Time) bool {
	return !t.Spent && now.Before(t.ExpiresAt) && (t.Decision == nil || t.Decision.Approved)
}

// Counts reports whether a ticket takes one of its caller's places. One for an
// approver does as long as it is live. A question in the client does for an hour
// unless it was confirmed: a person who says no again and again is to be left
// alone, and a client that answers by itself must not fill the disk.
func (t Ticket) Counts(now time.Time) bool {
	if !t.InBand {
		return t.Live(now)
	}
	return (!t.Spent || t.Declined) && now.Before(t.CreatedAt.Add(AskedWithin))
}

// Spend marks a ticket as used, with the events that are recorded of it.
func (t *Ticket) Spend(events []Event) {
	t.Spent = true
	t.Declined = slices.ContainsFunc(events, func(e Event) bool { return e.Kind == KindDeclined })
}

// Digest is what an approver signs: everything that the ticket is bound to,
// and the state seen.
func (t Ticket) Digest() [sha256.Size]byte {
	canonical, _ := json.Marshal(struct {
		ID      string
		Binding []byte
		Before  LinkSnapshot
		Expires int64
		Plan    []byte `json:",omitempty"`
	}{t.ID, t.Binding[:], t.Intent.Before, t.ExpiresAt.Unix(), t.planDigest()})
	return sha256.Sum256(canonical)
}

// Joins reports whether a new ticket asks what a live one of the same kind asks
// already. A question in band is always its own: its answer comes to whoever
// asked it.
func Joins(ticket, live Ticket) bool {
	return !ticket.InBand && live.Binding == ticket.Binding && live.Intent.Before == ticket.Intent.Before
}

func (t Ticket) planDigest() []byte {
	if t.Plan == nil {
		return nil
	}
	return t.Plan.Digest[:]
}
