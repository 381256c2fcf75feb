package guard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

const (
	// LiftsFreeze is in the place of an approval's ID where a freeze is lifted.
	LiftsFreeze = "freeze"
	// statementPurpose tells the nonce of a statement from other rows that are good once.
	statementPurpose = "statement"
	statementLife    = 5 * time.Minute
	// signInLife is how long a sign-in at the issuer allows decisions on a page.
	signInLife = 5 * time.Minute
)

// Statement is what somebody decides, as a passkey signs it.
type Statement struct {
	// Approval is the ID of the ticket, or LiftsFreeze.
	Approval string `json:"approval"`
	// Digest is Ticket.Digest, or Freeze.Digest.
	Digest   runs.Digest `json:"digest"`
	Approved bool        `json:"approved"`
	// Reason is sanitized.
	Reason  string        `json:"reason,omitempty"`
	By      access.Caller `json:"by"`
	Expires time.Time     `json:"expires"`
	// Nonce is kept by the guard, and used once.
	Nonce []byte `json:"nonce"`
}

// Challenge is what the passkey signs: a hash of all fields, under a label that no
// sign-in has.
func (s Statement) Challenge() [sha256.Size]byte {
	text := []byte("mcp-partner decision v1\x00")
	answer := "deny"
	if s.Approved {
		answer = "approve"
	}
	for _, field := range []string{s.Approval, string(s.Digest[:]), answer, s.Reason, string(s.By), s.Expires.UTC().Format(StampLayout), string(s.Nonce)} {
		text = append(binary.BigEndian.AppendUint64(text, uint64(len(field))), field...)
	}
	return sha256.Sum256(text)
}

// Assertion is a passkey's answer to a challenge, in the bytes of WebAuthn.
type Assertion struct {
	// Key is the ID of the passkey.
	Key               []byte `json:"key"`
	ClientData        []byte `json:"client_data"`
	AuthenticatorData []byte `json:"authenticator_data"`
	Signature         []byte `json:"signature"`
}

// Digest names a freeze, so that what is lifted is what was seen.
func (f Freeze) Digest() [sha256.Size]byte {
	f.Since = f.Since.UTC()
	canonical, _ := json.Marshal(f)
	return sha256.Sum256(canonical)
}

// SigningKeys returns the IDs of the passkeys that can sign a caller's decisions.
func (g *Guard) SigningKeys(ctx context.Context, caller access.Caller) (ids [][]byte, err error) {
	users, err := g.Users(ctx)
	for _, user := range users {
		for _, key := range user.Passkeys {
			if user.signsFor(caller) && g.opts.Origin != "" {
				ids = append(ids, key.ID)
			}
		}
	}
	return ids, err
}

// signsFor reports whether a passkey of the user decides for a caller.
func (u User) signsFor(caller access.Caller) bool {
	if name, local := strings.CutPrefix(string(caller), userCaller); local {
		return name == u.Name
	}
	return u.is(caller)
}

// BeginDecision returns the statement that a passkey has to sign for a decision, and
// the IDs of the passkeys that can. It refuses what DecideAs would refuse, so that
// nobody signs in vain.
func (g *Guard) BeginDecision(ctx context.Context, p access.Principal, id string, said DecisionRequest) (Statement, [][]byte, error) {
	ticket, decision, err := g.decidable(ctx, p, id, said)
	if err != nil {
		return Statement{}, nil, err
	}
	return g.begins(ctx, Statement{Approval: ticket.ID, Digest: ticket.Digest(), Approved: said.Approved, Reason: decision.Reason, By: p.Caller})
}

// begins completes a statement and keeps its nonce.
func (g *Guard) begins(ctx context.Context, s Statement) (Statement, [][]byte, error) {
	keys, err := g.SigningKeys(ctx, s.By)
	switch {
	case err != nil:
		return Statement{}, nil, err
	case len(keys) == 0:
		return Statement{}, nil, problems.New(problems.CodeNotAllowed, "There is no passkey that can sign a decision of "+quote(s.By)+".",
			problems.WithHint("Sign in again and decide within %d minutes, or ask the operator for an invitation to make a passkey.", int(signInLife.Minutes())))
	}
	s.Nonce = make([]byte, 32)
	_, _ = rand.Read(s.Nonce) // never fails: crypto/rand ends the process instead
	s.Expires = g.opts.Now().Add(statementLife).UTC().Truncate(time.Second)
	challenge := s.Challenge()
	row := statementRow{Purpose: statementPurpose, Challenge: challenge[:], Expires: Stamp{Time: s.Expires}}
	err = g.opts.Store.ChangeStates(ctx, func(tx StateTx) error { return tx.Put(OnceState, nonceName(s.Nonce), row) })
	return s, keys, err
}

// statementRow is what is kept of a statement until it is signed.
type statementRow struct {
	Purpose   string `json:"purpose"`
	Challenge []byte `json:"challenge"`
	Expires   Stamp  `json:"expires"`
}

func nonceName(nonce []byte) string {
	sum := sha256.Sum256(append([]byte("mcp-partner statement\x00"), nonce...))
	return hex.EncodeToString(sum[:])
}

// BeginLift returns the statement that a passkey has to sign to lift the freeze that
// is set now, as BeginDecision does for a decision.
func (g *Guard) BeginLift(ctx context.Context, p access.Principal) (Statement, [][]byte, error) {
	if err := mayApprove(p); err != nil {
		return Statement{}, nil, err
	}
	freeze, err := g.Frozen(ctx)
	if err != nil {
		return Statement{}, nil, err
	}
	return g.begins(ctx, Statement{Approval: LiftsFreeze, Digest: freeze.Digest(), Approved: true, By: p.Caller})
}

// Lift lifts the freeze for a caller with ScopeApprove, who proves it as on a page.
// Its Digest is that of the freeze that was shown, in hexadecimal.
func (g *Guard) Lift(context.Context, access.Principal, DecisionRequest) error {
	return problems.New(problems.CodeNotAllowed, "A freeze cannot be lifted here yet.")
}

// Stop freezes as SetFreeze does, for a caller who may write or approve.
func (g *Guard) Stop(ctx context.Context, p access.Principal, reason string, reads bool) error {
	if p.Caller == "" || !slices.ContainsFunc([]access.Scope{access.ScopeWrite, access.ScopeChange, access.ScopeApprove}, p.Grant.Has) {
		return problems.New(problems.CodeInsufficientScope, "The caller's grant has no scope to write or to approve, one of which is needed to freeze.")
	}
	event := g.event(KindFreeze, Intent{Caller: p.Caller}, "")
	event.Approver = string(p.Caller)
	return g.freeze(ctx, reads, reason, event)
}

// freeze sets the freeze with an event that says who.
func (g *Guard) freeze(ctx context.Context, reads bool, reason string, event Event) error {
	event.Detail = untrusted.Sanitize(reason)
	if event.Detail == "" {
		return problems.New(problems.CodeInvalidArgument, "A freeze needs a reason for agents and the ledger.")
	}
	freeze := Freeze{Writes: true, Reads: reads, Reason: event.Detail, By: event.Approver, Since: event.Time}
	return g.opts.Store.SetFreeze(ctx, freeze, event)
}
