package guard

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	// clockSkew is how far the issuer's clock may be ahead.
	clockSkew = time.Minute
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

// Proof is a statement with a passkey's answer to it.
type Proof struct {
	Statement Statement `json:"statement"`
	Assertion Assertion `json:"assertion"`
}

// PasskeyChange is what became of a user's passkeys. ID, PublicKey and Origin are those
// of a new one.
type PasskeyChange struct {
	User      string `json:"user"`
	Became    string `json:"became"`
	ID        []byte `json:"id,omitempty"`
	PublicKey []byte `json:"public_key,omitempty"`
	Origin    string `json:"origin,omitempty"`
}

// What becomes of passkeys.
const (
	PasskeyEnrolled  = "enrolled"
	PasskeyConfirmed = "confirmed"
	PasskeyVoid      = "void"
)

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
			if user.signsFor(caller) && key.Origin == g.opts.Origin && key.Origin != "" {
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
	decision.Proof = &Proof{} // it is to come
	if _, err := g.counts(ctx, ticket, &decision); err != nil {
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
func (g *Guard) Lift(ctx context.Context, p access.Principal, said DecisionRequest) error {
	if err := mayApprove(p); err != nil {
		return err
	}
	said.Page = true
	lift := Decision{Approved: true, Approver: string(p.Caller), By: p.Caller, At: g.opts.Now()}
	if err := g.prove(&lift, said); err != nil {
		return err
	}
	if err := g.settled(ctx, p.Caller, lift.At); err != nil {
		return err
	}
	users, err := g.Users(ctx)
	if err != nil {
		return err
	}
	event := g.event(KindUnfreeze, Intent{Caller: p.Caller}, "")
	event.Approver, event.Proof = lift.Approver, lift.Proof
	return g.opts.Store.LiftFreeze(ctx, event, func(tx StateTx, now Freeze) error {
		digest := now.Digest()
		switch {
		case lift.Proof != nil:
			return g.useUp(tx, users, LiftsFreeze, digest, lift)
		case said.Digest != hex.EncodeToString(digest[:]):
			return problems.New(problems.CodeApprovalMismatch, "The freeze is another one than the one that was shown.",
				problems.WithHint("Read why it is frozen, then lift it again."))
		}
		return nil
	})
}

// prove adds what proves a decision that is made on a page or with a passkey.
func (g *Guard) prove(d *Decision, said DecisionRequest) error {
	_, local := strings.CutPrefix(string(d.By), userCaller)
	age := g.opts.Now().Sub(said.SignedInAt)
	switch {
	case (said.Statement == nil) != (said.Assertion == nil):
		return problems.New(problems.CodeInvalidArgument, "A passkey's decision needs both its statement and the passkey's answer.")
	case said.Statement != nil:
		d.Proof = &Proof{*said.Statement, *said.Assertion}
	case !said.Page:
	case local:
		return problems.New(problems.CodeNotAllowed, "Users of this server decide with their passkey.", problems.WithHint("Decide again, and use the passkey."))
	case age < -clockSkew || age > signInLife:
		return problems.New(problems.CodeNotAllowed, fmt.Sprintf("The last sign-in at the issuer was more than %d minutes ago.", int(signInLife.Minutes())),
			problems.WithHint("Sign in again, then decide."))
	}
	return nil
}

// useUp uses the nonce of a decision's statement, and keeps how often the passkey
// signed.
func (g *Guard) useUp(tx StateTx, users []User, approval string, digest runs.Digest, d Decision) error {
	user, err := proven(users, approval, digest, d)
	if err != nil {
		return err
	}
	var kept statementRow
	name, challenge := nonceName(d.Proof.Statement.Nonce), d.Proof.Statement.Challenge()
	ok, err := tx.State(OnceState, name, &kept)
	switch {
	case err != nil:
		return err
	case !ok || kept.Purpose != statementPurpose || !bytes.Equal(kept.Challenge, challenge[:]):
		return notProven("it was used already, or was not begun here")
	}
	if err := tx.Remove(OnceState, name); err != nil {
		return err
	}
	if _, err := tx.State(UserState, user.Name, &user); err != nil { // it may have changed meanwhile
		return err
	}
	key := user.passkey(*d.Proof)
	count := binary.BigEndian.Uint32(d.Proof.Assertion.AuthenticatorData[countAt:])
	switch {
	case key == nil || key.Origin != g.opts.Origin:
		return notProven("the passkey is not one of this server")
	case count <= key.SignCount && count+key.SignCount > 0:
		return notProven("the passkey counted backwards: it may be a copy")
	}
	key.SignCount = count
	return tx.Put(UserState, user.Name, user)
}

// proven checks that a passkey signed exactly this decision, and returns whose it is.
func proven(users []User, approval string, digest runs.Digest, d Decision) (User, error) {
	s := d.Proof.Statement
	i := slices.IndexFunc(users, func(u User) bool { return u.passkey(*d.Proof) != nil })
	switch {
	case s.Approval != approval || s.Digest != digest || s.Approved != d.Approved || s.Reason != d.Reason || s.By != d.By:
		return User{}, notProven("it is of another decision")
	case !d.At.Before(s.Expires):
		return User{}, notProven("it had expired")
	case i < 0:
		return User{}, notProven("the passkey does not belong to " + quote(d.By))
	case d.Approved && users[i].Fresh(d.At):
		return User{}, newPasskey(users[i].Name)
	}
	if err := d.Proof.Verify(*users[i].passkey(*d.Proof)); err != nil {
		return User{}, notProven(err.Error())
	}
	return users[i], nil
}

// passkey returns the one that signed, if it is this user's to sign with.
func (u User) passkey(p Proof) *Passkey {
	i := slices.IndexFunc(u.Passkeys, func(k Passkey) bool { return bytes.Equal(k.ID, p.Assertion.Key) })
	if i < 0 || !u.signsFor(p.Statement.By) {
		return nil
	}
	return &u.Passkeys[i]
}

func notProven(why string) error {
	return problems.New(problems.CodeApprovalUnknown, "The passkey's signature does not prove the decision: "+why+".",
		problems.WithHint("Begin the decision again."))
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
