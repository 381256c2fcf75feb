package guard

import (
	"context"
	"fmt"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// String words a state for a message, without untrusted text.
func (s LinkSnapshot) String() string {
	switch {
	case s.State == answers.LinkLinked && s.Version >= 0:
		return fmt.Sprintf("linked to %s (version %d)", quote(s.PartnerID), s.Version)
	case s.State == answers.LinkLinked:
		return "linked to " + quote(s.PartnerID)
	default:
		return string(s.State)
	}
}

// SnapshotOf takes what a permit is bound to out of a link that was read.
func SnapshotOf(link answers.Link) LinkSnapshot {
	seen := LinkSnapshot{State: link.State, PartnerID: link.PartnerID, Version: -1}
	if link.Version != nil {
		seen.Version = *link.Version
	}
	return seen
}

// Refused records that a call was refused. An error of the store is not the
// caller's concern: the call is refused either way.
func (g *Guard) Refused(ctx context.Context, intent Intent, code problems.Code) {
	event := g.event(KindRefusal, intent, "")
	event.Result = string(code)
	_ = g.opts.Store.Refused(ctx, event)
}

// Outcome is how a permitted write ended.
type Outcome struct {
	// Result is a status or a problem code.
	Result string
	After  LinkSnapshot
	// ARMRequestID and CorrelationID are what ARM called the write.
	ARMRequestID, CorrelationID string
}

// Finished records the outcome of the write whose intent stands at record. It
// returns an error so that the answer can say that the record is incomplete.
func (g *Guard) Finished(ctx context.Context, record int64, intent Intent, outcome Outcome) error {
	event := g.event(KindOutcome, intent, "")
	event.Of, event.Result, event.After = record, outcome.Result, outcome.After
	event.ARMRequestID, event.CorrelationID = outcome.ARMRequestID, outcome.CorrelationID
	return g.append(ctx, event)
}

// Unfinished returns the intents without an outcome, as a crash leaves them.
func (g *Guard) Unfinished(ctx context.Context) ([]Event, error) {
	return g.opts.Store.Unfinished(ctx)
}

// Followed reports whether another write to the same tenant was begun after the
// intent of an event.
func (g *Guard) Followed(ctx context.Context, event Event) (bool, error) {
	return g.opts.Store.Followed(ctx, event.Seq, event.Intent.Identity.TenantID)
}

// Changed records a change that is no write to Azure: of the directory, a
// credential, the policy or the users.
func (g *Guard) Changed(ctx context.Context, kind EventKind, detail string) error {
	return g.append(ctx, g.Change(kind, detail))
}

// Change is the entry of a change by the account of this process, for a store that
// makes both at once.
func (g *Guard) Change(kind EventKind, detail string) Event {
	return g.change(kind, g.opts.Account, detail)
}

func (g *Guard) change(kind EventKind, by, detail string) Event {
	event := g.event(kind, Intent{Caller: access.Caller("account:" + g.opts.Account)}, "")
	event.Approver, event.Detail = by, detail
	return event
}

func (g *Guard) event(kind EventKind, intent Intent, approval string) Event {
	return Event{Time: g.opts.Now(), Kind: kind, Intent: intent, Approval: approval}
}

func (g *Guard) append(ctx context.Context, event Event) error {
	_, err := g.opts.Store.Append(ctx, event)
	return err
}

// UnknownApproval is the answer for an approval that is not there, or not for
// this caller.
func UnknownApproval() error {
	return problems.New(problems.CodeApprovalUnknown, "This caller has no approval with that ID.")
}

// TooManyTickets is the refusal of a further ticket where n of its caller count.
func TooManyTickets(ticket Ticket, n int) error {
	if ticket.InBand {
		return problems.New(problems.CodeTooManyApprovals, fmt.Sprintf("%d questions of this caller were not confirmed within an hour.", n),
			problems.WithHint("Ask the person what they want, and wait before you ask again."))
	}
	return problems.New(problems.CodeTooManyApprovals, fmt.Sprintf("%d questions of this caller are already waiting for a person.", n))
}

func quote[S ~string](s S) string { return "\"" + untrusted.Sanitize(string(s)) + "\"" }
