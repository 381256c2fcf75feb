package guard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
)

const (
	origin     = "https://partner.example.com"
	annaCaller = access.Caller("user:anna")
	bertCaller = access.Caller("user:bert")
	carlEntra  = access.Caller("entra:11111111-1111-1111-1111-111111111111:33333333-3333-3333-3333-333333333333")
)

// stillWaits is in the place of a code where a question has no answer yet.
const stillWaits problems.Code = "waits"

// device is a passkey in software. What it says is set by the test; it is written from
// the standard and not with the library that checks it.
type device struct {
	t                  testing.TB
	kind, origin, rpID string
	flags              byte
	count              uint32
	id                 []byte
	key                *ecdsa.PrivateKey
	challenge          func([32]byte) [32]byte // what is signed in place of the challenge
}

func newDevice(t testing.TB, name string) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &device{t: t, kind: "webauthn.get", origin: origin, rpID: "partner.example.com", flags: 1 | 4, id: []byte("key of " + name), key: key}
}

// public is the key in the form of COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
func (d *device) public() []byte {
	point, err := d.key.PublicKey.Bytes()
	if err != nil {
		d.t.Fatal(err)
	}
	key := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32}, point[1:33]...)
	return append(append(key, 0x22, 0x58, 32), point[33:]...)
}

