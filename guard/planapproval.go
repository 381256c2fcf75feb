package guard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
)

// OpenRun is a run with its plan, whose bytes are those that were approved.
type OpenRun struct {
	runs.Run
	Plan Plan
	// By is the caller that continues it now. It is empty at a start, which only
	// completes what has begun.
	By access.Principal
}

// Request names a plan by what the caller asked for.
type Request struct {
	// Principal is who asks; what it is given now has to cover the whole plan.
	access.Principal
	Tool string
	// Arguments are the canonical arguments of the call.
	Arguments string
}

// AuthorizePlan begins a plan as Authorize does a write.
func (g *Guard) AuthorizePlan(ctx context.Context, by access.Principal, plan Plan, reachable bool) Admission {
	verdict, err := g.RulePlan(ctx, &plan, by)
	switch {
	case err != nil:
		return Refusal{err}
	case verdict.Ruling == access.RulingAllow:
		run := g.newRun(plan, plan.head(), access.RulingAllow)
		run.Plan, run.Token = run.ID, by.Token
		return g.open(ctx, OpenRun{run, plan, by}, plan.Encode())
	case verdict.Ruling == access.RulingRequester && reachable:
		return g.ask(ctx, g.planTicket(plan, InBandLife), verdict, PlanQuestion(plan))
	default:
		return g.wait(ctx, g.planTicket(plan, ApproverLife), verdict, plan)
	}
}

func (g *Guard) planTicket(plan Plan, life time.Duration) Ticket {
	ticket := newTicket(plan.intent(), g.opts.Now(), life)
	ticket.Plan = plan.head()
	ticket.Binding = planBinding(plan.Caller, plan.Tool, plan.Arguments, ticket.Plan.Digest)
	return ticket
}

// AnswerPlan redeems a question about a plan as Answer does one about a write.
func (g *Guard) AnswerPlan(ctx context.Context, asked Request, seal Seal, answer Answer) Admission {
	ticket, err := g.sealed(ctx, seal)
	if err != nil {
		return Refusal{err}
	}
	plan, err := g.approvable(ctx, ticket, asked)
	if err != nil {
		return Refusal{err}
	}
	if refused := declined(PlanQuestion(plan), answer); refused != nil {
		return Refusal{g.close(ctx, ticket, refused)}
	}
	return g.redeem(ctx, ticket, plan, asked, access.RulingRequester, string(asked.Caller))
}

// RedeemPlan opens the run of a plan that an approver signed, as Redeem does for a
// write.
func (g *Guard) RedeemPlan(ctx context.Context, asked Request, id string) Admission {
	ticket, err := g.Question(ctx, id, asked.Caller)
	if err != nil {
		return Refusal{err}
	}
	plan, err := g.approvable(ctx, ticket, asked)
	if err != nil {
		return Refusal{err}
	}
	if ticket.Decision == nil {
		return Waiting{Ticket: ticket, Plan: plan}
	}
	now := plan
	now.Rows = slices.Clone(plan.Rows) // ruling changes them, and they are what was approved
	verdict, err := g.RulePlan(ctx, &now, asked.Principal)
	if err != nil {
		return Refusal{err}
	}
	if err := g.signed(ctx, ticket, verdict.Demand); err != nil {
		return Refusal{err}
	}
	return g.redeem(ctx, ticket, plan, asked, access.RulingApprover, ticket.Decision.Approver)
}

// approvable returns the plan of a ticket that can still be redeemed, if the
// call asks for exactly what was asked for then.
func (g *Guard) approvable(ctx context.Context, ticket Ticket, asked Request) (Plan, error) {
	if ticket.Plan == nil || ticket.Binding != planBinding(asked.Caller, asked.Tool, asked.Arguments, ticket.Plan.Digest) {
		return Plan{}, problems.New(problems.CodeApprovalMismatch,
			"The approval is for a different operation, other arguments or another plan.")
	}
	if err := g.usable(ticket); err != nil {
		return Plan{}, err
	}
	plan, err := g.PlanOf(ctx, ticket)
	switch {
	case err != nil:
		return Plan{}, err
	case !plan.ShownTo(g.Confine(asked.Principal).Grant):
		return Plan{}, UnknownApproval()
	default:
		return plan, g.given(ctx, plan, asked.Principal)
	}
}

