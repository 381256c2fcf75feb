package tools

import (
	"context"
	"fmt"
	"time"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

func (s *Service) getApproval(ctx context.Context, j *job, in *schemas.GetApprovalInput) Result {
	if err := s.admit(ctx, j, schemas.Tenant{}, ""); err != nil {
		return failure(err)
	}
	ticket, err := s.deps.Guard.Question(ctx, in.ApprovalID, j.call.Principal.Caller)
	if err != nil {
		return failure(err)
	}
	if ticket.Plan != nil {
		return s.planApproval(ctx, j, ticket)
	}
	if !j.call.Principal.Grant.AllowsTenant(ticket.Intent.Identity.Tenant) {
		return failure(guard.UnknownApproval()) // what was given may have become less since
	}
	approval := s.approval(ctx, ticket)
	return done(schemas.Envelope{
		Status: schemas.StatusDone, Approval: approval,
		Summary: fmt.Sprintf("The approval of %s with partner ID %s in tenant %s is %s.",
			ticket.Intent.Tool, ticket.Intent.PartnerID, ticket.Intent.Identity.Tenant, approval.State),
	})
}

// approval is a question for an approver as a client sees it.
func (s *Service) approval(ctx context.Context, ticket guard.Ticket) *schemas.Approval {
	state := s.deps.Guard.State(ticket)
	return &schemas.Approval{
		ID: ticket.ID, State: state, ExpiresAt: ticket.ExpiresAt.UTC().Format(time.RFC3339),
		How: s.how(ctx, ticket, state),
	}
}

// how is what to tell the person, or what to do next.
func (s *Service) how(ctx context.Context, ticket guard.Ticket, state string) string {
	switch state {
	case "pending":
		return s.toApprove(ctx, ticket)
	case "approved":
		return fmt.Sprintf("Call %s again with the same arguments and approval_id %s.", ticket.Intent.Tool, ticket.ID)
	default:
		return "Call " + ticket.Intent.Tool + " again without approval_id to make a new plan."
	}
}

func (s *Service) toApprove(ctx context.Context, ticket guard.Ticket) string {
	if s.deps.Simulated {
		return "This is a simulation in one process, so nobody elsewhere can approve: use a client that can ask its user, or start with --approval none."
	}
	approve := fmt.Sprintf("Ask an approver to run this in a terminal on the machine that holds the state directory: %s approvals approve %s --approver NAME --execute", s.deps.Command, ticket.ID)
	if ticket.Intent.Caller.Remote() {
		approve = fmt.Sprintf("Somebody else whose token has the scope %s can decide at %s/approvals/%s. Or: %s", guard.ScopeApprove, s.deps.PublicURL, ticket.ID, approve)
	}
	if approvers, err := s.deps.Guard.Approvers(ctx); err == nil && len(approvers) == 0 {
		return fmt.Sprintf("No approver is set up yet. A person runs once: %s approvers add NAME. %s", s.deps.Command, approve)
	}
	return approve
}