func (d *device) sign(s guard.Statement) *guard.Assertion {
	d.count++
	challenge := s.Challenge()
	if d.challenge != nil {
		challenge = d.challenge(challenge)
	}
	client, _ := json.Marshal(map[string]any{"type": d.kind, "challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "origin": d.origin, "crossOrigin": false})
	host, hash := sha256.Sum256([]byte(d.rpID)), sha256.Sum256(client)
	data := binary.BigEndian.AppendUint32(append(host[:], d.flags), d.count)
	digest := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return &guard.Assertion{Key: d.id, ClientData: client, AuthenticatorData: data, Signature: signature}
}

// enrolled gives a user a passkey, as a browser does that opens an invitation, and
// waits until it may approve.
func enrolled(t *testing.T, store *ledgertest.Store, c *testkit.Clock, name string) *device {
	t.Helper()
	d, now := newDevice(t, name), c.Now()
	err := store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
		var user guard.User
		if ok, err := tx.State(guard.UserState, name, &user); !ok || err != nil {
			t.Fatal(ok, err)
		}
		user.Passkeys = []guard.Passkey{{ID: d.id, PublicKey: d.public(), Origin: origin, AddedAt: now}}
		event := guard.Event{Time: now, Kind: guard.KindUser, Detail: "enrolled a passkey"}
		event.Passkey = &guard.PasskeyChange{User: name, Became: guard.PasskeyEnrolled, ID: d.id, PublicKey: d.public(), Origin: origin}
		return tx.Put(guard.UserState, name, user, event)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// console is a guard over a store with the users anna, who also signs in as annaEntra,
// and bert. Both have a passkey.
type console struct {
	*guard.Guard
	t          *testing.T
	store      *ledgertest.Store
	clock      *testkit.Clock
	options    guard.Options
	anna, bert *device
}

// asks is a policy of one rule that wants an approver, and more.
func asks(demand access.Demand) []access.Rule {
	return []access.Rule{{Name: "own IDs", Operations: []string{"write", "destroy"}, Ruling: access.RulingApprover, Demand: demand}}
}

func newConsole(t *testing.T, demand access.Demand) *console {
	t.Helper()
	c := &console{t: t, clock: newClock()}
	c.store = ledgertest.New(t, c.clock.Now)
	c.options = guard.Options{Rules: asks(demand), Store: c.store, Now: c.clock.Now, Account: "ops", Origin: origin, Sealer: guard.NewSealer(), ApproverCost: guard.Cost{Time: 1, Memory: 64, Threads: 1}}
	c.Guard = newGuard(t, c.options)
	if err := c.AddUser(t.Context(), guard.User{Name: "anna", Also: []access.Caller{annaEntra}}, anna.Passphrase, guard.Credentials{}); err != nil {
		t.Fatal(err)
	}
	if err := c.AddUser(t.Context(), guard.User{Name: "bert", Accounts: []string{"berts-pc"}}, bert.Passphrase, anna); err != nil {
		t.Fatal(err)
	}
	c.anna, c.bert = enrolled(t, c.store, c.clock, "anna"), enrolled(t, c.store, c.clock, "bert")
	c.clock.Advance(25 * time.Hour)
	return c
}

// under is the same guard under another policy.
func (c *console) under(demand access.Demand) *guard.Guard {
	o := c.options
	o.Rules = asks(demand)
	return newGuard(c.t, o)
}

// ask is what "token:bot" asks for, and its ticket.
func (c *console) ask(caller access.Caller) (guard.Intent, guard.Ticket) {
	c.t.Helper()
	i := askedBy(caller)
	ticket, err := waits(c.Authorize(c.t.Context(), by(caller), i, false))
	if err != nil {
		c.t.Fatal(err)
	}
	return i, ticket
}

// signed is a decision with a passkey.
func (c *console) signed(by access.Caller, d *device, t guard.Ticket, said guard.DecisionRequest) guard.DecisionRequest {
	c.t.Helper()
	s, keys, err := c.BeginDecision(c.t.Context(), approver(by), t.ID, said)
	if err != nil || len(keys) != 1 || string(keys[0]) != string(d.id) {
		c.t.Fatalf("%q, %v", keys, err)
	}
	said.Page, said.Statement, said.Assertion = true, &s, d.sign(s)
	return said
}

func (c *console) redeem(g *guard.Guard, i guard.Intent, id string) problems.Code {
	_, pending, err := redeemed(g.Redeem(c.t.Context(), by(i.Caller), i, id))
	if err == nil && pending != nil {
		return stillWaits
	}
	return codeOf(err)
}

func (c *console) whole() {
	c.t.Helper()
	if report, err := c.store.Verify(c.t.Context(), nil); err != nil || !report.Whole() {
		c.t.Errorf("the record: %+v, %v", report.Findings, err)
	}
}

func TestPasskeyDecides(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by       access.Caller
		approved bool
		redeems  problems.Code
	}{
		"a user approves":                    {annaCaller, true, ""},
		"a user denies":                      {annaCaller, false, problems.CodeApprovalDeclined},
		"the same person through the issuer": {annaEntra, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{})
			i, ticket := c.ask("token:bot")
			said := yes(ticket)
			said.Approved, said.Reason = test.approved, "agreed \x1b[31mon the phone"
			said = c.signed(test.by, c.anna, ticket, said)
			decided, err := c.DecideAs(t.Context(), approver(test.by), ticket.ID, said)
			if err != nil || decided.Decision.Proof == nil || decided.Decision.Approved != test.approved {
				t.Fatalf("%+v, %v", decided.Decision, err)
			}
			if code := c.redeem(c.Guard, i, ticket.ID); code != test.redeems {
				t.Errorf("redeem: %q", code)
			}
			proofs := 0
			for _, e := range c.store.Events() {
				if e.Proof != nil {
					proofs++
					if body, _ := json.Marshal(e.Proof); len(body) > 1100 || e.Detail != said.Statement.Reason || strings.Contains(e.Detail, "\x1b") {
						t.Errorf("%d bytes, %q", len(body), e.Detail)
					}
				}
			}
			if proofs != 1 {
				t.Errorf("the record has %d proofs", proofs)
			}
			c.whole()
			var user guard.User
			if _, err := c.store.State(t.Context(), guard.UserState, "anna", &user); err != nil || user.Passkeys[0].SignCount != c.anna.count {
				t.Errorf("%d, %v", user.Passkeys[0].SignCount, err)
			}
		})
	}
}

