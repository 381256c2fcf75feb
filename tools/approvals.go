package tools

import (
	"context"
	"encoding/hex"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// PendingApproval is a write that waits for an approver, as a caller with the
// approver's scope is shown it. What can be told without the provider's words is
// in Text; LinkedName and Reason are foreign and data.
type PendingApproval struct {
	ID    string `json:"id"`
	State string `json:"state"`
	// Text says in our own words what would happen and what cannot be undone.
	Text     string           `json:"text"`
	Tool     string           `json:"tool"`
	Identity schemas.Identity `json:"identity"`
	// Company and Domain are the customer's, as the directory has them.
	Company string `json:"company,omitempty"`
	Domain  string `json:"domain,omitempty"`
	// PartnerID is the ID that the write carries; Before words what is linked
	// now.
	PartnerID   string `json:"partner_id"`
	Before      string `json:"before"`
	LinkedName  string `json:"linked_name,omitempty"`
	LinkedSince string `json:"linked_since,omitempty"`
	// AskedBy is the caller who asked, Reason what it gave as a reason.
	AskedBy   string `json:"asked_by"`
	Reason    string `json:"reason,omitempty"`
	Rule      string `json:"rule,omitempty"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
	// Digest has to come back with an approval.
	Digest   string `json:"digest"`
	Approver string `json:"approver,omitempty"`
	SameUser bool   `json:"same_user,omitempty"`
	Denied   string `json:"denied,omitempty"`
	// Rows are the whole plan of a write to many tenants, those first that would
	// be written. It is what the digest stands for.
	Rows []schemas.ChangeRow `json:"rows,omitempty"`
}

// PendingApprovals returns what a caller with the approver's scope may decide
// on, newest first. Errors are problems.
func (s *Service) PendingApprovals(ctx context.Context, p guard.Principal) ([]PendingApproval, error) {
	tickets, err := s.deps.Guard.QuestionsFor(ctx, p)
	if err != nil {
		return nil, err
	}
	shown := make([]PendingApproval, len(tickets))
	for i, ticket := range tickets {
		shown[i] = s.pending(ctx, ticket)
	}
	return shown, nil
}

// PendingApproval returns one of them, decided or not.
func (s *Service) PendingApproval(ctx context.Context, p guard.Principal, id string) (PendingApproval, error) {
	ticket, err := s.deps.Guard.QuestionFor(ctx, p, id)
	if err != nil {
		return PendingApproval{}, err
	}
	return s.pending(ctx, ticket), nil
}

// DecideApproval records what a caller with the approver's scope says.
func (s *Service) DecideApproval(ctx context.Context, p guard.Principal, id string, said guard.DecisionRequest) (PendingApproval, error) {
	ticket, err := s.deps.Guard.DecideAs(ctx, p, id, said)
	s.logDecision(ctx, p, said, err)
	if err != nil {
		return PendingApproval{}, err
	}
	return s.pending(ctx, ticket), nil
}

func (s *Service) logDecision(ctx context.Context, p guard.Principal, said guard.DecisionRequest, err error) {
	status := "denied"
	switch {
	case err != nil:
		status = string(schemas.AsProblem(err).Code)
	case said.Approved:
		status = "approved"
	}
	s.deps.Logger.InfoContext(ctx, "decision", "caller", string(p.Caller), "status", status)
}

func (s *Service) pending(ctx context.Context, t guard.Ticket) PendingApproval {
	digest := t.Digest()
	shown := PendingApproval{
		ID: t.ID, State: s.deps.Guard.State(t), Text: guard.QuestionFor(t.Intent).Text, Tool: t.Intent.Tool, Identity: t.Intent.Identity,
		Company: schemas.Sanitize(t.Intent.Company), Domain: schemas.Sanitize(t.Intent.Domain),
		PartnerID: t.Intent.PartnerID, Before: t.Intent.Before.String(), LinkedName: schemas.Sanitize(t.Intent.LinkedName),
		LinkedSince: schemas.Sanitize(t.Intent.LinkedSince), AskedBy: string(t.Intent.Caller), Reason: schemas.Sanitize(t.Intent.Reason), Rule: t.Rule,
		CreatedAt: t.CreatedAt.UTC().Format(time.RFC3339), ExpiresAt: t.ExpiresAt.UTC().Format(time.RFC3339), Digest: hex.EncodeToString(digest[:]),
	}
	if t.Plan != nil {
		s.showPlan(ctx, t, &shown)
	}
	if t.Decision != nil {
		shown.Approver, shown.SameUser, shown.Denied = t.Decision.Approver, t.Decision.SameUser, t.Decision.Reason
	}
	return shown
}

// showPlan adds the plan of a write to many tenants. One that cannot be read
// cannot be carried out either.
func (s *Service) showPlan(ctx context.Context, t guard.Ticket, shown *PendingApproval) {
	plan, err := s.deps.Guard.PlanOf(ctx, t)
	if err != nil {
		shown.Text = schemas.AsProblem(err).Message
		return
	}
	shown.Text, shown.Before = guard.PlanQuestion(plan).Text, ""
	shown.Rows = fleet.Changes(plan, nil, nil)
	fleet.WrittenFirst(shown.Rows)
}
