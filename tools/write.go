package tools

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// writeRequest is a write that a caller wants, before it is known whether it is
// needed, legal, allowed and confirmed.
type writeRequest struct {
	to        schemas.Target
	confirm   schemas.Confirmation
	partnerID partnerid.ID
	// judge checks the current link. It returns why nothing needs to be done, or an
	// error that refuses, or neither.
	judge func(t target, now answers.Link) (unchanged string, err error)
	// did says afterwards what was done, without the tenant.
	did string
}

const writeSteps = 4

// write is the way of every write: plan by a read, have it confirmed, apply it
// under a permit, confirm by a read, record.
func (s *Service) write(ctx context.Context, j *job, w writeRequest) Result {
	t, err := s.target(ctx, j, w.to, w.partnerID)
	if err != nil {
		return s.refusedEarly(ctx, j, w, err)
	}
	j.progress(1, writeSteps, "Reading the link")
	p := proposal{job: j, target: t, request: w}
	if early := s.plan(ctx, &p); early != nil {
		s.rolesAfter(ctx, p, &early.Envelope)
		return *early
	}
	j.progress(2, writeSteps, "Waiting for the confirmation")
	step, ended := s.deps.Observer.Step(ctx, stepGuard)
	admission := s.permit(step, &p)
	ended(guard.RefusalOf(admission))
	switch admission := admission.(type) {
	case guard.Granted:
		result := s.apply(ctx, p, admission)
		s.rolesAfter(ctx, p, &result.Envelope)
		return result
	case guard.Asked:
		return Result{Elicitation: &admission}
	case guard.Waiting:
		return s.waiting(ctx, p, admission.Ticket)
	default:
		return s.refused(ctx, p, guard.RefusalOf(admission))
	}
}

// plan reads what is linked now and decides whether a write is needed at all.
func (s *Service) plan(ctx context.Context, p *proposal) *Result {
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	p.before = p.target.azure.Link(ctx)
	s.pin(ctx, p.target, p.before)
	link := p.target.expected(p.before.Link)
	envelope := answers.Envelope{Identity: p.target.identity(p.before.Identity), Before: &link}
	if p.before.Problem != nil {
		return &Result{Envelope: p.target.blocked(envelope, p.before.Problem)}
	}
	unchanged, err := p.request.judge(p.target, link)
	tenant := p.target.tenant.Name
	switch {
	case err != nil:
		return new(s.refused(ctx, *p, err))
	case unchanged != "":
		envelope.Status, envelope.After = answers.StatusUnchanged, &link
		envelope.Summary = fmt.Sprintf("%s for this identity in tenant %s%s; nothing was written.", unchanged, tenant, p.target.unexpected(link))
		return &Result{Envelope: envelope}
	case p.job.call.PlanOnly:
		envelope.Status, envelope.Plan = answers.StatusDone, p.target.requests(p.job.op, p.request.partnerID)
		envelope.Summary = fmt.Sprintf("A plan for %s in tenant %s; nothing was written.", p.job.op.Name, tenant)
		return &Result{Envelope: envelope}
	default:
		return nil
	}
}

// blocked adds a problem that ends a write before it began.
func (t target) blocked(envelope answers.Envelope, err error) answers.Envelope {
	with := problemEnvelope(err)
	envelope.Status, envelope.Problem = with.Status, with.Problem
	envelope.Summary = fmt.Sprintf("%s Nothing was written for this identity in tenant %s.", with.Summary, t.tenant.Name)
	return envelope
}

func (s *Service) refusedEarly(ctx context.Context, j *job, w writeRequest, err error) Result {
	s.deps.Guard.Refused(ctx, guard.Intent{
		Caller: j.call.Principal.Caller, Tool: j.op.Name, PartnerID: w.partnerID,
		Identity: answers.Identity{Tenant: untrusted.Sanitize(w.to.Tenant)},
	}, problems.As(err).Code)
	return failure(err)
}