// Each case changes what a browser sends after the passkey signed, or how it signed.
func TestForgedAnswerDecidesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		device func(*device)
		said   func(*console, *guard.DecisionRequest)
		code   problems.Code
	}{
		"control": {},
		"deny turned into approve": {said: func(c *console, r *guard.DecisionRequest) {
			no := *r.Statement
			no.Approved = false
			r.Assertion = c.anna.sign(no)
		}, code: problems.CodeApprovalUnknown},
		"decision changed":      {said: func(_ *console, r *guard.DecisionRequest) { r.Approved = false }, code: problems.CodeApprovalUnknown},
		"reason changed":        {said: func(_ *console, r *guard.DecisionRequest) { r.Reason = "other" }, code: problems.CodeApprovalUnknown},
		"reason changed inside": {said: func(_ *console, r *guard.DecisionRequest) { r.Reason, r.Statement.Reason = "other", "other" }, code: problems.CodeApprovalUnknown},
		"assertion of another ticket": {said: func(c *console, r *guard.DecisionRequest) {
			_, other := c.ask("token:other")
			r.Assertion = c.signed(annaCaller, c.anna, other, yes(other)).Assertion
		}, code: problems.CodeApprovalUnknown},
		"statement of another ticket": {said: func(c *console, r *guard.DecisionRequest) {
			_, other := c.ask("token:other")
			said := c.signed(annaCaller, c.anna, other, yes(other))
			r.Assertion, r.Statement = said.Assertion, said.Statement
		}, code: problems.CodeApprovalUnknown},
		"key of another user": {said: func(c *console, r *guard.DecisionRequest) { r.Assertion = c.bert.sign(*r.Statement) }, code: problems.CodeApprovalUnknown},
		"key swapped":         {said: func(c *console, r *guard.DecisionRequest) { r.Assertion.Key = c.bert.id }, code: problems.CodeApprovalUnknown},
		"expired":             {said: func(c *console, _ *guard.DecisionRequest) { c.clock.Advance(5 * time.Minute) }, code: problems.CodeApprovalUnknown},
		"later expiry": {said: func(c *console, r *guard.DecisionRequest) {
			r.Statement.Expires = r.Statement.Expires.Add(time.Hour)
			r.Assertion = c.anna.sign(*r.Statement)
		}, code: problems.CodeApprovalUnknown},
		"nonce of nobody": {said: func(c *console, r *guard.DecisionRequest) {
			r.Statement.Nonce = []byte("0123456789abcdef0123456789abcdef")
			r.Assertion = c.anna.sign(*r.Statement)
		}, code: problems.CodeApprovalUnknown},
		"no assertion":       {said: func(_ *console, r *guard.DecisionRequest) { r.Assertion = nil }, code: problems.CodeInvalidArgument},
		"no statement":       {said: func(_ *console, r *guard.DecisionRequest) { r.Statement = nil }, code: problems.CodeInvalidArgument},
		"neither":            {said: func(_ *console, r *guard.DecisionRequest) { r.Statement, r.Assertion = nil, nil }, code: problems.CodeNotAllowed},
		"digest not as read": {said: func(_ *console, r *guard.DecisionRequest) { r.Digest = hex.EncodeToString(make([]byte, 32)) }, code: problems.CodeApprovalMismatch},
		"a sign-in":          {device: func(d *device) { d.challenge = func([32]byte) [32]byte { return sha256.Sum256([]byte("sign in")) } }, code: problems.CodeApprovalUnknown},
		"an enrolment":       {device: func(d *device) { d.kind = "webauthn.create" }, code: problems.CodeApprovalUnknown},
		"another origin":     {device: func(d *device) { d.origin = "https://partner.example.com.evil.test" }, code: problems.CodeApprovalUnknown},
		"another host":       {device: func(d *device) { d.rpID = "example.com" }, code: problems.CodeApprovalUnknown},
		"not verified":       {device: func(d *device) { d.flags = 1 }, code: problems.CodeApprovalUnknown},
		"not present":        {device: func(d *device) { d.flags = 4 }, code: problems.CodeApprovalUnknown},
		"counts backwards":   {device: func(d *device) { d.count = 3 }, code: problems.CodeApprovalUnknown},
		"data cut off": {said: func(_ *console, r *guard.DecisionRequest) {
			r.Assertion.AuthenticatorData = r.Assertion.AuthenticatorData[:36]
		}, code: problems.CodeApprovalUnknown},
		"empty": {said: func(c *console, r *guard.DecisionRequest) { r.Assertion = &guard.Assertion{Key: c.anna.id} }, code: problems.CodeApprovalUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{})
			c.anna.count = 6
			_, before := c.ask("token:earlier")
			if _, err := c.DecideAs(t.Context(), approver(annaCaller), before.ID, c.signed(annaCaller, c.anna, before, yes(before))); err != nil {
				t.Fatal(err)
			}
			i, ticket := c.ask("token:bot")
			if test.device != nil {
				test.device(c.anna)
			}
			said := c.signed(annaCaller, c.anna, ticket, yes(ticket))
			if test.said != nil {
				test.said(c, &said)
			}
			_, err := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, said)
			if codeOf(err) != test.code {
				t.Fatalf("%v, want %q", err, test.code)
			}
			want := stillWaits
			if test.code == "" {
				want = ""
			}
			if code := c.redeem(c.Guard, i, ticket.ID); code != want {
				t.Errorf("redeem: %q", code)
			}
			c.whole()
		})
	}
}

