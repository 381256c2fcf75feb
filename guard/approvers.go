package guard

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"time"

	"golang.org/x/crypto/argon2"

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
		return nil, storeProblem(err)
	}
	live, err := g.opts.Store.Waiting(ctx)
	if err != nil {
		return nil, storeProblem(err)
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
	if err != nil {
		return nil, storeProblem(err)
	}
	return slices.DeleteFunc(live, func(t Ticket) bool { return t.Decision != nil }), nil
}

// Question returns one question for approvers, or a CodeApprovalUnknown
// problem. Caller "" is the operator, who sees all.
func (g *Guard) Question(ctx context.Context, id string, caller access.Caller) (Ticket, error) {
	ticket, ok, err := g.opts.Store.Ticket(ctx, id)
	if err != nil {
		return Ticket{}, storeProblem(err)
	}
	if !ok || ticket.InBand || caller != "" && ticket.Intent.Caller != caller {
		return Ticket{}, UnknownApproval()
	}
	return ticket, nil
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
	digest := ticket.Digest()
	signature, err := approver.Sign(passphrase, digest[:])
	if err != nil {
		return Ticket{}, err
	}
	return g.decide(ctx, ticket, Decision{Approved: true, Approver: name, Signature: signature})
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

func (g *Guard) decide(ctx context.Context, ticket Ticket, decision Decision) (Ticket, error) {
	if state := g.State(ticket); state != StatePending {
		return ticket, problems.New(problems.CodeApprovalExpired, "The approval is no longer pending: it is "+state+".")
	}
	decision.At = g.opts.Now()
	decision.SameUser = g.sameUser(ticket, decision)
	kind := KindApproved
	if !decision.Approved {
		kind = KindDeclined
	}
	event := g.event(kind, ticket.Intent, ticket.ID)
	event.Approver, event.SameUser, event.Detail = decision.Approver, decision.SameUser, decision.Reason
	first, err := g.opts.Store.DecideTicket(ctx, ticket.ID, decision, event)
	switch {
	case err != nil:
		return ticket, storeProblem(err)
	case !first:
		return ticket, problems.New(problems.CodeApprovalExpired, "The approval was decided or used meanwhile.")
	}
	ticket.Decision = &decision
	return ticket, nil
}

// signed checks the approval in a ticket against the approver's key, or the
// proof of one that was given over the network, so that an edited database
// approves nothing.
func (g *Guard) signed(ctx context.Context, ticket Ticket) error {
	if ticket.Decision.By != "" {
		return g.attested(ctx, ticket)
	}
	approver, err := g.approver(ctx, ticket.Decision.Approver)
	if err != nil {
		return err
	}
	digest := ticket.Digest()
	if len(approver.PublicKey) != ed25519.PublicKeySize || !ed25519.Verify(approver.PublicKey, digest[:], ticket.Decision.Signature) {
		return problems.New(problems.CodeApprovalUnknown, "The approval does not carry the signature of approver "+quote(approver.Name)+".")
	}
	return nil
}

func (g *Guard) approver(ctx context.Context, name string) (Approver, error) {
	approvers, err := g.Approvers(ctx)
	if err != nil {
		return Approver{}, err
	}
	i := slices.IndexFunc(approvers, func(a Approver) bool { return a.Name == name })
	if i < 0 {
		return Approver{}, problems.New(problems.CodeNotAllowed, "There is no approver "+quote(name)+".",
			problems.WithCommand("Ask a person to add one.", "mcp-partner approvers add NAME"))
	}
	return approvers[i], nil
}

// Credentials are an approver's name and passphrase.
type Credentials struct {
	Name       string
	Passphrase []byte
}

// AddApprover adds an approver. The first one needs no consent, every further
// one that of an approver.
func (g *Guard) AddApprover(ctx context.Context, added, by Credentials) error {
	if added.Name == "" || added.Name != untrusted.Sanitize(added.Name) {
		return problems.New(problems.CodeInvalidArgument, "An approver needs a name, without control characters and at most 120 characters long.")
	}
	if err := g.vouched(ctx, by, true); err != nil {
		return err
	}
	approver, err := NewApprover(added.Name, added.Passphrase, g.opts.ApproverCost, g.opts.Now())
	if err != nil {
		return err
	}
	fresh, err := g.opts.Store.PutApprover(ctx, approver, g.change(KindApprover, by.Name, "added "+added.Name))
	if err != nil {
		return storeProblem(err)
	}
	if !fresh {
		return problems.New(problems.CodeInvalidArgument, "There is an approver "+quote(added.Name)+" already.")
	}
	return nil
}

// RemoveApprover removes an approver, and revokes the tokens to approve that the
// approver consented to; another or the same one has to consent.
func (g *Guard) RemoveApprover(ctx context.Context, name string, by Credentials) error {
	if err := g.vouched(ctx, by, false); err != nil {
		return err
	}
	if err := g.revokeVouched(ctx, name); err != nil {
		return err
	}
	found, err := g.opts.Store.RemoveApprover(ctx, name, g.change(KindApprover, by.Name, "removed "+name))
	if err != nil {
		return storeProblem(err)
	}
	if !found {
		return problems.New(problems.CodeInvalidArgument, "There is no approver "+quote(name)+".")
	}
	return nil
}

// revokeVouched revokes the tokens that decide in an approver's place, and with
// them their unused approvals.
func (g *Guard) revokeVouched(ctx context.Context, approver string) error {
	tokens, err := g.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.IssuedBy != approver || !t.Grant.Has(access.ScopeApprove) || !t.Revocable(g.opts.Now()) {
			continue
		}
		if _, err := g.RevokeTokens(ctx, TokenSelection{ID: t.ID}); err != nil {
			return err
		}
	}
	return nil
}