// apply makes the write. From the permit to the record nothing that the client
// does cancels it: a write that was begun is confirmed and recorded.
func (s *Service) apply(ctx context.Context, p proposal, granted guard.Granted) Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeWithin)
	defer cancel()
	p.job.progress(3, writeSteps, "Writing, then reading back")
	outcome := p.target.azure.Apply(ctx, granted.Permit, armclient.Change{
		Method: s.intent(p).Method(), PartnerID: p.request.partnerID, Before: p.before.Link,
	})
	envelope := p.outcome(outcome)
	if err := s.deps.Guard.Finished(ctx, granted.Record, s.intent(p), recorded(envelope, outcome)); err != nil {
		envelope.Summary += " The ledger could not store the outcome of this write; the next start checks it."
		s.deps.Logger.ErrorContext(ctx, "the outcome of a write could not be recorded",
			"tool", p.job.op.Name, "tenant", p.target.tenant.Name, "problem", problems.As(err).Code)
	}
	p.job.progress(writeSteps, writeSteps, "Done")
	return done(envelope)
}

func recorded(envelope answers.Envelope, outcome armclient.Outcome) guard.Outcome {
	result := string(envelope.Status)
	if envelope.Problem != nil {
		result = string(envelope.Problem.Code)
	}
	return guard.Outcome{
		Result: result, After: guard.SnapshotOf(outcome.After.Link),
		ARMRequestID: outcome.RequestID, CorrelationID: outcome.CorrelationID,
	}
}

func (p proposal) outcome(outcome armclient.Outcome) answers.Envelope {
	before, after := p.target.expected(p.before.Link), p.target.expected(outcome.After.Link)
	envelope := answers.Envelope{Identity: p.target.identity(p.before.Identity), Before: &before, After: &after}
	where := fmt.Sprintf("for this identity in tenant %s", p.target.tenant.Name)
	if outcome.Applied == armclient.AppliedYes && outcome.Problem == nil {
		envelope.Status = answers.StatusDone
		envelope.Summary = fmt.Sprintf("%s %s%s; read back and confirmed. %s", p.request.did, where, p.target.unexpected(after), notChecked)
		return envelope
	}
	problem := outcome.Problem
	if problem == nil {
		problem = problems.New(problems.CodeWriteUnconfirmed, "The write could not be confirmed.")
	}
	envelope.Status, envelope.Problem = problemEnvelope(problem).Status, problem
	envelope.Summary = problem.Message + " " + p.target.stands(after, where)
	return envelope
}

func (t target) stands(after answers.Link, where string) string {
	switch after.State {
	case answers.LinkLinked:
		return fmt.Sprintf("Linked now %s: partner ID %s%s.", where, after.PartnerID, t.unexpected(after))
	case answers.LinkUnknown, "":
		return fmt.Sprintf("The link %s is now unknown.", where)
	default:
		return fmt.Sprintf("There is now no link %s.", where)
	}
}

// proposal is a planned write that looks for its permit, and what was read last.
type proposal struct {
	job     *job
	target  target
	request writeRequest
	before  armclient.LinkRead
}

// permit finds the way to a permit: an answer or an approval that came with
// the call, or what the policy says: nobody is asked, the client's person is,
// or somebody elsewhere.
func (s *Service) permit(ctx context.Context, p *proposal) guard.Admission {
	by, confirmer := p.job.call.Principal, p.job.call.Confirmer
	if seal, answer, ok := confirmer.Resume(); ok {
		return s.deps.Guard.Answer(ctx, by, s.intent(*p), seal, answer)
	}
	if p.request.confirm.ApprovalID != "" {
		return s.deps.Guard.Redeem(ctx, by, s.intent(*p), p.request.confirm.ApprovalID)
	}
	admission := s.deps.Guard.Authorize(ctx, by, s.intent(*p), confirmer.Reachable())
	if asked, ok := admission.(guard.Asked); ok {
		return s.ask(ctx, p, asked)
	}
	return admission
}

// ask puts the question in the client's own session. A person takes time, so
// the plan is made again before the answer counts.
func (s *Service) ask(ctx context.Context, p *proposal, asked guard.Asked) guard.Admission {
	answer, later := p.job.ask(ctx, asked)
	if later {
		return asked
	}
	if answer.Action == guard.ActionAccept {
		reading, cancel := context.WithTimeout(ctx, planWithin)
		defer cancel()
		before := p.target.azure.Link(reading)
		if before.Problem != nil {
			return guard.Refusal{Err: before.Problem}
		}
		p.before = before
	}
	return s.deps.Guard.Answer(context.WithoutCancel(ctx), p.job.call.Principal, s.intent(*p), asked.Seal, answer)
}

