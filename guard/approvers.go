package guard

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"mcp-partner/access"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// questionsShown is how many of the newest questions a list shows, beside those
// that are live.
const questionsShown = 100

// Questions returns the questions for approvers, newest first: all that are
// live, and of the others those among the newest.
func (g *Guard) Questions(ctx context.Context) ([]Ticket, error) {
	tickets, err := g.opts.Store.Tickets(ctx, questionsShown)
	if err != nil {
		return nil, err
	}
	live, err := g.opts.Store.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	for _, ticket := range live {
		if !slices.ContainsFunc(tickets, func(t Ticket) bool { return t.ID == ticket.ID }) {
			tickets = append(tickets, ticket)
		}
	}
	slices.SortStableFunc(tickets, func(a, b Ticket) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return tickets, nil
}

// Pending returns all questions that wait for an approver, newest first. None is
// left out, however many came after it.
func (g *Guard) Pending(ctx context.Context) ([]Ticket, error) {
	live, err := g.opts.Store.Waiting(ctx)
	return slices.DeleteFunc(live, func(t Ticket) bool { return t.Decision != nil }), err
}

// Question returns one question for approvers, or a CodeApprovalUnknown
// problem. Caller "" is the operator, who sees all.
func (g *Guard) Question(ctx context.Context, id string, caller access.Caller) (Ticket, error) {
	return g.ticket(ctx, id, func(t Ticket) bool { return !t.InBand && (caller == "" || t.Intent.Caller == caller) })
}

// Where a question for an approver stands.
const (
	StatePending  = "pending"
	StateApproved = "approved"
	StateDenied   = "denied"
	StateUsed     = "used"
	StateExpired  = "expired"
)

// State words where a question for an approver stands.
func (g *Guard) State(t Ticket) string {
	switch {
	case t.Decision != nil && !t.Decision.Approved:
		return StateDenied
	case t.Spent:
		return StateUsed
	case !g.opts.Now().Before(t.ExpiresAt):
		return StateExpired
	case t.Decision != nil:
		return StateApproved
	default:
		return StatePending
	}
}

// Approve records that an approver confirmed a question. The passphrase signs
// the question's digest; the signature is what Redeem believes.
func (g *Guard) Approve(ctx context.Context, id, name string, passphrase []byte) (Ticket, error) {
	ticket, err := g.Question(ctx, id, "")
	if err != nil {
		return Ticket{}, err
	}
	approver, err := g.approver(ctx, name)
	if err != nil {
		return Ticket{}, err
	}
	if !g.decides(ctx, approver.Grant, ticket) {
		return Ticket{}, problems.New(problems.CodeNotAllowed, "The grant of approver "+quote(name)+" does not cover this request.",
			problems.WithHint("Another approver must decide."))
	}
	decision := Decision{Approved: true, Approver: name}
	if err := g.otherHuman(ctx, ticket, decision); err != nil {
		return Ticket{}, err
	}
	digest := ticket.Digest()
	if decision.Signature, err = approver.sign(passphrase, digest[:]); err != nil {
		return Ticket{}, err
	}
	return g.decide(ctx, ticket, decision)
}

// Deny records that somebody said no. That needs no passphrase: a no does no
// harm.
func (g *Guard) Deny(ctx context.Context, id, reason string) (Ticket, error) {
	ticket, err := g.Question(ctx, id, "")
	if err != nil {
		return Ticket{}, err
	}
	return g.decide(ctx, ticket, Decision{Approver: g.opts.Account, Reason: untrusted.Sanitize(reason)})
}

// pending refuses a question that can no longer be decided.
func (g *Guard) pending(ticket Ticket) error {
	if state := g.State(ticket); state != StatePending {
		return problems.New(problems.CodeApprovalExpired, "The approval is no longer pending: it is "+state+".")
	}
	return nil
}

func (g *Guard) decide(ctx context.Context, ticket Ticket, decision Decision) (Ticket, error) {
	if err := g.pending(ticket); err != nil {
		return ticket, err
	}
	humans, err := g.counts(ctx, ticket, &decision)
	if err != nil {
		return ticket, err
	}
	decision.At = g.opts.Now()
	kind := KindApproved
	if !decision.Approved {
		kind = KindDeclined
	}
	event := g.event(kind, ticket.Intent, ticket.ID)
	event.Approver, event.SameUser, event.Detail, event.Proof = decision.Approver, decision.SameUser, decision.Reason, decision.Proof
	first, err := g.opts.Store.DecideTicket(ctx, ticket.ID, decision, event, func(tx StateTx, now Ticket) error {
		ticket = now
		switch {
		case decision.Approved && humans.again(now, decision):
			return samePerson(decision)
		case decision.Proof != nil:
			return g.useUp(tx, humans.users, now.ID, now.Digest(), decision)
		}
		return nil
	})
	switch {
	case err != nil:
		return ticket, err
	case !first:
		return ticket, problems.New(problems.CodeApprovalExpired, "The approval was decided or used meanwhile.")
	}
	ticket.Decide(decision)
	return ticket, nil
}

// counts refuses an approval that would not count, and tells whether requester and
// approver cannot be told apart.
func (g *Guard) counts(ctx context.Context, ticket Ticket, d *Decision) (humans, error) {
	humans, err := g.humans(ctx, append(ticket.decisions(), *d)...)
	if err != nil {
		return humans, err
	}
	d.SameUser = g.sameUser(ticket, *d, humans)
	if d.Approved && humans.again(ticket, *d) {
		return humans, samePerson(*d)
	}
	return humans, humans.satisfy(ticket, *d)
}

// signed checks the approvals in a ticket against the approvers' keys, or the
// proofs of those that were given over the network, so that an edited database
// approves nothing; that none is the requester's own; and that they are what a rule
// demands now.
func (g *Guard) signed(ctx context.Context, ticket Ticket, demand access.Demand) error {
	decisions := ticket.decisions()
	if len(decisions) < demand.Approvers {
		return problems.New(problems.CodeApprovalMismatch, fmt.Sprintf("The policy now requires %d approvers, and %d approved.", demand.Approvers, len(decisions)))
	}
	humans, err := g.humans(ctx, decisions...)
	if err != nil {
		return err
	}
	ticket.Demand = demand
	for i, d := range decisions {
		if err := g.proved(ctx, ticket, d); err != nil {
			return err
		}
		if err := g.otherHuman(ctx, ticket, d); err != nil {
			return err
		}
		d.SameUser = d.SameUser || d.By != "" && g.sameUser(ticket, d, humans)
		if err := humans.satisfy(ticket, d); err != nil {
			return err
		}
		if ticket.Earlier = decisions[:i]; humans.again(ticket, d) {
			return samePerson(d)
		}
	}
	return nil
}

// satisfy refuses an approval that is not of the kind that the rule wants.
func (h humans) satisfy(t Ticket, d Decision) error {
	switch {
	case !d.Approved || !t.Demand.Passkey:
		return nil
	case d.Proof == nil:
		return t.NeedsPasskey()
	case d.SameUser && !h.askedHere(t):
		return problems.New(problems.CodeNotAllowed, "The policy requires a passkey of another person, and "+quote(t.Caller)+" may be the same person as "+quote(d.Approver)+".",
			problems.WithCommand("Invite the requester as a user with their callers (--also) and accounts (--accounts).", "mcp-partner users list"))
	default:
		return nil
	}
}

// NeedsPasskey refuses to approve without a passkey where the rule wants one.
func (t Ticket) NeedsPasskey() error {
	if !t.Demand.Passkey {
		return nil
	}
	return problems.New(problems.CodeNotAllowed, "The policy's rule "+quote(t.Rule)+" requires an approval that a passkey signs.",
		problems.WithHint("Sign in to the console of the server, open the approval %s there, and approve it with your passkey.", t.ID))
}

func samePerson(d Decision) error {
	return problems.New(problems.CodeNotAllowed, "The policy requires two people, and "+quote(d.Approver)+" is, or may be, the one who approved already.",
		problems.WithHint("Another user of this server must decide."))
}

func (g *Guard) proved(ctx context.Context, ticket Ticket, d Decision) error {
	if d.By != "" {
		return g.attested(ctx, ticket, d)
	}
	approver, err := g.approver(ctx, d.Approver)
	if err != nil {
		return err
	}
	digest := ticket.Digest()
	if key := approver.Key.PublicKey; len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, digest[:], d.Signature) {
		return problems.New(problems.CodeApprovalUnknown, "The approval does not carry the signature of approver "+quote(approver.Name)+".")
	}
	return nil
}

// Attest returns an event that an approver answers for, after the passphrase
// was checked. The caller records it.
func (g *Guard) Attest(ctx context.Context, kind EventKind, by Credentials, detail string) (Event, error) {
	if err := g.vouched(ctx, by, false); err != nil {
		return Event{}, err
	}
	return g.change(kind, by.Name, detail), nil
}
