package guard

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
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
	// Page says that a person decides on a page: with a passkey, or within minutes of
	// a sign-in at the issuer.
	Page bool
	// Statement and Assertion are a passkey's decision: both or none.
	Statement *Statement
	Assertion *Assertion
	// SignedInAt is when the person on the page signed in last at the issuer.
	SignedInAt time.Time
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
	decision := Decision{By: p.Caller, Token: p.Token}
	return slices.DeleteFunc(tickets, func(t Ticket) bool {
		humans, failed := g.humans(ctx, append(t.decisions(), decision)...)
		err = cmp.Or(err, failed)
		return !g.decides(ctx, g.Confine(p).Grant, t) || humans.one(t, decision) || humans.again(t, decision)
	}), err
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
	ticket, decision, err := g.decidable(ctx, p, id, said)
	if err != nil {
		return ticket, err
	}
	if err := g.prove(&decision, said); err != nil {
		return ticket, err
	}
	if err := g.Use(ctx, p); err != nil {
		return ticket, err
	}
	if decision.Approved {
		if decision.Signature, err = g.opts.Sealer.box(ticket.ID, approvedBy(ticket, decision)); err != nil {
			return ticket, problems.As(err)
		}
	}
	return g.decide(ctx, ticket, decision)
}

// decidable returns a question that a caller may decide on as said, and the decision,
// which is still to be proved.
func (g *Guard) decidable(ctx context.Context, p access.Principal, id string, said DecisionRequest) (Ticket, Decision, error) {
	ticket, err := g.QuestionFor(ctx, p, id)
	if err != nil {
		return Ticket{}, Decision{}, err
	}
	decision := Decision{Approved: said.Approved, Approver: string(p.Caller), By: p.Caller, Token: p.Token, Reason: untrusted.Sanitize(said.Reason)}
	if err := g.otherHuman(ctx, ticket, decision); err != nil {
		return ticket, decision, err
	}
	if digest := ticket.Digest(); said.Approved && said.Digest != hex.EncodeToString(digest[:]) {
		return ticket, decision, problems.New(problems.CodeApprovalMismatch, "The digest does not match the approval.",
			problems.WithHint("Read the approval, and send its digest with the decision."))
	}
	if err := g.pending(ticket); err != nil || !said.Approved {
		return ticket, decision, err
	}
	return ticket, decision, g.settled(ctx, decision.By, g.opts.Now())
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

// attested checks the proof of a decision that was made over the network, and that who
// made it was not removed or reset since, and the token behind it not taken back.
func (g *Guard) attested(ctx context.Context, t Ticket, d Decision) error {
	if !g.opts.Sealer.attests(t, d) {
		return problems.New(problems.CodeApprovalUnknown, "The approval does not carry the proof that "+quote(d.By)+" gave it.")
	}
	if err := g.settled(ctx, d.By, d.At); err != nil {
		return err
	}
	if d.Proof != nil {
		users, err := g.Users(ctx)
		if err != nil {
			return err
		}
		if _, err := proven(users, t.ID, t.Digest(), d); err != nil {
			return err
		}
	}
	return g.stillVouched(ctx, t, d.Token)
}

// stillVouched refuses a token that was taken back, or whose approver was, or whose
// person may not decide on the question any more.
func (g *Guard) stillVouched(ctx context.Context, t Ticket, id string) error {
	token, err := g.unrevoked(ctx, id)
	switch {
	case err != nil || id == "": // no approver stands behind an access token of an issuer
		return err
	case token.Family != "":
		if grant, err := g.standing(ctx, token); err != nil || !grant.Has(access.ScopeApprove) || !g.decides(ctx, grant, t) {
			return cmp.Or(err, tokenRefused())
		}
		return nil
	}
	_, err = g.approver(ctx, token.IssuedBy)
	return err
}

// settled refuses a caller that was no user with the scope to approve at a time, or
// had a passkey that was too new; callers of other kinds are not asked about.
func (g *Guard) settled(ctx context.Context, caller access.Caller, at time.Time) error {
	name, local := strings.CutPrefix(string(caller), userCaller)
	if !local {
		return nil
	}
	var user User
	ok, err := g.opts.Store.State(ctx, UserState, name, &user)
	switch {
	case err != nil:
		return err
	case !ok || !user.Grant.Has(access.ScopeApprove) || at.Before(user.AddedAt) || at.Before(user.ResetAt):
		return problems.New(problems.CodeNotAllowed, "There is no user "+quote(name)+" who may approve.")
	case user.Fresh(at):
		return newPasskey(name)
	default:
		return nil
	}
}

func newPasskey(of string) error {
	return problems.New(problems.CodeNotAllowed, fmt.Sprintf("The passkey of %s is new: it approves nothing for %d hours.", quote(of), int(newKeyWaits.Hours())),
		problems.WithCommand("Ask another approver to confirm it.", "mcp-partner users confirm %s", of))
}

// humans are the users of this server, to tell who is behind a request and a decision.
type humans struct {
	users []User
	// vouchers are the approvers in whose place tokens decide, by the token's ID.
	vouchers map[string]string
}

func (g *Guard) humans(ctx context.Context, behind ...Decision) (h humans, err error) {
	h.vouchers = map[string]string{}
	h.users, err = g.Users(ctx)
	for _, d := range behind {
		if err != nil || d.Token == "" {
			continue
		}
		var token Token
		if token, _, err = g.opts.Store.Token(ctx, d.Token); token.Family == "" {
			h.vouchers[d.Token] = token.IssuedBy
		}
	}
	return h, err
}

// decided reports whether a user is behind a decision, or vouches for its token.
func (h humans) decided(u User, d Decision) bool {
	return u.decided(d) || u.Name == h.vouchers[d.Token]
}

// one reports whether the same human asked and decides.
func (h humans) one(t Ticket, d Decision) bool {
	return t.Caller == d.By || slices.ContainsFunc(h.users, func(u User) bool { return u.asked(t) && h.decided(u, d) })
}

// two reports whether a user asked and another one decides.
func (h humans) two(t Ticket, d Decision) bool {
	return !h.one(t, d) && slices.ContainsFunc(h.users, func(u User) bool { return u.is(t.Caller) }) &&
		slices.ContainsFunc(h.users, func(u User) bool { return u.decided(d) })
}

// askedHere reports whether a request on this machine came from the account of a user.
func (h humans) askedHere(t Ticket) bool {
	return !t.Caller.Remote() && slices.ContainsFunc(h.users, func(u User) bool { return u.asked(t) })
}

// again reports whether somebody decides who approved already, or cannot be told from
// who did: both are users of this server, or both have names of one issuer.
func (h humans) again(t Ticket, d Decision) bool {
	return slices.ContainsFunc(t.Earlier, func(e Decision) bool {
		first := xslices.Filter(h.users, func(u User) bool { return h.decided(u, e) })
		second := xslices.Filter(h.users, func(u User) bool { return h.decided(u, d) })
		kind, _, _ := strings.Cut(string(d.By), ":")
		issuer := sameIssuer(d.By, e.By) && slices.Contains([]string{"oidc", "entra"}, kind) && !strings.EqualFold(string(d.By), string(e.By))
		both := slices.ContainsFunc(first, func(u User) bool { return h.decided(u, d) })
		return both || !issuer && (len(first) == 0 || len(second) == 0)
	})
}

// is reports whether a caller is this user.
func (u User) is(caller access.Caller) bool {
	same := func(c access.Caller) bool { return strings.EqualFold(string(c), string(caller)) }
	return same(UserCaller(u.Name)) || slices.ContainsFunc(u.Also, same)
}

// asked reports whether the user is behind a request. The account is that of the process
// that took it, which says nothing where the caller is a person who signed in.
func (u User) asked(t Ticket) bool {
	kind, _, _ := strings.Cut(string(t.Caller), ":")
	return u.is(t.Caller) || !slices.Contains([]string{"oidc", "entra", "user"}, kind) &&
		slices.ContainsFunc(u.Accounts, func(a string) bool { return strings.EqualFold(a, t.Requester) })
}

// decided reports whether the user is behind a decision.
func (u User) decided(d Decision) bool {
	return d.By == "" && d.Approver == u.Name || d.By != "" && u.is(d.By)
}

// otherHuman refuses a decision by the human who asked.
func (g *Guard) otherHuman(ctx context.Context, t Ticket, d Decision) error {
	humans, err := g.humans(ctx, d)
	if err != nil || !humans.one(t, d) {
		return err
	}
	return problems.New(problems.CodeNotAllowed, "Requesters cannot decide on their own requests: "+quote(t.Caller)+" and "+quote(d.Approver)+" are the same person.",
		problems.WithHint("Another person with the scope %s must decide.", access.ScopeApprove))
}

// sameUser reports whether requester and approver cannot be told apart: by the users of
// this server, at the terminal by the account of the operating system, over the
// network by the names of callers. Names of different kinds can be those of one person,
// and who is behind stdio, the terminal or the token of a start is not known at all.
func (g *Guard) sameUser(t Ticket, d Decision, humans humans) bool {
	if humans.two(t, d) {
		return false
	}
	if d.By == "" {
		return t.Requester == g.opts.Account
	}
	kind, _, named := strings.Cut(string(t.Intent.Caller), ":")
	toldApart := named && sameIssuer(t.Intent.Caller, d.By) && t.Intent.Caller != d.By && slices.Contains([]string{"token", "oidc", "entra", "user"}, kind)
	return !toldApart
}

// sameIssuer reports whether two names are of one kind, and with Entra ID of one tenant:
// a guest has a name in each.
func sameIssuer(a, b access.Caller) bool {
	of := func(c access.Caller) string {
		kind, name, _ := strings.Cut(string(c), ":")
		if kind == "entra" {
			name, _, _ = strings.Cut(name, ":")
			return strings.ToLower(kind + ":" + name)
		}
		return kind
	}
	return of(a) == of(b)
}

func (s *Sealer) attests(t Ticket, d Decision) bool {
	plain, ok := s.unbox(d.Signature, approvedBy(t, d))
	return ok && bytes.Equal(plain, []byte(t.ID))
}

// approvedBy is what a proof authenticates beside the ID. It begins with words
// of its own, so that no seal of a question fits. A passkey's statement goes with it,
// so that its proof cannot be taken away.
func approvedBy(t Ticket, d Decision) []byte {
	label, digest, signed := "mcp-partner approved by\x00", t.Digest(), []byte(nil)
	if d.Proof != nil {
		challenge := d.Proof.Statement.Challenge()
		label, signed = "mcp-partner approved with a passkey by\x00", challenge[:]
	}
	return slices.Concat([]byte(label), digest[:], signed, []byte(d.By))
}
