package guard

import (
	"context"
	"fmt"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

// EventKind says what an event of the record is.
type EventKind string

// The kinds of events.
const (
	KindAsked     EventKind = "asked"
	KindApproved  EventKind = "approved"
	KindDeclined  EventKind = "declined"
	KindConfirmed EventKind = "confirmed"
	KindRefusal   EventKind = "refusal"
	KindIntent    EventKind = "intent"
	KindOutcome   EventKind = "outcome"
	KindFreeze    EventKind = "freeze"
	KindUnfreeze  EventKind = "unfreeze"
	// KindUser is about a person of this server: invited, enrolled, changed, removed.
	// KindSignIn is about a browser: signed in, signed out, refused.
	KindUser   EventKind = "user"
	KindSignIn EventKind = "sign-in"
	// KindClient is about an MCP client: met, registered, removed. KindConsent is what a
	// person allowed it or refused, and what became of that.
	KindClient    EventKind = "client"
	KindConsent   EventKind = "consent"
	KindDirectory EventKind = "directory"
	KindSecret    EventKind = "credential"
	KindPolicy    EventKind = "policy"
	KindTokens    EventKind = "tokens"
	// KindToken is about invocation tokens: issued, revoked, or used where uses
	// are counted. KindTokens is about those that Entra ID issued.
	KindToken     EventKind = "token"
	KindRunOpened EventKind = "run opened"
	KindRunEnded  EventKind = "run ended"
	// KindSchedule is about a schedule: added, removed, or stopped.
	KindSchedule EventKind = "schedule"
	// KindStep says where a tenant of a run stands, without a write.
	KindStep EventKind = "step"
	// KindChange is a change between two audits that somebody is told of: Result is
	// its kind. KindUndelivered says that nobody could be told of something.
	KindChange      EventKind = "change"
	KindUndelivered EventKind = "undelivered"
	// KindAcknowledged is about the quiet of a tenant whose changes somebody knows of.
	KindAcknowledged EventKind = "acknowledged"
)

// Event is one line of the record: what was asked, approved, done or refused.
// It holds no secret, no token and no raw body.
type Event struct {
	// Seq is the event's place in the record, from 1; the store sets it.
	Seq  int64     `json:"-"`
	Time time.Time `json:"time"`
	Kind EventKind `json:"kind"`
	// Intent is the write that the event is about; of other events only Caller
	// and Identity are set.
	Intent
	// Of is the Seq of the intent that an outcome closes.
	Of int64 `json:"of,omitempty"`
	// Approval is the ID of the ticket that the event belongs to, if any.
	Approval string `json:"approval,omitempty"`
	// Approver is who confirmed or declined; SameUser says that requester and
	// approver could not be told apart.
	Approver string `json:"approver,omitempty"`
	SameUser bool   `json:"same_user,omitempty"`
	// Rule is the policy rule that decided, if any.
	Rule string `json:"rule,omitempty"`
	// AtMost bounds an intent: it is appended only if the record holds fewer
	// intents of its rule in that period before Time. It is not recorded.
	AtMost *access.Rate `json:"-"`
	// Completes says of an intent that it completes what has begun in a tenant of a
	// run, which neither a freeze nor another write holds back. It is not recorded.
	Completes bool `json:"-"`
	// Result is a problem code, a status, or for a closed intent how it was
	// found: applied, not_applied or unknown.
	Result string `json:"result,omitempty"`
	// Detail says in our own words what else changed: a tenant, a credential, a
	// digest, a reason.
	Detail string `json:"detail,omitempty"`
	// After is the state read back; only for an outcome.
	After LinkSnapshot `json:"after,omitzero"`
	// ARMRequestID and CorrelationID are what ARM called the write.
	ARMRequestID  string `json:"arm_request_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
	// Proof is a passkey's of the decision that is recorded, Passkey what became of
	// passkeys. Together they let anybody check a decision by the record alone.
	Proof   *Proof         `json:"proof,omitempty"`
	Passkey *PasskeyChange `json:"passkey,omitempty"`
}

// Decision is what an approver said of a ticket.
type Decision struct {
	Approved bool   `json:"approved"`
	Approver string `json:"approver,omitempty"`
	SameUser bool   `json:"same_user,omitempty"`
	// Reason is what the approver said with it.
	Reason string `json:"reason,omitempty"`
	// By is the caller who decided over the network; "" for an approver with a
	// passphrase.
	By access.Caller `json:"by,omitempty"`
	// Token is the ID of the invocation token that By decided with, if it was
	// one. Revoked, it voids the decision.
	Token string `json:"token,omitempty"`
	// Signature is the approver's Ed25519 signature of the ticket's Digest, or
	// the guard's proof that the caller By approved it.
	Signature []byte `json:"signature,omitempty"`
	// Proof is a passkey's, if By decided with one.
	Proof *Proof    `json:"proof,omitempty"`
	At    time.Time `json:"at"`
}

// Freeze is the operator's stop. The zero value lets everything run.
type Freeze struct {
	// Writes stops writes; Reads stops reads as well.
	Writes bool      `json:"writes"`
	Reads  bool      `json:"reads"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
}

// Scope names what is stopped, "" if nothing is.
func (f Freeze) Scope() string {
	switch {
	case f.Reads:
		return "writes and reads"
	case f.Writes:
		return "writes"
	default:
		return ""
	}
}

// Refusal is the problem of a call in the freeze, or nil for one that may go on.
func (f Freeze) Refusal(writes bool) error {
	if !f.Reads && !(f.Writes && writes) {
		return nil
	}
	return problems.New(problems.CodeFrozen, fmt.Sprintf("Frozen by the operator since %s: %s", f.Since.UTC().Format(time.RFC3339), quote(f.Reason)))
}

// Store is what the guard needs to remember. Every method is safe for
// concurrent use, by several processes where the store is durable. An error
// before a write means that there is no write. Errors are problems.
type Store interface {
	TokenStore
	RunStore
	StateStore
	// PutTicket adds a ticket and the event that it was asked, or returns the
	// live one that it joins: a ticket that is not in band joins one of the
	// same caller, binding and state. It refuses with CodeTooManyApprovals when
	// limit of the caller's tickets of the same kind count. The plans of questions
	// in the client that came to nothing may be dropped.
	PutTicket(ctx context.Context, ticket Ticket, limit int, asked Event) (Ticket, error)
	// Ticket returns a ticket; ok is false if there is none.
	Ticket(ctx context.Context, id string) (ticket Ticket, ok bool, err error)
	// Tickets returns the tickets that are not in band, newest first, at most
	// limit.
	Tickets(ctx context.Context, limit int) ([]Ticket, error)
	// Waiting returns all that are not in band and live, newest first.
	Waiting(ctx context.Context) ([]Ticket, error)
	// DecideTicket records an approver's decision with its event, once: false
	// for a ticket that is gone, spent or decided. with, if there is one, sees the ticket
	// as it is before in the same transaction, changes what goes with it, and can refuse.
	DecideTicket(ctx context.Context, id string, decision Decision, event Event, with func(StateTx, Ticket) error) (bool, error)
	// SpendTicket marks a ticket as used and appends events as Append does, all or
	// nothing. A second call, or one for a ticket that is gone, appends nothing and
	// returns spent false. last is the Seq of the last event.
	SpendTicket(ctx context.Context, id string, events ...Event) (spent bool, last int64, err error)
	// Refused adds a refusal. A store that lasts may count those that a caller gets
	// again and again, and add the number later.
	Refused(ctx context.Context, event Event) error
	// Unfinished returns the intents that have no outcome, oldest first.
	Unfinished(ctx context.Context) ([]Event, error)
	// Followed reports whether the record holds an intent for the same tenant after
	// the one at seq.
	Followed(ctx context.Context, seq int64, tenantID string) (bool, error)
	// CountIntents counts the intents that a rule allowed since a time.
	CountIntents(ctx context.Context, rule string, since time.Time) (int, error)
	// Freeze returns the current freeze, set by any process.
	Freeze(ctx context.Context) (Freeze, error)
	// SetFreeze sets or lifts it, with its event, whose Result becomes
	// the scope. Where reads are frozen a freeze of writes is one of reads as well:
	// only releasing it lets them go.
	SetFreeze(ctx context.Context, freeze Freeze, event Event) error
	// LiftFreeze lifts it if may agrees in the same transaction.
	LiftFreeze(ctx context.Context, event Event, may func(StateTx, Freeze) error) error
}
