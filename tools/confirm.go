package tools

import (
	"context"
	"fmt"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// proposal is a planned write that looks for its permit.
type proposal struct {
	job     *job
	target  target
	request writeRequest
	before  armclient.LinkRead
}

// authorized is a write that may be made: what was read last, the intent that was
// confirmed against it, and the permit.
type authorized struct {
	guard.Granted
	before schemas.Link
	intent guard.Intent
}

// confirm gets the permit for a write. A result that is not nil ends the call
// without a write.
func (s *Service) confirm(ctx context.Context, p proposal) (authorized, *Result) {
	step, ended := s.deps.Observer.Step(ctx, stepGuard)
	grant, early, err := s.permit(step, p)
	ended(err)
	if err != nil {
		s.deps.Guard.Refused(ctx, grant.intent, schemas.AsProblem(err).Code)
		link := p.target.expected(p.before.Link)
		envelope := schemas.Envelope{Identity: p.target.identity(p.before.Identity), Before: &link}
		return grant, &Result{Envelope: p.target.blocked(envelope, err)}
	}
	return grant, early
}

// permit finds the way to a permit: an answer or an approval that came with
// the call, or what the policy says: nobody is asked, the client's person is,
// or somebody elsewhere.
func (s *Service) permit(ctx context.Context, p proposal) (authorized, *Result, error) {
	grant := authorized{before: p.before.Link, intent: s.intent(p)}
	question := guard.QuestionFor(grant.intent)
	var err error
	if seal, answer, ok := p.job.call.Confirmer.Resume(); ok {
		grant.Granted, err = s.deps.Guard.Answer(ctx, p.job.call.Principal, grant.intent, seal, question, answer)
		return grant, nil, err
	}
	if p.request.confirm.ApprovalID != "" {
		return s.redeem(ctx, p, grant)
	}
	verdict, err := s.deps.Guard.Admit(ctx, grant.intent.Subject(p.job.call.Principal))
	switch {
	case err != nil:
		return grant, nil, err
	case verdict.Ruling == guard.RulingAllow:
		grant.Granted, err = s.deps.Guard.Unasked(ctx, p.job.call.Principal, grant.intent)
		return grant, nil, err
	case verdict.Ruling == guard.RulingRequester && p.job.call.Confirmer.Reachable():
		return s.ask(ctx, p, grant, verdict, question)
	default:
		ticket, err := s.deps.Guard.Defer(ctx, grant.intent, verdict)
		if err != nil {
			return grant, nil, err
		}
		return grant, s.waiting(ctx, p, ticket), nil
	}
}

func (s *Service) redeem(ctx context.Context, p proposal, grant authorized) (authorized, *Result, error) {
	permit, pending, err := s.deps.Guard.Redeem(ctx, p.job.call.Principal, grant.intent, p.request.confirm.ApprovalID)
	if err != nil || pending == nil {
		grant.Granted = permit
		return grant, nil, err
	}
	return grant, s.waiting(ctx, p, *pending), nil
}

// ask puts the question in the client's own session. A person takes time, so
// the plan is made again before the answer counts.
func (s *Service) ask(ctx context.Context, p proposal, grant authorized, verdict guard.Verdict, question guard.Question) (authorized, *Result, error) {
	_, seal, err := s.deps.Guard.Ask(ctx, grant.intent, verdict)
	if err != nil {
		return grant, nil, err
	}
	reply, answer, err := p.job.call.Confirmer.Ask(ctx, question, seal)
	switch {
	case err != nil:
		answer = guard.Answer{Action: guard.ActionCancel}
	case reply == Later:
		return grant, &Result{Elicitation: &Elicitation{Question: question, Seal: seal}}, nil
	case answer.Action == guard.ActionAccept:
		if p.before, err = again(ctx, p.target); err != nil {
			return grant, nil, err
		}
		grant.before, grant.intent = p.before.Link, s.intent(p)
	}
	grant.Granted, err = s.deps.Guard.Answer(context.WithoutCancel(ctx), p.job.call.Principal, grant.intent, seal, question, answer)
	return grant, nil, err
}

// again reads the link once more after a person took time to answer.
func again(ctx context.Context, t target) (armclient.LinkRead, error) {
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	read := t.azure.Link(ctx)
	if read.Problem != nil {
		return read, read.Problem
	}
	return read, nil
}

// intent is what the guard decides on.
func (s *Service) intent(p proposal) guard.Intent {
	return guard.Intent{
		Caller: p.job.call.Principal.Caller, Tool: p.job.op.Name, Identity: *p.target.identity(p.before.Identity),
		Before: guard.SnapshotOf(p.before.Link), PartnerID: p.request.partnerID,
		LinkedName: schemas.Sanitize(p.before.Link.PartnerName), LinkedSince: p.before.Link.UpdatedTime,
		Company: schemas.Sanitize(p.target.tenant.Company), Domain: p.target.tenant.Domain(),
		Expected: p.target.tenant.ExpectedPartnerID, Labels: p.target.tenant.Labels,
		Reason: schemas.Sanitize(p.request.confirm.Reason), Endpoint: guard.EndpointOf(p.target.tenant),
	}
}

// waiting answers that a person has to be found first.
func (s *Service) waiting(ctx context.Context, p proposal, ticket guard.Ticket) *Result {
	before := p.target.expected(p.before.Link)
	return &Result{Envelope: schemas.Envelope{
		Status: schemas.StatusApprovalRequired, Identity: p.target.identity(p.before.Identity), Before: &before,
		Summary: fmt.Sprintf("A person has to approve %s with partner ID %s for this identity in tenant %s; nothing was written.",
			p.job.op.Name, p.request.partnerID, p.target.tenant.Name),
		Approval: s.approval(ctx, ticket),
	}}
}