func (s *Service) refused(ctx context.Context, p proposal, err error) Result {
	s.deps.Guard.Refused(ctx, s.intent(p), problems.As(err).Code)
	link := p.target.expected(p.before.Link)
	envelope := answers.Envelope{Identity: p.target.identity(p.before.Identity), Before: &link}
	return Result{Envelope: p.target.blocked(envelope, err)}
}

func (s *Service) intent(p proposal) guard.Intent {
	return guard.Intent{
		Caller: p.job.call.Principal.Caller, Tool: p.job.op.Name, Identity: *p.target.identity(p.before.Identity),
		Before: guard.SnapshotOf(p.before.Link), PartnerID: p.request.partnerID,
		LinkedName: untrusted.Sanitize(p.before.Link.PartnerName), LinkedSince: p.before.Link.UpdatedTime,
		Company: untrusted.Sanitize(p.target.tenant.Company), Domain: p.target.tenant.Domain(),
		Expected: p.target.tenant.ExpectedPartnerID, Labels: p.target.tenant.Labels,
		Reason: untrusted.Sanitize(p.request.confirm.Reason), Endpoint: guard.EndpointOf(p.target.tenant),
	}
}

func (s *Service) waiting(ctx context.Context, p proposal, ticket guard.Ticket) Result {
	before := p.target.expected(p.before.Link)
	return Result{Envelope: answers.Envelope{
		Status: answers.StatusApprovalRequired, Identity: p.target.identity(p.before.Identity), Before: &before,
		Summary: fmt.Sprintf("A person has to approve %s with partner ID %s for this identity in tenant %s; nothing was written.",
			p.job.op.Name, p.request.partnerID, p.target.tenant.Name),
		Approval: s.approval(ctx, ticket),
	}}
}

func (s *Service) registerPartner(ctx context.Context, j *job, in *schemas.RegisterPartnerInput) Result {
	id := in.PartnerID
	return s.write(ctx, j, writeRequest{
		to: in.Target, confirm: in.Confirmation, partnerID: in.PartnerID,
		judge: func(t target, now answers.Link) (string, error) {
			switch {
			case now.State.Absent():
				return "", nil
			case now.PartnerID == id:
				return fmt.Sprintf("Partner ID %s is linked already", id), nil
			default:
				return "", problems.New(problems.CodeAlreadyLinked,
					fmt.Sprintf("Partner ID %s is linked already%s, and register_partner never overwrites.", now.PartnerID, t.unexpected(now)),
					problems.WithNextTool(schemas.ToolUpdatePartner),
					problems.WithHint("To replace it, call update_partner with partner_id %s and expected_current_partner_id %s.", id, now.PartnerID))
			}
		},
		did: fmt.Sprintf("Registered partner ID %s", id),
	})
}

func (s *Service) updatePartner(ctx context.Context, j *job, in *schemas.UpdatePartnerInput) Result {
	id, expected := in.PartnerID, in.ExpectedCurrentPartnerID
	return s.write(ctx, j, writeRequest{
		to: in.Target, confirm: in.Confirmation, partnerID: in.PartnerID,
		judge: func(t target, now answers.Link) (string, error) {
			switch {
			case now.State.Absent():
				return "", problems.New(problems.CodeNotLinked,
					"There is no link to change.", problems.WithNextTool(schemas.ToolRegisterPartner))
			case now.PartnerID == id:
				return fmt.Sprintf("Partner ID %s is linked already", id), nil
			case expected != "" && now.PartnerID != expected:
				return "", mismatch("expected_current_partner_id", expected, fmt.Sprint(now.PartnerID, t.unexpected(now)))
			default:
				return "", nil
			}
		},
		did: fmt.Sprintf("Changed the link to partner ID %s", id),
	})
}

func (s *Service) removePartner(ctx context.Context, j *job, in *schemas.RemovePartnerInput) Result {
	id := in.PartnerID
	return s.write(ctx, j, writeRequest{
		to: in.Target, confirm: in.Confirmation, partnerID: in.PartnerID,
		judge: func(t target, now answers.Link) (string, error) {
			switch {
			case now.State.Absent():
				return "Nothing is linked", nil
			case now.PartnerID != id:
				return "", mismatch("partner_id", id, fmt.Sprint(now.PartnerID, t.unexpected(now)))
			default:
				return "", nil
			}
		},
		did: fmt.Sprintf("Removed the link to partner ID %s", id),
	})
}

