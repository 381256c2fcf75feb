package guard

import (
	"context"
	"errors"
	"fmt"

	"mcp-partner/schemas"
)

// String words a state for a message, without foreign text.
func (s Seen) String() string {
	switch {
	case s.State == schemas.LinkLinked && s.Version >= 0:
		return fmt.Sprintf("linked to %s (version %d)", quote(s.PartnerID), s.Version)
	case s.State == schemas.LinkLinked:
		return "linked to " + quote(s.PartnerID)
	default:
		return string(s.State)
	}
}

// SeenOf takes what a permit is bound to out of a link that was read.
func SeenOf(link schemas.Link) Seen {
	seen := Seen{State: link.State, PartnerID: link.PartnerID, Version: -1}
	if link.Version != nil {
		seen.Version = *link.Version
	}
	return seen
}

// Refused records that a call was refused. An error of the store is not the
// caller's concern: the call is refused either way.
func (g *Guard) Refused(ctx context.Context, intent Intent, code schemas.Code) {
	_ = g.record(ctx, KindRefusal, intent, "", string(code))
}

// Finished records how a permitted write ended. It returns an error so that
// the answer can say that the record is incomplete.
func (g *Guard) Finished(ctx context.Context, intent Intent, result string, after Seen, armRequestID string) error {
	return g.append(ctx, Event{Kind: KindOutcome, Intent: intent, Result: result, After: after, ARMRequestID: armRequestID})
}

func (g *Guard) record(ctx context.Context, kind string, intent Intent, approval, result string) error {
	return g.append(ctx, Event{Kind: kind, Intent: intent, Approval: approval, Result: result})
}

func (g *Guard) append(ctx context.Context, event Event) error {
	event.Time = g.o.Now()
	if err := g.o.Store.Append(ctx, event); err != nil {
		return storeProblem(err)
	}
	return nil
}

func storeProblem(err error) error {
	var known *schemas.Problem
	if errors.As(err, &known) {
		return known
	}
	return schemas.NewProblem(schemas.CodeVaultUnavailable, "The record of approvals cannot be read or written, so nothing is written to Azure.")
}

func unknownApproval() error {
	return schemas.NewProblem(schemas.CodeApprovalUnknown, "There is no such approval for this caller.")
}

func tooManyPending(n int) error {
	return schemas.NewProblem(schemas.CodeTooManyApprovals, fmt.Sprintf("%d questions of this caller wait for a person already.", n))
}