// Approvers returns all approvers, ordered by name.
func (g *Guard) Approvers(ctx context.Context) ([]Approver, error) {
	return stored(g.opts.Store.Approvers(ctx))
}

// Attest returns an event that an approver answers for, after the passphrase
// was checked. The caller records it.
func (g *Guard) Attest(ctx context.Context, kind EventKind, by Credentials, detail string) (Event, error) {
	if err := g.vouched(ctx, by, false); err != nil {
		return Event{}, err
	}
	return g.change(kind, by.Name, detail), nil
}

// vouched checks an approver's passphrase. firstFree allows the first approver
// without one.
func (g *Guard) vouched(ctx context.Context, by Credentials, firstFree bool) error {
	approvers, err := g.Approvers(ctx)
	if err != nil || firstFree && len(approvers) == 0 {
		return err
	}
	approver, err := g.approver(ctx, by.Name)
	if err != nil {
		return err
	}
	_, err = approver.Sign(by.Passphrase, nil)
	return err
}

// Cost is what deriving an approver's key costs with Argon2id. Memory is in
// KiB. It is kept with each approver, so that it can be raised later.
type Cost struct {
	Time, Memory uint32
	Threads      uint8
}

// minPassphrase is the least length of an approver's passphrase, in bytes.
const minPassphrase = 8

// NewApprover makes an approver. Only the passphrase gives the private half of
// the key; it is kept nowhere.
func NewApprover(name string, passphrase []byte, cost Cost, now time.Time) (Approver, error) {
	if len(passphrase) < minPassphrase {
		return Approver{}, problems.New(problems.CodeInvalidArgument, "The passphrase is too short: use at least 8 characters.")
	}
	a := Approver{Name: name, Salt: make([]byte, 16), Time: cost.Time, Memory: cost.Memory, Threads: cost.Threads, AddedAt: now}
	_, _ = rand.Read(a.Salt)
	a.PublicKey = a.key(passphrase).Public().(ed25519.PublicKey)
	return a, nil
}

func (a Approver) key(passphrase []byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(argon2.IDKey(passphrase, a.Salt, a.Time, a.Memory, a.Threads, ed25519.SeedSize))
}

// Sign signs a digest with the key that the passphrase gives. A wrong
// passphrase is a CodeNotAllowed problem.
func (a Approver) Sign(passphrase, digest []byte) ([]byte, error) {
	key := a.key(passphrase)
	defer clear(key)
	if !bytes.Equal(key.Public().(ed25519.PublicKey), a.PublicKey) {
		return nil, problems.New(problems.CodeNotAllowed, "That is not the passphrase of approver "+quote(a.Name)+".",
			problems.WithHint("Type the passphrase that was set when the approver was added."))
	}
	return ed25519.Sign(key, digest), nil
}
