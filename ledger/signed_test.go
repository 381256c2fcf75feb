package ledger

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
)

// signer makes passkeys' proofs of decisions, as they stand in entries.
type signer struct {
	*house
	key    *ecdsa.PrivateKey
	origin string
	flags  byte
}

func newSigner(h *house) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	return &signer{h, key, "https://partner.example.com", 1 | 4}
}

// enrolled is the entry of a new passkey of anna: its key is in the form of COSE.
func (s *signer) enrolled(at time.Time) guard.Event {
	point, err := s.key.PublicKey.Bytes()
	s.must(err)
	key := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32}, point[1:33]...)
	key = append(append(key, 0x22, 0x58, 32), point[33:]...)
	return guard.Event{Time: at, Kind: guard.KindUser, Passkey: &guard.PasskeyChange{
		User: "anna", Became: guard.PasskeyEnrolled, ID: []byte("key"), PublicKey: key, Origin: "https://partner.example.com",
	}}
}

func became(what string, at time.Time) guard.Event {
	return guard.Event{Time: at, Kind: guard.KindUser, Approver: "bert", Passkey: &guard.PasskeyChange{User: "anna", Became: what}}
}

// approved is the entry of an approval at a time.
func (s *signer) approved(at time.Time) guard.Event {
	e := s.signed(at, "ap_1")
	e.Kind, e.Approval = guard.KindApproved, "ap_1"
	return e
}

// changed is the entry of a change of a user, in the place of which another statement may
// have been signed.
func (s *signer) changed(at time.Time, signed string) guard.Event {
	e := s.signed(at, signed)
	e.Kind = guard.KindUser
	return e
}

func (s *signer) signed(at time.Time, what string) guard.Event {
	statement := guard.Statement{Approval: what, Approved: true, Reason: "agreed", By: "user:anna", Expires: at.Add(time.Minute).Truncate(time.Second), Nonce: []byte(at.String())}
	challenge, host := statement.Challenge(), sha256.Sum256([]byte("partner.example.com"))
	client, err := json.Marshal(map[string]any{"type": "webauthn.get", "challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "origin": s.origin})
	s.must(err)
	data, hash := append(host[:], s.flags, 0, 0, 0, 1), sha256.Sum256(client)
	digest := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	s.must(err)
	return guard.Event{Time: at, Approver: "user:anna", Detail: "agreed",
		Proof: &guard.Proof{Statement: statement, Assertion: guard.Assertion{Key: []byte("key"), ClientData: client, AuthenticatorData: data, Signature: signature}}}
}

// Each case is a record that somebody wrote who has the vault's key: its chain fits. The
// last entry is the one that is found, in the file and in an export.
func TestVerifyChecksWhatPasskeysSigned(t *testing.T) {
	t.Parallel()
	now := noon()
	old, new := now.Add(-25*time.Hour), now.Add(-23*time.Hour)
	edited := func(edit func(*guard.Event)) func(*signer) []guard.Event {
		return func(s *signer) []guard.Event {
			e := s.approved(now)
			edit(&e)
			return []guard.Event{s.enrolled(old), e}
		}
	}
	for name, test := range map[string]struct {
		record func(*signer) []guard.Event
		what   string
	}{
		"control": {edited(func(*guard.Event) {}), ""},
		"confirmed": {func(s *signer) []guard.Event {
			return []guard.Event{s.enrolled(new), became(guard.PasskeyConfirmed, new), s.approved(now)}
		}, ""},
		"new":          {func(s *signer) []guard.Event { return []guard.Event{s.enrolled(new), s.approved(now)} }, "too new"},
		"not enrolled": {func(s *signer) []guard.Event { return []guard.Event{s.approved(now)} }, "no entry before enrolled"},
		"reset": {func(s *signer) []guard.Event {
			return []guard.Event{s.enrolled(old), became(guard.PasskeyVoid, old), s.approved(now)}
		}, "taken away"},
		"nonce used twice": {func(s *signer) []guard.Event { e := s.approved(now); return []guard.Event{s.enrolled(old), e, e} }, "used twice"},
		"another key":      {func(s *signer) []guard.Event { return []guard.Event{s.enrolled(old), newSigner(s.house).approved(now)} }, "not valid"},
		"another origin": {func(s *signer) []guard.Event {
			s.origin = "https://evil.test"
			return []guard.Event{s.enrolled(old), s.approved(now)}
		}, "another origin"},
		"person not verified": {func(s *signer) []guard.Event { s.flags = 1; return []guard.Event{s.enrolled(old), s.approved(now)} }, "did not verify"},
		"denial as approval":  {edited(func(e *guard.Event) { e.Proof.Statement.Approved = false }), "another decision"},
		"approval as denial":  {edited(func(e *guard.Event) { e.Kind = guard.KindDeclined }), "another decision"},
		"another ticket":      {edited(func(e *guard.Event) { e.Approval = "ap_2" }), "another decision"},
		"reason changed":      {edited(func(e *guard.Event) { e.Detail = "other" }), "another decision"},
		"reason changed too":  {edited(func(e *guard.Event) { e.Detail, e.Proof.Statement.Reason = "other", "other" }), "something else was signed"},
		"another approver":    {edited(func(e *guard.Event) { e.Approver, e.Proof.Statement.By = "user:bert", "user:bert" }), "another person's"},
		"later":               {edited(func(e *guard.Event) { e.Time = e.Time.Add(time.Hour) }), "expired"},
		"user changed": {func(s *signer) []guard.Event {
			return []guard.Event{s.enrolled(old), s.changed(now, guard.ChangesUsers)}
		}, ""},
		"freeze as a user": {func(s *signer) []guard.Event {
			return []guard.Event{s.enrolled(old), s.changed(now, guard.LiftsFreeze)}
		}, "another decision"},
		"user as an approval": {func(s *signer) []guard.Event {
			e := s.approved(now)
			e.Proof = s.changed(now, guard.ChangesUsers).Proof
			return []guard.Event{s.enrolled(old), e}
		}, "another decision"},
		"digest": {edited(func(e *guard.Event) { e.Proof.Statement.Digest[0] ^= 1 }), "something else was signed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			events := test.record(newSigner(h))
			_, err := h.Append(ctx(), events...)
			h.must(err)
			var export bytes.Buffer
			h.must(h.Export(ctx(), &export, FormatJSONL, Filter{}))
			public, err := h.PublicKey(ctx())
			h.must(err)
			exported, err := VerifyExport(&export, nil, public)
			h.must(err)
			for where, report := range map[string]Report{"file": h.verify(nil), "export": exported} {
				switch found := report.Findings; {
				case test.what == "" && len(found) > 0:
					t.Errorf("%s: %+v", where, found)
				case test.what != "" && (len(found) != 1 || found[0].Seq != int64(len(events)) || !strings.Contains(found[0].What, test.what)):
					t.Errorf("%s: %+v, want %q", where, found, test.what)
				}
			}
		})
	}
}

func TestWithheldEnrolmentIsNoted(t *testing.T) {
	t.Parallel()
	h := build(t)
	s := newSigner(h)
	_, err := h.Append(ctx(), s.enrolled(noon().Add(-25*time.Hour)), s.approved(noon()))
	h.must(err)
	var export bytes.Buffer
	h.must(h.Export(ctx(), &export, FormatJSONL, Filter{Kind: guard.KindApproved}))
	public, err := h.PublicKey(ctx())
	h.must(err)
	report, err := VerifyExport(&export, nil, public)
	h.must(err)
	if !report.Whole() || len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "Entry 2 is signed with a passkey") {
		t.Errorf("%+v", report)
	}
}
