package guard

import (
	"context"
	"fmt"
	"time"

	"mcp-partner/schemas"
)

// Approval says whether a person is asked before a write.
type Approval string

// The two modes. ApprovalNone is legal only against the simulator or with a
// bound on partner IDs.
const (
	ApprovalAsk  Approval = "ask"
	ApprovalNone Approval = "none"
)

// Options is what an operator decides at start.
type Options struct {
	// AllowWrites switches writes on; without it every write is refused.
	AllowWrites bool
	// Approval defaults to ApprovalAsk.
	Approval Approval
	Bounds   Bounds
	// Simulated says that no real Azure is reached.
	Simulated bool
	Store     Store
	// Now defaults to time.Now.
	Now func() time.Time
}

// Guard decides on every write, and is the only maker of permits.
type Guard struct{ o Options }

// New makes a guard, or says which options do not go together.
func New(o Options) (*Guard, error) {
	if o.Approval == "" {
		o.Approval = ApprovalAsk
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Store == nil {
		o.Store = NewMemoryStore(o.Now)
	}
	if o.Approval != ApprovalAsk && o.Approval != ApprovalNone {
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument, "--approval is "+quote(string(o.Approval))+"; it is ask or none.")
	}
	if o.Approval == ApprovalNone && !o.Simulated && len(o.Bounds.PartnerIDs) == 0 {
		return nil, schemas.NewProblem(schemas.CodeInvalidArgument,
			"--approval none lets an agent write without a person: it needs --simulate, or --partner-ids with the IDs it may use.")
	}
	if err := o.Bounds.Validate(); err != nil {
		return nil, err
	}
	return &Guard{o: o}, nil
}

// Bounds returns the operator's bounds, for lists that must not show more.
func (g *Guard) Bounds() Bounds { return g.o.Bounds }

// WritesAllowed reports whether writes are switched on.
func (g *Guard) WritesAllowed() bool { return g.o.AllowWrites }

// Admit refuses a tool or a tenant outside the bounds, and a write while
// writes are off, before anything is read. PartnerID is "" for a tool that
// carries none; tenant is "" for a tool without one.
func (g *Guard) Admit(op schemas.Operation, tenant, partnerID string) error {
	if err := g.o.Bounds.Tool(op.Name); err != nil {
		return err
	}
	if tenant != "" {
		if err := g.o.Bounds.Tenant(tenant); err != nil {
			return err
		}
	}
	if !op.Effect.Writes() {
		return nil
	}
	if !g.o.AllowWrites {
		return schemas.NewProblem(schemas.CodeWritesDisabled,
			"This server reads only: it was started without --allow-writes, so "+op.Name+" is off.")
	}
	return g.o.Bounds.PartnerID(op.Name, partnerID)
}

// Asks reports whether a person has to confirm the intent.
func (g *Guard) Asks(Intent) bool { return g.o.Approval != ApprovalNone }

// Ask opens a question in the client's own session. The seal goes with the
// question and has to come back with its answer.
func (g *Guard) Ask(ctx context.Context, intent Intent) (Ticket, Seal, error) {
	id, seal, handle := newSeal()
	ticket := g.ticket(id, intent, InBandLife)
	ticket.InBand, ticket.Handle = true, handle
	ticket, err := g.put(ctx, ticket)
	return ticket, seal, err
}

// Defer opens a question for a person who is not in the client's session.
func (g *Guard) Defer(ctx context.Context, intent Intent) (Ticket, error) {
	id, _, _ := newSeal()
	return g.put(ctx, g.ticket(id, intent, PersonLife))
}

func (g *Guard) ticket(id string, intent Intent, life time.Duration) Ticket {
	now := g.o.Now()
	return Ticket{ID: id, Intent: intent, Binding: intent.binding(), CreatedAt: now, ExpiresAt: now.Add(life)}
}

func (g *Guard) put(ctx context.Context, ticket Ticket) (Ticket, error) {
	stored, err := g.o.Store.PutTicket(ctx, ticket)
	if err != nil {
		return Ticket{}, storeProblem(err)
	}
	if stored.ID == ticket.ID {
		err = g.record(ctx, KindAsked, stored.Intent, stored.ID, "")
	}
	return stored, err
}

// Unasked gives the permit for an intent that nobody has to confirm.
func (g *Guard) Unasked(ctx context.Context, intent Intent) (Permit, error) {
	if g.Asks(intent) {
		return Permit{}, refusePermit("a person has to confirm first")
	}
	return g.permit(ctx, intent, "")
}

