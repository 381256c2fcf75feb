package guard

import (
	"context"
	"fmt"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

// Authorize begins a write: the policy allows it as it is, the person at the
// client is asked, if reachable says that there is one, or an approver is.
func (g *Guard) Authorize(ctx context.Context, by access.Principal, intent Intent, reachable bool) Admission {
	verdict, err := g.admitWrite(ctx, by, intent)
	switch {
	case err != nil:
		return Refusal{err}
	case verdict.Ruling == access.RulingAllow:
		return g.issue(intent, verdict, func(intended Event) (int64, error) {
			return g.opts.Store.Append(ctx, intended)
		})
	case verdict.Ruling == access.RulingRequester && reachable:
		return g.ask(ctx, newTicket(intent, g.opts.Now(), InBandLife), verdict, QuestionFor(intent))
	default:
		return g.wait(ctx, newTicket(intent, g.opts.Now(), ApproverLife), verdict, Plan{})
	}
}

// admitWrite is Admit for a write about to be made: a rule that depends on an
// unread link denies it.
func (g *Guard) admitWrite(ctx context.Context, by access.Principal, intent Intent) (access.Verdict, error) {
	verdict, err := g.Admit(ctx, intent.Subject(by))
	if err == nil && verdict.Ruling == access.RulingDeny {
		err = verdict.Denial()
	}
	return verdict, err
}

// ask opens a question in the client's own session. The seal goes with the
// question and has to come back with its answer.
func (g *Guard) ask(ctx context.Context, ticket Ticket, verdict access.Verdict, question Question) Admission {
	ticket.InBand = true
	ticket, err := g.put(ctx, ticket, verdict, MaxAsked)
	if err != nil {
		return Refusal{err}
	}
	seal, err := g.opts.Sealer.seal(ticket)
	if err != nil {
		return Refusal{problems.As(err)}
	}
	return Asked{Question: question, Seal: seal}
}

// wait opens a question for an approver, or joins the one that is open.
func (g *Guard) wait(ctx context.Context, ticket Ticket, verdict access.Verdict, plan Plan) Admission {
	stored, err := g.put(ctx, ticket, verdict, MaxPending)
	if err != nil {
		return Refusal{err}
	}
	if stored.ID == ticket.ID {
		g.opts.Announce(stored)
	}
	return Waiting{Ticket: stored, Plan: plan}
}

func (g *Guard) put(ctx context.Context, ticket Ticket, verdict access.Verdict, limit int) (Ticket, error) {
	ticket.Requester, ticket.Rule, ticket.Demand = g.opts.Account, verdict.Rule, verdict.Demand
	asked := g.event(KindAsked, ticket.Intent, ticket.ID)
	asked.Rule = verdict.Rule
	return g.opts.Store.PutTicket(ctx, ticket, limit, asked)
}

// Answer redeems a question that was asked in the client. Only accept with
// exactly the expected text gives a permit; everything else is a refusal, and the
// question is over.
func (g *Guard) Answer(ctx context.Context, by access.Principal, intent Intent, seal Seal, answer Answer) Admission {
	ticket, err := g.sealed(ctx, seal)
	if err != nil {
		return Refusal{err}
	}
	if err := g.matches(ticket, intent); err != nil {
		return Refusal{err}
	}
	if refused := declined(QuestionFor(ticket.Intent), answer); refused != nil {
		return Refusal{g.close(ctx, ticket, refused)}
	}
	intent.Reason = ticket.Intent.Reason // the one that the person saw
	verdict, err := g.admitWrite(ctx, by, intent)
	switch {
	case err != nil:
		return Refusal{err}
	case verdict.Ruling == access.RulingApprover:
		return Refusal{problems.New(problems.CodeApprovalMismatch, "The policy now requires an approver instead of the requester.")}
	}
	return g.spend(ctx, ticket, intent, verdict, string(intent.Caller))
}

// Redeem uses an approval that a person gave over another channel, or says that
// it is still waited for.
func (g *Guard) Redeem(ctx context.Context, by access.Principal, intent Intent, id string) Admission {
	ticket, err := g.Question(ctx, id, intent.Caller)
	if err != nil {
		return Refusal{err}
	}
	if err := g.matches(ticket, intent); err != nil {
		return Refusal{err}
	}
	if ticket.Decision == nil {
		return Waiting{Ticket: ticket}
	}
	intent.Reason = ticket.Intent.Reason // the one that the approver saw
	verdict, err := g.admitWrite(ctx, by, intent)
	if err != nil {
		return Refusal{err}
	}
	if err := g.signed(ctx, ticket, verdict.Demand); err != nil {
		return Refusal{err}
	}
	return g.spend(ctx, ticket, intent, verdict, ticket.Decision.Approver)
}

// sealed finds the ticket that a seal was made for.
func (g *Guard) sealed(ctx context.Context, seal Seal) (Ticket, error) {
	id, _, err := seal.id()
	if err != nil {
		return Ticket{}, UnknownApproval()
	}
	return g.ticket(ctx, id, func(t Ticket) bool { return t.InBand && g.opts.Sealer.opens(seal, t) })
}

// ticket returns a ticket if it is what the caller takes it for, or a
// CodeApprovalUnknown problem.
func (g *Guard) ticket(ctx context.Context, id string, is func(Ticket) bool) (Ticket, error) {
	ticket, found, err := g.opts.Store.Ticket(ctx, id)
	if err == nil && (!found || !is(ticket)) {
		err = UnknownApproval()
	}
	if err != nil {
		return Ticket{}, err
	}
	return ticket, nil
}

// matches compares a ticket with what is wanted now. A mismatch leaves the
// ticket as it is: it may still be answered for what it was opened for.
func (g *Guard) matches(ticket Ticket, intent Intent) error {
	switch {
	case ticket.Plan != nil || ticket.Binding != intent.binding():
		return problems.New(problems.CodeApprovalMismatch,
			"The approval is for a different operation, tenant, identity or partner ID.")
	case g.usable(ticket) != nil:
		return g.usable(ticket)
	case ticket.Intent.Before != intent.Before:
		return problems.New(problems.CodeStateMoved, fmt.Sprintf(
			"The link changed from %s to %s between the plan and its confirmation.", ticket.Intent.Before, intent.Before))
	default:
		return nil
	}
}

func (g *Guard) usable(ticket Ticket) error {
	switch {
	case ticket.Decision != nil && !ticket.Decision.Approved:
		return problems.New(problems.CodeApprovalDeclined, "The approver denied this: "+quote(ticket.Decision.Reason))
	case !ticket.Live(g.opts.Now()):
		return problems.New(problems.CodeApprovalExpired, "The approval has expired or was used already.")
	default:
		return nil
	}
}

func declined(question Question, answer Answer) *problems.Problem {
	switch {
	case answer.Action != ActionAccept:
		return problems.New(problems.CodeApprovalDeclined, "The person declined or closed the question.")
	case question.Expect == "" || answer.Typed != question.Expect:
		return problems.New(problems.CodeApprovalDeclined, "The confirmation text did not match.")
	default:
		return nil
	}
}

// close ends a ticket without a permit, so that no second answer can follow.
func (g *Guard) close(ctx context.Context, ticket Ticket, why *problems.Problem) error {
	event := g.event(KindDeclined, ticket.Intent, ticket.ID)
	event.Result = string(why.Code)
	if _, _, err := g.opts.Store.SpendTicket(ctx, ticket.ID, event); err != nil {
		return err
	}
	return why
}

// spend uses a ticket up and records confirmation and intent in one step.
func (g *Guard) spend(ctx context.Context, ticket Ticket, intent Intent, verdict access.Verdict, by string) Admission {
	confirmed := g.event(KindConfirmed, intent, ticket.ID)
	confirmed.Approver = by
	if ticket.Decision != nil {
		confirmed.SameUser = ticket.Decision.SameUser
	}
	return g.issue(intent, verdict, func(intended Event) (int64, error) {
		intended.Approval = ticket.ID
		first, last, err := g.opts.Store.SpendTicket(ctx, ticket.ID, confirmed, intended)
		if err == nil && !first {
			err = problems.New(problems.CodeApprovalExpired, "The approval was used already.")
		}
		return last, err
	})
}

// issue records the intent and only then makes the permit: no record, no write.
func (g *Guard) issue(intent Intent, verdict access.Verdict, record func(Event) (int64, error)) Admission {
	bound := intent.wire()
	if !complete(bound) {
		return Refusal{refusePermit("tenant, identity or partner ID is unknown")}
	}
	intended := g.event(KindIntent, intent, "")
	intended.Rule, intended.AtMost = verdict.Rule, verdict.Rate
	seq, err := record(intended)
	if err != nil {
		return Refusal{err}
	}
	return Granted{Permit: newPermit(bound), Record: seq}
}

// Admission is what becomes of a write that somebody wants, exactly one of:
// Granted for one request, OpenRun for a plan, Asked, Waiting, and Refusal.
type Admission interface{ admission() }

// Granted is a permit with the place of its intent in the record, which the
// outcome refers to.
type Granted struct {
	Permit Permit
	Record int64
}

// Asked is a question to the person at the client. Its answer has to bring the
// seal back.
type Asked struct {
	Question Question
	Seal     Seal
}

// Waiting is a question that waits for an approver. Plan is what it is about, if
// that is a plan.
type Waiting struct {
	Ticket Ticket
	Plan   Plan
}

// Refusal says why there is no write.
type Refusal struct{ Err error }

// RefusalOf returns why an admission is a refusal, or nil for any other.
func RefusalOf(a Admission) error {
	refusal, _ := a.(Refusal)
	return refusal.Err
}

func (Granted) admission() {}
func (OpenRun) admission() {}
func (Asked) admission()   {}
func (Waiting) admission() {}
func (Refusal) admission() {}
