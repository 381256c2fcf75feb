package tools

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
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
	Identity answers.Identity `json:"identity"`
	// Company and Domain are the customer's, as the directory has them.
	Company string `json:"company,omitempty"`
	Domain  string `json:"domain,omitempty"`
	// PartnerID is the ID that the write carries; Before words what is linked
	// now.
	PartnerID   partnerid.ID `json:"partner_id"`
	Before      string       `json:"before"`
	LinkedName  string       `json:"linked_name,omitempty"`
	LinkedSince string       `json:"linked_since,omitempty"`
	// AskedBy is the caller who asked, Reason what it gave as a reason.
	AskedBy   string `json:"asked_by"`
	Reason    string `json:"reason,omitempty"`
	Rule      string `json:"rule,omitempty"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
	// Digest has to come back with an approval.
	Digest string `json:"digest"`
	// Approvals is such as "1 of 2" where the rule wants several, and Passkey says that
	// only decisions count that a passkey signed.
	Approvals string `json:"approvals,omitempty"`
	Passkey   bool   `json:"passkey,omitempty"`

	Approver string `json:"approver,omitempty"`
	SameUser bool   `json:"same_user,omitempty"`
	Denied   string `json:"denied,omitempty"`
	// Rows are the whole plan of a write to many tenants, those first that would
	// be written. It is what the digest stands for.
	Rows []answers.ChangeRow `json:"rows,omitempty"`
}

// PendingApprovals returns what a caller with the approver's scope may decide
// on, newest first. Errors are problems.
func (s *Service) PendingApprovals(ctx context.Context, p access.Principal) ([]PendingApproval, error) {
	tickets, err := s.deps.Guard.QuestionsFor(ctx, p)
	if err != nil {
		return nil, err
	}
	return xslices.Map(tickets, func(ticket guard.Ticket) PendingApproval { return s.pending(ctx, ticket) }), nil
}

// PendingApproval returns one of them, decided or not.
func (s *Service) PendingApproval(ctx context.Context, p access.Principal, id string) (PendingApproval, error) {
	ticket, err := s.deps.Guard.QuestionFor(ctx, p, id)
	if err != nil {
		return PendingApproval{}, err
	}
	return s.pending(ctx, ticket), nil
}

// DecideApproval records what a caller with the approver's scope says.
func (s *Service) DecideApproval(ctx context.Context, p access.Principal, id string, said guard.DecisionRequest) (PendingApproval, error) {
	ticket, err := s.deps.Guard.DecideAs(ctx, p, id, said)
	s.logDecision(ctx, p, id, ticket.Intent, said.Approved, err)
	if err != nil {
		return PendingApproval{}, err
	}
	return s.pending(ctx, ticket), nil
}

// logDecision writes one line for a decision. The tool is known once the approval
// was found; a plan for many tenants names no tenant.
func (s *Service) logDecision(ctx context.Context, p access.Principal, id string, asked guard.Intent, approved bool, err error) {
	status := "denied"
	switch {
	case err != nil:
		status = string(problems.As(err).Code)
	case approved:
		status = "approved"
	}
	attributes := []slog.Attr{slog.String("caller", string(p.Caller)), slog.String("approval", untrusted.Sanitize(id)), slog.String("status", status)}
	if asked.Tool != "" {
		attributes = append(attributes, slog.String("tool", asked.Tool))
	}
	if asked.Identity.Tenant != "" {
		attributes = append(attributes, slog.String("tenant", asked.Identity.Tenant))
	}
	s.deps.Logger.LogAttrs(ctx, slog.LevelInfo, "decision", attributes...)
}

func (s *Service) pending(ctx context.Context, t guard.Ticket) PendingApproval {
	digest := t.Digest()
	shown := PendingApproval{
		ID: t.ID, State: s.deps.Guard.State(t), Text: guard.QuestionFor(t.Intent).Text, Tool: t.Intent.Tool, Identity: t.Intent.Identity,
		Company: untrusted.Sanitize(t.Intent.Company), Domain: untrusted.Sanitize(t.Intent.Domain),
		PartnerID: t.Intent.PartnerID, Before: t.Intent.Before.String(), LinkedName: untrusted.Sanitize(t.Intent.LinkedName),
		LinkedSince: untrusted.Sanitize(t.Intent.LinkedSince), AskedBy: string(t.Intent.Caller), Reason: untrusted.Sanitize(t.Intent.Reason), Rule: t.Rule,
		CreatedAt: t.CreatedAt.UTC().Format(time.RFC3339), ExpiresAt: t.ExpiresAt.UTC().Format(time.RFC3339), Digest: hex.EncodeToString(digest[:]),
	}
	if t.Plan != nil {
		s.showPlan(ctx, t, &shown)
	}
	shown.Approvals, shown.Passkey, shown.Approver, shown.Denied = t.Approvals(), t.Demand.Passkey, t.Approvers(), t.Denial()
	if t.Decision != nil {
		shown.SameUser = t.Decision.SameUser
	}
	return shown
}

// showPlan adds the plan of a write to many tenants. One that cannot be read
// cannot be carried out either.
func (s *Service) showPlan(ctx context.Context, t guard.Ticket, shown *PendingApproval) {
	plan, err := s.deps.Guard.PlanOf(ctx, t)
	if err != nil {
		shown.Text = problems.As(err).Message
		return
	}
	shown.Text, shown.Before = guard.PlanQuestion(plan).Text, ""
	shown.Rows = fleet.Changes(plan, nil, nil)
	fleet.WrittenFirst(shown.Rows)
}

// SeenApproval is an approval as a person may look at it on a page.
type SeenApproval struct {
	PendingApproval
	// Asked says that the person asked, as this or another identity, and so cannot
	// decide; Unclear that this cannot be told; Again that they approved already.
	Asked, Unclear, Again bool
}

// recentShown is how many approvals that wait no more are listed.
const recentShown = 20

// SeenApprovals returns the approvals that a person may look at, newest first: those
// that wait, and some of the others.
func (s *Service) SeenApprovals(ctx context.Context, p access.Principal) (waiting, others []SeenApproval, err error) {
	tickets, err := s.deps.Guard.Questions(ctx)
	if err != nil {
		return nil, nil, err
	}
	past := func(t guard.Ticket) bool { return s.deps.Guard.State(t) != guard.StatePending }
	waiting, err = s.seen(ctx, p, xslices.Filter(tickets, func(t guard.Ticket) bool { return !past(t) }))
	if err != nil {
		return nil, nil, err
	}
	before := xslices.Filter(tickets, past)
	others, err = s.seen(ctx, p, before[:min(recentShown, len(before))])
	return waiting, others, err
}

func (s *Service) seen(ctx context.Context, p access.Principal, tickets []guard.Ticket) ([]SeenApproval, error) {
	seen, err := s.deps.Guard.SeenBy(ctx, p, tickets...)
	return xslices.Map(seen, func(t guard.Seen) SeenApproval {
		return SeenApproval{s.pending(ctx, t.Ticket), t.Asked, t.Unclear, t.Again}
	}), err
}

// SeenApproval returns one of them. One that the person may not see is not there.
func (s *Service) SeenApproval(ctx context.Context, p access.Principal, id string) (SeenApproval, error) {
	ticket, err := s.deps.Guard.Question(ctx, id, "")
	if err != nil {
		return SeenApproval{}, err
	}
	seen, err := s.seen(ctx, p, []guard.Ticket{ticket})
	if err == nil && len(seen) == 0 {
		err = guard.UnknownApproval()
	}
	if err != nil {
		return SeenApproval{}, err
	}
	return seen[0], nil
}

// CallOf is the call that carries out what an approval is for. What is linked now need
// not be among its arguments: the approval is bound to it.
func (s *Service) CallOf(ctx context.Context, t guard.Ticket) (Call, error) {
	call := Call{Tool: t.Intent.Tool, Confirmer: NoConfirmer{}}
	if t.Plan != nil {
		plan, err := s.deps.Guard.PlanOf(ctx, t)
		if err == nil {
			call.Arguments, err = WithApproval(json.RawMessage(plan.Arguments), t.ID)
		}
		return call, err
	}
	var err error
	call.Arguments, err = json.Marshal(schemas.RegisterPartnerInput{ // the other writes take the same
		Target:       schemas.Target{Tenant: t.Intent.Identity.Tenant, Credential: t.Intent.Identity.Credential},
		PartnerID:    t.Intent.PartnerID,
		Confirmation: schemas.Confirmation{ApprovalID: t.ID, Reason: t.Intent.Reason},
	})
	return call, err
}

// WithApproval adds the ID of an approval to the arguments of a call.
func WithApproval(arguments json.RawMessage, id string) (json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(arguments, &values); err != nil {
		return nil, err
	}
	values["approval_id"], _ = json.Marshal(id) // a text: it cannot fail
	return json.Marshal(values)
}

// Execute carries out what was approved, for a person who may decide on it. The call is
// that of who asked, and allowed no more than the person may do now: they need the
// scope of the tool beside that of approving. It answers once a run has begun.
func (s *Service) Execute(ctx context.Context, by access.Principal, id string, progress Progress) Result {
	ticket, err := s.deps.Guard.QuestionFor(ctx, by, id)
	if err != nil {
		return failure(err)
	}
	call, err := s.CallOf(ctx, ticket)
	if err == nil {
		err = s.deps.Guard.StillAsks(ctx, ticket)
	}
	if err != nil {
		return failure(err)
	}
	call.Principal = access.Principal{Caller: ticket.Intent.Caller, Grant: by.Grant, Token: by.Token, Revalidate: by.Revalidate}
	call.Progress, call.Brief = progress, true
	return s.Call(ctx, call)
}

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
	return done(answers.Envelope{
		Status: answers.StatusDone, Approval: approval,
		Summary: fmt.Sprintf("The approval of %s with partner ID %s in tenant %s is %s.",
			ticket.Intent.Tool, ticket.Intent.PartnerID, ticket.Intent.Identity.Tenant, approval.State),
	})
}

func (s *Service) approval(ctx context.Context, ticket guard.Ticket) *answers.Approval {
	state := s.deps.Guard.State(ticket)
	return &answers.Approval{
		ID: ticket.ID, State: state, ExpiresAt: ticket.ExpiresAt.UTC().Format(time.RFC3339),
		How: s.how(ctx, ticket, state),
	}
}

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

// given says how many of several approvers have approved.
func given(t guard.Ticket) string {
	if t.Approvals() == "" {
		return ""
	}
	return "Approvals so far: " + t.Approvals() + "."
}

func (s *Service) toApprove(ctx context.Context, ticket guard.Ticket) string {
	if s.deps.Simulated {
		return "This simulation runs in one process, so nobody else can approve: use a client that can ask its user, or start with --approval none."
	}
	if ticket.Demand.Passkey {
		where := "in the console of the server, approval " + ticket.ID
		if s.deps.Console {
			where = "at " + s.deps.PublicURL + "/console/approvals/" + ticket.ID
		}
		return strings.TrimSpace(fmt.Sprintf("Ask an approver to approve it with a passkey %s. %s", where, given(ticket)))
	}
	approve := fmt.Sprintf("Ask an approver to run this in a terminal on the machine that holds the state directory: %s approvals approve %s --approver NAME --execute", s.deps.Command, ticket.ID)
	approve = strings.TrimSpace(given(ticket) + " " + approve)
	if ticket.Intent.Caller.Remote() {
		who, at := "whose token has the scope", "/approvals/"
		if s.deps.Console {
			who, at = "with the scope", "/console/approvals/"
		}
		approve = fmt.Sprintf("Another person %s %s can decide at %s%s%s. Or: %s", who, access.ScopeApprove, s.deps.PublicURL, at, ticket.ID, approve)
	}
	if approvers, err := s.deps.Guard.Approvers(ctx); err == nil && len(approvers) == 0 {
		return fmt.Sprintf("No approver is set up yet. A person runs once: %s users add NAME. %s", s.deps.Command, approve)
	}
	return approve
}