// Answer redeems an in-band question. Only accept with exactly the expected
// text gives a permit; everything else is a refusal, and the question is over.
func (g *Guard) Answer(ctx context.Context, intent Intent, seal Seal, question Question, answer Answer) (Permit, error) {
	ticket, err := g.sealed(ctx, seal)
	if err != nil {
		return Permit{}, err
	}
	if err := g.matches(ticket, intent); err != nil {
		return Permit{}, err
	}
	if refused := declined(question, answer); refused != nil {
		return Permit{}, g.close(ctx, ticket, refused)
	}
	return g.spend(ctx, ticket, intent)
}

// Redeem uses an approval that a person gave over another channel. While it is
// pending, pending is true and there is no permit.
func (g *Guard) Redeem(ctx context.Context, intent Intent, id string) (permit Permit, pending *Ticket, err error) {
	ticket, ok, err := g.o.Store.Ticket(ctx, id)
	if err != nil {
		return Permit{}, nil, storeProblem(err)
	}
	if !ok || ticket.InBand || ticket.Intent.Caller != intent.Caller {
		return Permit{}, nil, unknownApproval()
	}
	if err := g.matches(ticket, intent); err != nil {
		return Permit{}, nil, err
	}
	if !ticket.Approved {
		return Permit{}, &ticket, nil
	}
	permit, err = g.spend(ctx, ticket, intent)
	return permit, nil, err
}

func (g *Guard) sealed(ctx context.Context, seal Seal) (Ticket, error) {
	id, handle, ok := seal.open()
	if !ok {
		return Ticket{}, unknownApproval()
	}
	ticket, found, err := g.o.Store.Ticket(ctx, id)
	if err != nil {
		return Ticket{}, storeProblem(err)
	}
	if !found || !ticket.InBand || !ticket.holds(handle) {
		return Ticket{}, unknownApproval()
	}
	return ticket, nil
}

// matches compares a ticket with what is wanted now. A mismatch leaves the
// ticket as it is: it may still be answered for what it was opened for.
func (g *Guard) matches(ticket Ticket, intent Intent) error {
	switch {
	case ticket.Binding != intent.binding():
		return schemas.NewProblem(schemas.CodeApprovalMismatch,
			"The approval was given for another operation, tenant, identity or partner ID than this call's.")
	case !ticket.live(g.o.Now()):
		return schemas.NewProblem(schemas.CodeApprovalExpired, "The approval has expired or was used already.")
	case ticket.Intent.Before != intent.Before:
		return schemas.NewProblem(schemas.CodeStateMoved, fmt.Sprintf(
			"Between plan and confirmation the link moved from %s to %s.", ticket.Intent.Before, intent.Before))
	default:
		return nil
	}
}

func declined(question Question, answer Answer) *schemas.Problem {
	switch {
	case answer.Action != ActionAccept:
		return schemas.NewProblem(schemas.CodeApprovalDeclined, "The person declined or closed the question.")
	case question.Expect == "" || answer.Typed != question.Expect:
		return schemas.NewProblem(schemas.CodeApprovalDeclined,
			"What was typed is not what had to be typed to confirm.")
	default:
		return nil
	}
}

// close ends a ticket without a permit, so that no second answer can follow.
func (g *Guard) close(ctx context.Context, ticket Ticket, why *schemas.Problem) error {
	if _, err := g.o.Store.SpendTicket(ctx, ticket.ID); err != nil {
		return storeProblem(err)
	}
	if err := g.record(ctx, KindDeclined, ticket.Intent, ticket.ID, string(why.Code)); err != nil {
		return err
	}
	return why
}

func (g *Guard) spend(ctx context.Context, ticket Ticket, intent Intent) (Permit, error) {
	first, err := g.o.Store.SpendTicket(ctx, ticket.ID)
	if err != nil {
		return Permit{}, storeProblem(err)
	}
	if !first {
		return Permit{}, schemas.NewProblem(schemas.CodeApprovalExpired, "The approval was used already.")
	}
	if err := g.record(ctx, KindConfirmed, intent, ticket.ID, ""); err != nil {
		return Permit{}, err
	}
	return g.permit(ctx, intent, ticket.ID)
}

// permit records the intent and only then makes the permit: no record, no write.
func (g *Guard) permit(ctx context.Context, intent Intent, approval string) (Permit, error) {
	if !g.o.AllowWrites {
		return Permit{}, refusePermit("writes are off")
	}
	bound := intent.wire()
	if !complete(bound) {
		return Permit{}, refusePermit("tenant, identity or partner ID is not known")
	}
	if err := g.record(ctx, KindIntent, intent, approval, ""); err != nil {
		return Permit{}, err
	}
	return newPermit(bound), nil
}
