package guard

import (
	"context"
	"slices"

	"mcp-partner/schemas"
)

// OpenRun is a run with its plan, whose bytes are those that were approved.
type OpenRun struct {
	Run
	Plan Plan
	// By is whoever goes on with it now. Nobody does at a start, which completes
	// what has begun.
	By Principal
}

// Request names a plan by what the caller asked for.
type Request struct {
	// Principal is who asks; what it is given now has to cover the whole plan.
	Principal
	Tool string
	// Arguments are the canonical arguments of the call.
	Arguments string
}

// AskPlan opens the question about a plan in the client's own session.
func (g *Guard) AskPlan(ctx context.Context, plan Plan, verdict Verdict) (Ticket, Seal, error) {
	ticket := g.planTicket(plan)
	ticket.InBand, ticket.ExpiresAt = true, ticket.CreatedAt.Add(InBandLife)
	ticket, err := g.put(ctx, ticket, verdict, MaxAsked)
	if err != nil {
		return Ticket{}, "", err
	}
	seal, err := g.opts.Sealer.seal(ticket)
	if err != nil {
		return Ticket{}, "", schemas.AsProblem(err)
	}
	return ticket, seal, nil
}

// DeferPlan opens the question about a plan for an approver.
func (g *Guard) DeferPlan(ctx context.Context, plan Plan, verdict Verdict) (Ticket, error) {
	ticket := g.planTicket(plan)
	stored, err := g.put(ctx, ticket, verdict, MaxPending)
	if err == nil && stored.ID == ticket.ID {
		g.opts.Announce(stored)
	}
	return stored, err
}

func (g *Guard) planTicket(plan Plan) Ticket {
	ticket := newTicket(plan.intent(), g.opts.Now(), ApproverLife)
	ticket.Plan = plan.head()
	ticket.Binding = planBinding(plan.Caller, plan.Tool, plan.Arguments, ticket.Plan.Digest)
	return ticket
}

// RunUnasked opens the run of a plan that the policy allows as it is.
func (g *Guard) RunUnasked(ctx context.Context, plan Plan, p Principal) (OpenRun, error) {
	verdict, err := g.RulePlan(ctx, &plan, p)
	if err != nil {
		return OpenRun{}, err
	}
	if verdict.Ruling != RulingAllow {
		return OpenRun{}, refusePermit("a person has to confirm first")
	}
	run := g.newRun(plan, plan.head(), RulingAllow)
	run.Plan, run.Token = run.ID, p.Token
	return g.open(ctx, OpenRun{run, plan, p}, plan.Encode())
}

// RunAnswered redeems an in-band question about a plan. Only accept with exactly
// the expected text opens the run; everything else is a refusal, and the
// question is over.
func (g *Guard) RunAnswered(ctx context.Context, asked Request, seal Seal, answer Answer) (OpenRun, error) {
	ticket, err := g.sealed(ctx, seal)
	if err != nil {
		return OpenRun{}, err
	}
	plan, err := g.approvable(ctx, ticket, asked)
	if err != nil {
		return OpenRun{}, err
	}
	if refused := declined(PlanQuestion(plan), answer); refused != nil {
		return OpenRun{}, g.close(ctx, ticket, refused)
	}
	return g.redeem(ctx, ticket, plan, asked, RulingRequester, string(asked.Caller))
}

// RunApproved opens the run of a plan that an approver signed. While it is
// pending, pending is set and there is no run.
func (g *Guard) RunApproved(ctx context.Context, asked Request, id string) (run OpenRun, pending *Ticket, err error) {
	ticket, ok, err := g.opts.Store.Ticket(ctx, id)
	if err != nil {
		return OpenRun{}, nil, storeProblem(err)
	}
	if !ok || ticket.InBand || ticket.Intent.Caller != asked.Caller {
		return OpenRun{}, nil, UnknownApproval()
	}
	plan, err := g.approvable(ctx, ticket, asked)
	if err != nil {
		return OpenRun{}, nil, err
	}
	if ticket.Decision == nil {
		return OpenRun{}, &ticket, nil
	}
	if err := g.signed(ctx, ticket); err != nil {
		return OpenRun{}, nil, err
	}
	run, err = g.redeem(ctx, ticket, plan, asked, RulingApprover, ticket.Decision.Approver)
	return run, nil, err
}

// approvable returns the plan of a ticket that can still be redeemed, if the
// call asks for exactly what was asked for then.
func (g *Guard) approvable(ctx context.Context, ticket Ticket, asked Request) (Plan, error) {
	if ticket.Plan == nil || ticket.Binding != planBinding(asked.Caller, asked.Tool, asked.Arguments, ticket.Plan.Digest) {
		return Plan{}, schemas.NewProblem(schemas.CodeApprovalMismatch,
			"The approval was given for another operation, other arguments or another plan than this call's.")
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
func (p Plan) ShownTo(grant Grant) bool {
	return !slices.ContainsFunc(p.Rows, func(row PlanRow) bool { return !grant.AllowsTenant(row.Identity.Tenant) })
}

// given refuses a plan that writes what a caller is not given any more, or what
// lies outside the bounds now.
func (g *Guard) given(ctx context.Context, plan Plan, by Principal) error {
	by, err := g.current(ctx, by)
	if err != nil {
		return err
	}
	for _, row := range plan.Rows {
		for _, s := range plan.subjects(row, by) {
			if v := g.policy.confine(s); v.refusal != nil {
				return v.refusal
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
		return Plan{}, storeProblem(err)
	}
	plan, genuine := decodePlan(body, digest)
	if !ok || !genuine {
		return Plan{}, schemas.NewProblem(schemas.CodeVaultCorrupt, "The plan in the ledger is not the one that was made.")
	}
	return plan, nil
}

func (g *Guard) redeem(ctx context.Context, ticket Ticket, plan Plan, asked Request, ruling Ruling, by string) (OpenRun, error) {
	if err := g.thawed(ctx, true); err != nil {
		return OpenRun{}, err
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

func (g *Guard) newRun(plan Plan, head *PlanHead, ruling Ruling) Run {
	now := g.opts.Now()
	return Run{ID: newRunID(), Digest: head.Digest, Caller: plan.Caller, Tool: plan.Tool, Ruling: ruling, OpenedAt: now, ExpiresAt: now.Add(RunLife)}
}

// open records the run; the ticket is spent in the same step.
func (g *Guard) open(ctx context.Context, run OpenRun, body []byte, before ...Event) (OpenRun, error) {
	opened := g.runEvent(KindRunOpened, run, describe(run.Plan, run.Run))
	opened.Approver = run.Approver
	first, err := g.opts.Store.OpenRun(ctx, run.Run, body, append(before, opened)...)
	switch {
	case err != nil:
		return OpenRun{}, storeProblem(err)
	case !first:
		return OpenRun{}, schemas.NewProblem(schemas.CodeApprovalExpired, "The approval was used already.")
	}
	return run, nil
}