func TestStatementIsSignedOnce(t *testing.T) {
	t.Parallel()
	c := newConsole(t, access.Demand{Approvers: 2})
	_, ticket := c.ask("token:bot")
	said := c.signed(annaCaller, c.anna, ticket, yes(ticket))
	if _, err := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, said); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, said); codeOf(err) != problems.CodeNotAllowed {
		t.Errorf("again: %v", err)
	}
	freeze, keys, err := c.BeginLift(t.Context(), approver(bertCaller))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	lift := guard.DecisionRequest{Approved: true, Statement: &freeze, Assertion: c.bert.sign(freeze)}
	if err := c.Lift(t.Context(), approver(bertCaller), lift); err != nil {
		t.Fatal(err)
	}
	if err := c.Lift(t.Context(), approver(bertCaller), lift); codeOf(err) != problems.CodeApprovalUnknown {
		t.Errorf("lifted twice: %v", err)
	}
	c.whole()
}

// Each case changes the row of an approved question. The row is as if this program had
// written it, so that only what was signed can tell.
func TestEditedRowOfSignedDecisionApprovesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit func(c *console, t *guard.Ticket)
		code problems.Code
	}{
		"control":            {func(*console, *guard.Ticket) {}, ""},
		"reason changed":     {func(_ *console, t *guard.Ticket) { t.Decision.Reason = "other" }, problems.CodeApprovalUnknown},
		"approver":           {func(_ *console, t *guard.Ticket) { t.Decision.By = bertCaller }, problems.CodeApprovalUnknown},
		"proof removed":      {func(_ *console, t *guard.Ticket) { t.Decision.Proof = nil }, problems.CodeApprovalUnknown},
		"seal removed":       {func(_ *console, t *guard.Ticket) { t.Decision.Signature = nil }, problems.CodeApprovalUnknown},
		"made after its end": {func(_ *console, t *guard.Ticket) { t.Decision.At = t.Decision.At.Add(time.Hour) }, problems.CodeApprovalUnknown},
		"made before":        {func(_ *console, t *guard.Ticket) { t.Decision.At = t.Decision.At.Add(-48 * time.Hour) }, problems.CodeNotAllowed},
		"key swapped":        {func(c *console, t *guard.Ticket) { t.Decision.Proof.Assertion.Key = c.bert.id }, problems.CodeApprovalUnknown},
		"signature":          {func(_ *console, t *guard.Ticket) { t.Decision.Proof.Assertion.Signature[10] ^= 1 }, problems.CodeApprovalUnknown},
		"another's signature": {func(c *console, t *guard.Ticket) {
			t.Decision.Proof.Assertion = *c.bert.sign(t.Decision.Proof.Statement)
		}, problems.CodeApprovalUnknown},
		"later expiry of the question": {func(_ *console, t *guard.Ticket) { t.ExpiresAt = t.ExpiresAt.Add(time.Hour) }, problems.CodeApprovalUnknown},
		"deny turned into approve": {func(c *console, t *guard.Ticket) {
			no := t.Decision.Proof.Statement
			no.Approved = false
			t.Decision.Proof = &guard.Proof{Statement: no, Assertion: *c.anna.sign(no)}
		}, problems.CodeApprovalUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{})
			i, ticket := c.ask("token:bot")
			decided, err := c.DecideAs(t.Context(), approver(annaCaller), ticket.ID, c.signed(annaCaller, c.anna, ticket, yes(ticket)))
			if err != nil {
				t.Fatal(err)
			}
			test.edit(c, &decided)
			err = c.store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
				return tx.Put(guard.TicketState, ticket.ID, decided, guard.Event{Time: c.clock.Now(), Kind: guard.KindRefusal})
			})
			if err != nil {
				t.Fatal(err)
			}
			if code := c.redeem(c.Guard, i, ticket.ID); code != test.code {
				t.Errorf("%q, want %q", code, test.code)
			}
		})
	}
}