func mismatch(argument string, said partnerid.ID, linked string) error {
	return problems.New(problems.CodeCurrentMismatch,
		fmt.Sprintf("%s is %s, but %s is linked.", argument, said, linked),
		problems.WithNextTool(schemas.ToolCheckPartnerLink))
}

// How an intent without an outcome was found.
const (
	foundApplied    = "applied"
	foundNotApplied = "not_applied"
	foundUnknown    = "unknown"
)

// Reconcile closes the intents that a crash or a power loss left without an
// outcome: it reads what is linked now and records whether the write had
// happened. It returns how many it closed. Call it at start; what cannot be
// read now, and what is younger than fleet.Settled, stays open for the next one. An
// intent of a run is the run's: tenants that have begun are completed or
// compensated, and no other begins.
func (s *Service) Reconcile(ctx context.Context) (int, error) { return s.reconcile(ctx, 0) }

// Upkeep is Reconcile beside other processes, which work on what has changed of late.
func (s *Service) Upkeep(ctx context.Context) (int, error) {
	return s.reconcile(ctx, cmp.Or(s.deps.Settled, fleet.Settled))
}

func (s *Service) reconcile(ctx context.Context, quiet time.Duration) (int, error) {
	events, err := s.deps.Guard.Unfinished(ctx)
	if err != nil {
		return 0, err
	}
	closed := 0
	for _, event := range events {
		if event.Intent.Run != "" || s.deps.Now().Sub(event.Time) < fleet.Settled {
			continue
		}
		outcome, ok, err := s.lookBack(ctx, event)
		if err != nil {
			return closed, err
		}
		if !ok {
			continue
		}
		if err := s.deps.Guard.Finished(ctx, event.Seq, event.Intent, outcome); err != nil {
			return closed, err
		}
		s.deps.Logger.WarnContext(ctx, "checked a write whose outcome was unknown",
			"tool", event.Intent.Tool, "tenant", event.Intent.Identity.Tenant, "found", outcome.Result)
		closed++
	}
	runs, err := s.writer.CompleteAll(ctx, quiet)
	return closed + runs, err
}

// lookBack reads the link that an intent was about. A tenant that is gone from
// the directory can never be read again: its intents close as unknown. So do
// those that another write followed, because what is linked now may be its
// doing.
func (s *Service) lookBack(ctx context.Context, event guard.Event) (guard.Outcome, bool, error) {
	intent := event.Intent
	followed, err := s.deps.Guard.Followed(ctx, event)
	if err != nil {
		return guard.Outcome{}, false, err
	}
	tenant, err := s.deps.Directory.Resolve(intent.Identity.TenantID, nil)
	if err != nil {
		return guard.Outcome{Result: foundUnknown}, problems.As(err).Code == problems.CodeUnknownTenant, nil
	}
	azure, err := s.deps.Clients.Client(ctx, tenant, intent.Identity.Credential)
	if err != nil {
		return guard.Outcome{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	read := azure.Link(ctx)
	if read.Link.State == answers.LinkUnknown || read.Identity.ObjectID != intent.Identity.ObjectID {
		return guard.Outcome{}, false, nil
	}
	return guard.Outcome{Result: found(intent, read, followed), After: guard.SnapshotOf(read.Link), ARMRequestID: read.RequestID}, true, nil
}

// found judges by state and version, as the write itself would have been. From
// a state that cannot be told from the one before, nothing but "not applied"
// can follow, although somebody else may have undone the write since.
func found(intent guard.Intent, read armclient.LinkRead, followed bool) string {
	now := guard.SnapshotOf(read.Link)
	switch {
	case followed:
		return foundUnknown
	case now == intent.Before || now.State.Absent() && intent.Before.State.Absent():
		return foundNotApplied
	case intent.Tool == schemas.ToolRemovePartner && now.State.Absent(),
		now.State == answers.LinkLinked && now.PartnerID == intent.PartnerID && intent.Before.OneWriteBefore(now):
		return foundApplied
	default:
		return foundUnknown
	}
}
