package tools

import (
	"context"
	"fmt"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// proposal is a planned write that looks for its permit.
type proposal struct {
	job    *job
	target target
	want   want
	before armclient.LinkRead
}

// granted is a write that may be made: what was read last, the intent that was
// confirmed against it, and the permit.
type granted struct {
	before schemas.Link
	intent guard.Intent
	permit guard.Permit
}

// confirm gets the permit for a write. A result that is not nil ends the call
// without a write.
func (s *Service) confirm(ctx context.Context, p proposal) (granted, *Result) {
	grant, early, err := s.permit(ctx, p)
	if err != nil {
		link := p.target.expected(p.before.Link)
		envelope := schemas.Envelope{Identity: p.target.identity(p.before.Identity), Before: &link}
		return grant, &Result{Envelope: p.target.blocked(envelope, err)}
	}
	return grant, early
}

// permit finds the way to a permit: an answer or an approval that came with
// the call, the operator's word that nobody is asked, or a question.
func (s *Service) permit(ctx context.Context, p proposal) (granted, *Result, error) {
	grant := granted{before: p.before.Link, intent: s.intent(p)}
	question := guard.QuestionFor(grant.intent, p.before.Link.PartnerName)
	person := p.job.call.Person
	var err error
	if seal, answer, ok := person.Resume(); ok {
		grant.permit, err = s.d.Guard.Answer(ctx, grant.intent, seal, question, answer)
		return grant, nil, err
	}
	switch {
	case p.want.confirm.ApprovalID != "":
		return s.redeem(ctx, p, grant)
	case !s.d.Guard.Asks(grant.intent):
		grant.permit, err = s.d.Guard.Unasked(ctx, grant.intent)
		return grant, nil, err
	case person.Reachable():
		return s.ask(ctx, p, grant, question)
	default:
		ticket, err := s.d.Guard.Defer(ctx, grant.intent)
		return grant, s.waiting(p, grant.intent, ticket), err
	}
}

func (s *Service) redeem(ctx context.Context, p proposal, grant granted) (granted, *Result, error) {
	permit, pending, err := s.d.Guard.Redeem(ctx, grant.intent, p.want.confirm.ApprovalID)
	if err != nil || pending == nil {
		grant.permit = permit
		return grant, nil, err
	}
	return grant, s.waiting(p, grant.intent, *pending), nil
}

// ask puts the question in the client's own session. A person takes time, so
// the plan is made again before the answer counts.
func (s *Service) ask(ctx context.Context, p proposal, grant granted, question guard.Question) (granted, *Result, error) {
	_, seal, err := s.d.Guard.Ask(ctx, grant.intent)
	if err != nil {
		return grant, nil, err
	}
	reply, answer, err := p.job.call.Person.Ask(ctx, question, seal)
	switch {
	case err != nil:
		answer = guard.Answer{Action: guard.ActionCancel}
	case reply == Later:
		return grant, &Result{Asked: &Asked{Question: question, Seal: seal}}, nil
	case answer.Action == guard.ActionAccept:
		if p.before, err = again(ctx, p.target); err != nil {
			return grant, nil, err
		}
		grant.before, grant.intent = p.before.Link, s.intent(p)
	}
	grant.permit, err = s.d.Guard.Answer(context.WithoutCancel(ctx), grant.intent, seal, question, answer)
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
		Caller: p.job.call.Caller, Tool: p.job.op.Name, Identity: *p.target.identity(p.before.Identity),
		Before: guard.SeenOf(p.before.Link), PartnerID: p.want.partnerID,
		Expected: p.target.tenant.ExpectedPartnerID, Reason: schemas.Foreign(p.want.confirm.Reason),
	}
}

// waiting answers that a person has to be found first.
func (s *Service) waiting(p proposal, intent guard.Intent, ticket guard.Ticket) *Result {
	before := p.target.expected(p.before.Link)
	return &Result{Envelope: schemas.Envelope{
		Status: schemas.StatusApprovalRequired, Identity: &intent.Identity, Before: &before,
		Summary: fmt.Sprintf("A person has to confirm %s with partner ID %s for this identity in tenant %s; nothing was written.",
			p.job.op.Name, intent.PartnerID, p.target.tenant.Name),
		Approval: &schemas.Approval{
			ID: ticket.ID, State: "pending", ExpiresAt: ticket.ExpiresAt.UTC().Format(time.RFC3339),
			How: "Ask the person to run this in a terminal on the machine that holds the vault: " + s.commandLine(p, intent),
		},
	}}
}

// commandLine is what a person can type to do the same, with a confirmation.
func (s *Service) commandLine(p proposal, intent guard.Intent) string {
	line := fmt.Sprintf("%s call %s --tenant %s --credential %s --partner-id %s --allow-writes",
		s.d.Command, p.job.op.Name, p.target.tenant.Name, p.target.credential, intent.PartnerID)
	if p.job.op.Name == schemas.ToolUpdatePartner {
		line += " --expected-current-partner-id " + intent.Before.PartnerID
	}
	return line
}