// ShownTo reports whether a caller may see the whole plan. What was given may
// have become less since it was made, and rows that are not written in tell of
// their tenants as well.
func (p Plan) ShownTo(grant access.Grant) bool {
	return !slices.ContainsFunc(p.Rows, func(row PlanRow) bool { return !grant.AllowsTenant(row.Identity.Tenant) })
}

// given refuses a plan that writes what a caller is not given any more, or what
// lies outside the bounds now.
func (g *Guard) given(ctx context.Context, plan Plan, by access.Principal) error {
	by, err := g.current(ctx, by)
	if err != nil {
		return err
	}
	for _, row := range plan.Rows {
		for _, s := range plan.subjects(row, by) {
			if v := g.policy.Confine(s); v.Refusal != nil {
				return v.Refusal
			}
		}
	}
	return nil
}

// PlanOf returns the plan that a ticket is about, or a problem where the store
// does not hold exactly its bytes.
func (g *Guard) PlanOf(ctx context.Context, ticket Ticket) (Plan, error) {
	if ticket.Plan == nil {
		return Plan{}, UnknownApproval()
	}
	return g.plan(ctx, ticket.ID, ticket.Plan.Digest)
}

func (g *Guard) plan(ctx context.Context, id string, digest [32]byte) (Plan, error) {
	body, ok, err := g.opts.Store.Plan(ctx, id)
	if err != nil {
		return Plan{}, err
	}
	var plan Plan
	if !ok || sha256.Sum256(body) != digest || json.Unmarshal(body, &plan) != nil {
		return Plan{}, problems.New(problems.CodeVaultCorrupt, "The plan in the ledger is not the one that was made.")
	}
	return plan, nil
}

func (g *Guard) redeem(ctx context.Context, ticket Ticket, plan Plan, asked Request, ruling access.Ruling, by string) Admission {
	if err := g.thawed(ctx, true); err != nil {
		return Refusal{err}
	}
	run := g.newRun(plan, ticket.Plan, ruling)
	run.Plan, run.Approval, run.Approver, run.Token = ticket.ID, ticket.ID, by, asked.Token
	confirmed := g.event(KindConfirmed, plan.intent(), ticket.ID)
	confirmed.Approver = by
	if ticket.Decision != nil {
		confirmed.SameUser = ticket.Decision.SameUser
	}
	return g.open(ctx, OpenRun{run, plan, asked.Principal}, nil, confirmed)
}

func (g *Guard) newRun(plan Plan, head *PlanHead, ruling access.Ruling) runs.Run {
	now := g.opts.Now()
	return runs.Run{ID: NewRunID(), Digest: head.Digest, Caller: plan.Caller, Tool: plan.Tool, Ruling: ruling, OpenedAt: now, ExpiresAt: now.Add(runs.Life)}
}

// open records the run; the ticket is spent in the same step.
func (g *Guard) open(ctx context.Context, run OpenRun, body []byte, before ...Event) Admission {
	requests, rows := run.Plan.Writes()
	opened := g.runEvent(KindRunOpened, run, fmt.Sprintf("%s in %s, plan %s", phrase.Count(requests, "request"), tenants(rows), hex.EncodeToString(run.Digest[:])))
	opened.Approver = run.Approver
	first, err := g.opts.Store.OpenRun(ctx, run.Run, body, append(before, opened)...)
	switch {
	case err != nil:
		return Refusal{err}
	case !first:
		return Refusal{problems.New(problems.CodeApprovalExpired, "The approval was used already.")}
	}
	return run
}
