package guard

import (
	"context"
	"fmt"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

func (g *Guard) runEvent(kind EventKind, run OpenRun, detail string) Event {
	event := g.event(kind, run.Plan.intent(), run.Approval)
	event.Intent.Run, event.Detail = run.ID, detail
	return event
}

// RunOf returns LoadRun's answer for a caller, as long as what the caller is
// given covers the whole plan.
func (g *Guard) RunOf(ctx context.Context, id string, p access.Principal) (OpenRun, map[int]Progress, error) {
	run, progress, err := g.LoadRun(ctx, id, p.Caller)
	if err == nil && (p.Caller == "" || !run.Plan.ShownTo(g.Confine(p).Grant) || g.given(ctx, run.Plan, p) != nil) {
		return OpenRun{}, nil, unknownRun()
	}
	run.By = p
	return run, progress, err
}

func unknownRun() error {
	return problems.New(problems.CodeUnknownRun, "This caller has no run with that ID.")
}

// LoadRun returns a run with the plan that was approved, and where its tenants
// stand. Caller "" is the operator, who sees all.
func (g *Guard) LoadRun(ctx context.Context, id string, caller access.Caller) (OpenRun, map[int]Progress, error) {
	run, ok, err := g.opts.Store.OpenedRun(ctx, id)
	if err != nil {
		return OpenRun{}, nil, err
	}
	if !ok || caller != "" && run.Caller != caller {
		return OpenRun{}, nil, unknownRun()
	}
	plan, err := g.plan(ctx, run.Plan, run.Digest)
	if err != nil {
		return OpenRun{}, nil, err
	}
	progress, err := g.opts.Store.Progress(ctx, id)
	if err != nil {
		return OpenRun{}, nil, err
	}
	if progress == nil {
		progress = map[int]Progress{}
	}
	return OpenRun{Run: run, Plan: plan}, progress, nil
}

// OpenRuns returns the runs that have not ended, oldest first.
func (g *Guard) OpenRuns(ctx context.Context) ([]runs.Run, error) {
	return g.opts.Store.OpenedRuns(ctx, true, 0)
}

// RecentRuns returns the newest runs first, at most limit.
func (g *Guard) RecentRuns(ctx context.Context, limit int) ([]runs.Run, error) {
	return g.opts.Store.OpenedRuns(ctx, false, limit)
}

// EndRun records that no tenant of the run may begin any more.
func (g *Guard) EndRun(ctx context.Context, run OpenRun, detail string) error {
	return g.opts.Store.CloseRun(ctx, run.ID, g.opts.Now(), g.runEvent(KindRunEnded, run, detail))
}

// StepContext is what holds in a tenant now: the link that was read, and what the
// directory says.
type StepContext struct {
	Snapshot LinkSnapshot
	// Tenant is the directory's entry as it is now.
	Tenant schemas.Tenant
	// Identity is the one that read.
	Identity answers.Identity
}

// Permit allows one step of one row of a run: only one that the approved plan
// has, from the state that the plan saw, in the order of the plan, and once.
// The intent is recorded before there is a permit. The first step of a tenant
// needs all that a write needs; what has begun continues despite a later
// freeze, expiry or denial. Retrying a stranded tenant counts as a beginning.
func (g *Guard) Permit(ctx context.Context, run OpenRun, at Progress, step runs.Step, here StepContext) (Granted, Progress, error) {
	if at.Row < 0 || at.Row >= len(run.Plan.Rows) || !run.Plan.Rows[at.Row].may(at, step) {
		return Granted{}, at, refusePermit("the approved plan has no such step there")
	}
	row := run.Plan.Rows[at.Row]
	if err := sameEndpoint(row, here); err != nil {
		return Granted{}, at, err
	}
	verdict := access.Verdict{Rule: row.Rule}
	if at.Stage != runs.StagePlanned && !here.Snapshot.State.Absent() {
		return Granted{}, at, moved(LinkSnapshot{State: answers.LinkNotLinked, Version: -1}, here.Snapshot)
	}
	if !at.Stage.Begun() {
		var err error
		if verdict, err = g.mayBegin(ctx, run, row, at, here); err != nil {
			return Granted{}, at, err
		}
	}
	return g.begin(ctx, run, at, step, here, verdict)
}

// sameEndpoint refuses a tenant whose entry leads elsewhere than the plan's did.
func sameEndpoint(row PlanRow, here StepContext) error {
	planned := row.Identity
	if here.Identity.TenantID != planned.TenantID || here.Identity.ObjectID != planned.ObjectID || here.Identity.ObjectID == "" ||
		here.Identity.Credential != planned.Credential || here.Tenant.Name != planned.Tenant || here.Identity.Cloud != planned.Cloud ||
		EndpointOf(here.Tenant) != row.Endpoint {
		return problems.New(problems.CodeApprovalMismatch, "The directory entry or the identity has changed since the plan was made.")
	}
	return nil
}

func moved(before, now LinkSnapshot) error {
	return problems.New(problems.CodeStateMoved, fmt.Sprintf("The link changed from %s to %s.", before, now))
}

// mayBegin is what a tenant's first write needs beside the approval: no freeze,
// a run that is open, an approval and a caller that still count, the state of the
// plan, and a policy that asks for no more than was given. A stranded tenant has
// lost the state of the plan.
func (g *Guard) mayBegin(ctx context.Context, run OpenRun, row PlanRow, at Progress, here StepContext) (access.Verdict, error) {
	if err := g.thawed(ctx, true); err != nil {
		return access.Verdict{}, err
	}
	current, ok, err := g.opts.Store.OpenedRun(ctx, run.ID)
	switch {
	case err != nil:
		return access.Verdict{}, err
	case !ok || current.Digest != run.Digest || current.Ended(g.opts.Now()):
		return access.Verdict{}, problems.New(problems.CodeApprovalExpired, "The run has ended or its approval has expired.")
	case at.Stage == runs.StagePlanned && row.Before.Moved(here.Snapshot):
		return access.Verdict{}, moved(row.Before, here.Snapshot)
	}
	by, err := g.goesOn(ctx, run, at)
	if err != nil {
		return access.Verdict{}, err
	}
	row.Labels, row.Expected = here.Tenant.Labels, here.Tenant.ExpectedPartnerID
	if run.Plan.To == "" && row.Expected != row.PartnerID {
		return access.Verdict{}, problems.New(problems.CodeApprovalMismatch, "The expected partner ID in the directory has changed since the plan was made.")
	}
	verdict := g.evaluateRow(run.Plan, row, by)
	if verdict.Ruling == access.RulingDeny {
		return access.Verdict{}, verdict.Denial()
	}
	if verdict.Ruling.AsksMore(current.Ruling) {
		return access.Verdict{}, problems.New(problems.CodePolicyDenied, "The policy now requires a different approval: "+quote(verdict.Rule)+".")
	}
	return verdict, g.stillApproved(ctx, current, verdict.Demand)
}

// stillApproved refuses further tenants once the token with which the run was
// opened was revoked, or the approver or the approver's token is not there any
// more: a plan may take hours, and the approval is looked at as if it were used
// now.
func (g *Guard) stillApproved(ctx context.Context, run runs.Run, demand access.Demand) error {
	if _, err := g.unrevoked(ctx, run.Token); err != nil || run.Ruling != access.RulingApprover {
		return err
	}
	ticket, err := g.ticket(ctx, run.Approval, func(t Ticket) bool { return t.Decision != nil && t.Decision.Approved })
	if err != nil {
		return err
	}
	return g.signed(ctx, ticket, demand)
}

// goesOn returns the caller that continues a run, with its current grant. At a
// start there is no caller: it only begins a tenant again whose first write was
// permitted before and did not arrive, and only the bounds apply.
func (g *Guard) goesOn(ctx context.Context, run OpenRun, at Progress) (access.Principal, error) {
	switch {
	case run.By.Caller != "":
		return g.current(ctx, run.By)
	case at.Step == "":
		return access.Principal{}, refusePermit("the run is not being executed")
	default:
		return access.Principal{Caller: run.Caller, Grant: access.FullGrant()}, nil
	}
}

// begin records the intent and only then makes the permit.
func (g *Guard) begin(ctx context.Context, run OpenRun, at Progress, step runs.Step, here StepContext, verdict access.Verdict) (Granted, Progress, error) {
	intent := run.intentIn(at.Row, step, here.Snapshot)
	bound := intent.wire()
	if !complete(bound) {
		return Granted{}, at, refusePermit("tenant, identity or partner ID is unknown")
	}
	intended := g.event(KindIntent, intent, run.Approval)
	intended.Rule, intended.AtMost, intended.Completes = verdict.Rule, verdict.Rate, at.Stage.Begun()
	next := at
	next.Stage, next.Step, next.At, next.Snapshot = step.Stage(), step, intended.Time, here.Snapshot
	next.Result = "" // that was the one before
	next, err := g.opts.Store.Advance(ctx, run.ID, next.revised(), intended)
	if err != nil {
		return Granted{}, at, err
	}
	return Granted{Permit: newPermit(bound), Record: next.Intent}, next, nil
}

func (p Progress) revised() Progress {
	p.Revision++
	return p
}

// Settle records where a row stands after a write, or without one: what became
// of the intent that is open, if there is one, and how the row goes on.
// Next.Result is what the row shows, found.Result what the record says.
func (g *Guard) Settle(ctx context.Context, run OpenRun, next Progress, found Outcome) (Progress, error) {
	intent := run.intentIn(next.Row, next.Step, next.Snapshot)
	kind := KindStep
	if next.Intent != 0 {
		kind = KindOutcome
	}
	event := g.event(kind, intent, run.Approval)
	event.Of, event.Result, event.After, event.Detail = next.Intent, found.Result, found.After, string(next.Stage)
	event.ARMRequestID, event.CorrelationID = found.ARMRequestID, found.CorrelationID
	next.Intent = 0
	if found.After.State != "" {
		next.Snapshot = found.After
	}
	if found.ARMRequestID+found.CorrelationID != "" {
		next.ARMRequestID, next.CorrelationID = found.ARMRequestID, found.CorrelationID
	}
	return g.opts.Store.Advance(ctx, run.ID, next.revised(), event)
}