func TestApprovalEndsWithItsPasskey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by   access.Caller
		end  func(*console) error
		code problems.Code
	}{
		"control":        {annaCaller, func(*console) error { return nil }, ""},
		"user removed":   {annaCaller, func(c *console) error { return c.RemoveUser(c.t.Context(), "anna", bert) }, problems.CodeNotAllowed},
		"user reset":     {annaCaller, func(c *console) error { _, err := c.ResetUser(c.t.Context(), "anna", bert); return err }, problems.CodeApprovalExpired},
		"person removed": {annaEntra, func(c *console) error { return c.RemoveUser(c.t.Context(), "anna", bert) }, problems.CodeApprovalUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, access.Demand{})
			i, ticket := c.ask("token:bot")
			if _, err := c.DecideAs(t.Context(), approver(test.by), ticket.ID, c.signed(test.by, c.anna, ticket, yes(ticket))); err != nil {
				t.Fatal(err)
			}
			if err := test.end(c); err != nil {
				t.Fatal(err)
			}
			if code := c.redeem(c.Guard, i, ticket.ID); code != test.code {
				t.Errorf("%q, want %q", code, test.code)
			}
			c.whole()
		})
	}
}

// Whoever may not decide is refused before anybody signs.
func TestNobodySignsInVain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		demand access.Demand
		begin  func(c *console, ticket guard.Ticket) error
		code   problems.Code
	}{
		"control":       {begin: func(c *console, ticket guard.Ticket) error { return c.begin(annaCaller, ticket) }},
		"the requester": {begin: func(c *console, _ guard.Ticket) error { _, own := c.ask(annaEntra); return c.begin(annaCaller, own) }, code: problems.CodeNotAllowed},
		"without a key": {begin: func(c *console, ticket guard.Ticket) error { return c.begin(carlEntra, ticket) }, code: problems.CodeNotAllowed},
		"without scope": {begin: func(c *console, ticket guard.Ticket) error {
			_, _, err := c.BeginDecision(c.t.Context(), by(annaCaller), ticket.ID, yes(ticket))
			return err
		}, code: problems.CodeInsufficientScope},
		"decided": {begin: func(c *console, ticket guard.Ticket) error {
			_, _ = c.Deny(c.t.Context(), ticket.ID, "no")
			return c.begin(annaCaller, ticket)
		}, code: problems.CodeApprovalExpired},
		"new key": {begin: func(c *console, ticket guard.Ticket) error {
			enrolled(c.t, c.store, c.clock, "anna")
			return c.begin(annaCaller, ticket)
		}, code: problems.CodeNotAllowed},
		"who is unknown": {demand: access.Demand{Passkey: true}, begin: func(c *console, _ guard.Ticket) error { _, other := c.ask("stdio"); return c.begin(annaCaller, other) }, code: problems.CodeNotAllowed},
		"approved before": {demand: access.Demand{Approvers: 2}, begin: func(c *console, ticket guard.Ticket) error {
			if _, err := c.Approve(c.t.Context(), ticket.ID, anna.Name, anna.Passphrase); err != nil {
				return err
			}
			return c.begin(annaEntra, ticket)
		}, code: problems.CodeNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, test.demand)
			_, ticket := c.ask("token:bot")
			if test.demand.Passkey {
				_, ticket = c.ask(bertCaller)
			}
			if err := test.begin(c, ticket); codeOf(err) != test.code {
				t.Errorf("%v, want %q", err, test.code)
			}
		})
	}
}

func (c *console) begin(by access.Caller, ticket guard.Ticket) error {
	_, _, err := c.BeginDecision(c.t.Context(), approver(by), ticket.ID, yes(ticket))
	return err
}
