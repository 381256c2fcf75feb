package guard

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// DecisionRequest is what a caller with ScopeApprove says of a question.
type DecisionRequest struct {
	// Approved is the answer; Reason is why it was denied.
	Approved bool
	Reason   string
	// Digest is that of the question as it was shown, in hexadecimal: what is
	// approved is what was seen.
	Digest string
}

// QuestionsFor returns the questions that a caller with ScopeApprove may decide
// on: those that wait, of tenants, tools and partner IDs in its grant, and not
// its own. Newest first.
func (g *Guard) QuestionsFor(ctx context.Context, p access.Principal) ([]Ticket, error) {
	if err := mayApprove(p); err != nil {
		return nil, err
	}
	tickets, err := g.Pending(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(tickets, func(t Ticket) bool {
		return !g.decides(ctx, g.Confine(p).Grant, t) || t.Intent.Caller == p.Caller
	}), nil
}

// QuestionFor returns one question that a caller with ScopeApprove may look at.
// One out of its grant is answered as one that is not there.
func (g *Guard) QuestionFor(ctx context.Context, p access.Principal, id string) (Ticket, error) {
	if err := mayApprove(p); err != nil {
		return Ticket{}, err
	}
	ticket, err := g.Question(ctx, id, "")
	if err != nil {
		return Ticket{}, err
	}
	if !g.decides(ctx, g.Confine(p).Grant, ticket) {
		return Ticket{}, UnknownApproval()
	}
	return ticket, nil
}

// DecideAs records the decision of a caller with ScopeApprove. The requester
// cannot decide. An approval carries a proof under the sealing key, which
// Redeem verifies: a row of the store approves nothing. A failed decision is
// returned with its ticket, if there is one.
func (g *Guard) DecideAs(ctx context.Context, p access.Principal, id string, said DecisionRequest) (Ticket, error) {
	ticket, err := g.QuestionFor(ctx, p, id)
	if err != nil {
		return Ticket{}, err
	}
	if ticket.Intent.Caller == p.Caller {
		return ticket, problems.New(problems.CodeNotAllowed, "Requesters cannot decide on their own requests.",
			problems.WithHint("Another person with the scope %s must decide.", access.ScopeApprove))
	}
	if digest := ticket.Digest(); said.Approved && said.Digest != hex.EncodeToString(digest[:]) {
		return ticket, problems.New(problems.CodeApprovalMismatch, "The digest does not match the approval.",
			problems.WithHint("Read the approval, and send its digest with the decision."))
	}
	if err := g.Use(ctx, p); err != nil {
		return ticket, err
	}
	decision := Decision{Approved: said.Approved, Approver: string(p.Caller), By: p.Caller, Token: p.Token}
	if !said.Approved {
		decision.Reason = untrusted.Sanitize(said.Reason)
		return g.decide(ctx, ticket, decision)
	}
	if decision.Signature, err = g.opts.Sealer.box(ticket.ID, approvedBy(ticket, p.Caller)); err != nil {
		return ticket, problems.As(err)
	}
	return g.decide(ctx, ticket, decision)
}

func mayApprove(p access.Principal) error {
	if p.Caller != "" && p.Grant.Has(access.ScopeApprove) {
		return nil
	}
	return problems.New(problems.CodeInsufficientScope, "The caller's grant lacks the scope "+string(access.ScopeApprove)+", which is needed to decide on approvals.")
}

// decides reports whether a question lies inside what an approver was given; a
// plan does only with every row, those that are not written included.
func (g *Guard) decides(ctx context.Context, grant access.Grant, t Ticket) bool {
	if grant.Tools != nil && !slices.Contains(grant.Tools, t.Intent.Tool) {
		return false
	}
	if t.Plan == nil {
		return grant.AllowsTenant(t.Intent.Identity.Tenant) && grant.AllowsPartner(t.Intent.PartnerID)
	}
	plan, err := g.PlanOf(ctx, t)
	return err == nil && plan.ShownTo(grant) && !slices.ContainsFunc(plan.Rows, func(row PlanRow) bool {
		return slices.ContainsFunc(plan.subjects(row, access.Principal{}), func(s access.Subject) bool { return !grant.AllowsPartner(s.PartnerID) })
	})
}

// attested checks the proof of a decision that was made over the network, and
// that the token behind it was not taken back since.
func (g *Guard) attested(ctx context.Context, t Ticket) error {
	if t.Decision.By == t.Intent.Caller || !g.opts.Sealer.attests(t, t.Decision.By, t.Decision.Signature) {
		return problems.New(problems.CodeApprovalUnknown, "The approval does not carry the proof that "+quote(t.Decision.By)+" gave it.")
	}
	return g.stillVouched(ctx, t.Decision.Token)
}

// stillVouched refuses a token that was taken back, or whose approver was.
func (g *Guard) stillVouched(ctx context.Context, id string) error {
	token, err := g.unrevoked(ctx, id)
	if err != nil || id == "" { // no approver stands behind an access token
		return err
	}
	_, err = g.approver(ctx, token.IssuedBy)
	return err
}

// sameUser reports whether requester and approver cannot be told apart: at the
// terminal by the account of the operating system, over the network by the
// names of callers. Names of different kinds can be those of one person, and who is
// behind stdio, the terminal or the token of a start is not known at all.
func (g *Guard) sameUser(t Ticket, d Decision) bool {
	if d.By == "" {
		return t.Requester == g.opts.Account
	}
	kind, _, named := strings.Cut(string(t.Intent.Caller), ":")
	other, _, _ := strings.Cut(string(d.By), ":")
	toldApart := named && kind == other && t.Intent.Caller != d.By && slices.Contains([]string{"token", "oidc", "entra", "user"}, kind)
	return !toldApart
}

func (s *Sealer) attests(t Ticket, by access.Caller, proof []byte) bool {
	plain, ok := s.unbox(proof, approvedBy(t, by))
	return ok && bytes.Equal(plain, []byte(t.ID))
}

// approvedBy is what a proof authenticates beside the ID. It begins with words
// of its own, so that no seal of a question fits.
func approvedBy(t Ticket, by access.Caller) []byte {
	digest := t.Digest()
	return append(append([]byte("mcp-partner approved by\x00"), digest[:]...), by...)
}
