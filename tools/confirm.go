package tools

import (
	"context"
	"fmt"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

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
	reply, answer, err := p.job.call.Confirmer.Ask(ctx, asked.Question, asked.Seal)
	switch {
	case err != nil:
		answer = guard.Answer{Action: guard.ActionCancel}
	case reply == Later:
		return asked
	case answer.Action == guard.ActionAccept:
		read, err := again(ctx, p.target)
		if err != nil {
			return guard.Refusal{Err: err}
		}
		p.before = read
	}
	return s.deps.Guard.Answer(context.WithoutCancel(ctx), p.job.call.Principal, s.intent(*p), asked.Seal, answer)
}

// refused records and words that the guard refused a write.
func (s *Service) refused(ctx context.Context, p proposal, err error) Result {
	s.deps.Guard.Refused(ctx, s.intent(p), schemas.AsProblem(err).Code)
	link := p.target.expected(p.before.Link)
	envelope := schemas.Envelope{Identity: p.target.identity(p.before.Identity), Before: &link}
	return Result{Envelope: p.target.blocked(envelope, err)}
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
		Before: guard.SnapshotOf(p.before.Link), PartnerID: string(p.request.partnerID),
		LinkedName: schemas.Sanitize(p.before.Link.PartnerName), LinkedSince: p.before.Link.UpdatedTime,
		Company: schemas.Sanitize(p.target.tenant.Company), Domain: p.target.tenant.Domain(),
		Expected: p.target.tenant.ExpectedPartnerID, Labels: p.target.tenant.Labels,
		Reason: schemas.Sanitize(p.request.confirm.Reason), Endpoint: guard.EndpointOf(p.target.tenant),
	}
}

// waiting answers that a person has to be found first.
func (s *Service) waiting(ctx context.Context, p proposal, ticket guard.Ticket) Result {
	before := p.target.expected(p.before.Link)
	return Result{Envelope: schemas.Envelope{
		Status: schemas.StatusApprovalRequired, Identity: p.target.identity(p.before.Identity), Before: &before,
		Summary: fmt.Sprintf("A person has to approve %s with partner ID %s for this identity in tenant %s; nothing was written.",
			p.job.op.Name, p.request.partnerID, p.target.tenant.Name),
		Approval: s.approval(ctx, ticket),
	}}
}
