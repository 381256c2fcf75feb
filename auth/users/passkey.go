package users

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
)

const (
	passkeyScript = "passkey.js"
	needsScript   = "Passkeys need JavaScript. Switch it on for this site, or ask the operator of this server for another way to sign in."
	// userKind begins the caller of a user of this server.
	userKind = "user:"
)

// newPasskeys takes passkeys of this host alone, which ask for a PIN, a finger or a face,
// and which the browser finds without a name.
func newPasskeys(origin, host string) (*webauthn.WebAuthn, error) {
	discoverable := true
	keys, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "Partner Admin Link", RPOrigins: []string{origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &discoverable, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		// Nothing is read of extensions, and password managers answer some unasked.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys of %s: %w", host, err)
	}
	return keys, nil
}

// keyOwner is a user as the library sees them.
type keyOwner struct{ guard.User }

func (o keyOwner) WebAuthnID() []byte          { return []byte(o.Name) }
func (o keyOwner) WebAuthnName() string        { return o.Name }
func (o keyOwner) WebAuthnDisplayName() string { return o.Name }
func (o keyOwner) WebAuthnCredentials() []webauthn.Credential {
	return xslices.Map(o.Passkeys, func(k guard.Passkey) webauthn.Credential {
		return webauthn.Credential{
			ID: k.ID, PublicKey: k.PublicKey, Flags: webauthn.CredentialFlags{BackupEligible: k.BackupEligible},
			Authenticator: webauthn.Authenticator{AAGUID: k.AAGUID, SignCount: k.SignCount},
		}
	})
}

func userNamed(read reader, name string) (user guard.User, ok bool, err error) {
	ok, err = read(guard.UserState, name, &user)
	return user, ok, err
}

func (s *SignIn) local(name string) Person {
	return Person{Caller: access.Caller(userKind + name), Name: name, AuthenticatedAt: s.o.Now()}
}

// challenge is what a script gets to begin with.
type challenge struct {
	Flow   string `json:"flow"`
	Get    any    `json:"get,omitempty"`
	Create any    `json:"create,omitempty"`
}

func (s *SignIn) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	options, ceremony, err := s.passkeys.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return err
	}
	handle := page.NewHandle()
	err = s.keep(w, r, flow{Purpose: "passkey", Next: ownPath(r.PostForm.Get("next")), Ceremony: *ceremony}, handle, passkeyFor)
	if err == nil {
		answerJSON(w, http.StatusOK, challenge{Flow: handle, Get: options.Response})
	}
	return err
}

func (s *SignIn) finishPasskey(w http.ResponseWriter, r *http.Request) error {
	f, err := s.take(r, "passkey", r.PostForm.Get("flow"))
	if err != nil {
		return err
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes([]byte(r.PostForm.Get("credential")))
	if err != nil {
		return refusal("the answer of the passkey cannot be read")
	}
	err = s.begin(w, r, nil, func(tx guard.StateTx) (Person, error) { return s.checkPasskey(tx, f, answer) })
	if err == nil {
		answerJSON(w, http.StatusOK, map[string]string{"next": f.Next})
	}
	return err
}

// checkPasskey returns whose passkey signed, and keeps how often it did.
func (s *SignIn) checkPasskey(tx guard.StateTx, f flow, answer *protocol.ParsedCredentialAssertionData) (Person, error) {
	user, ok, err := userNamed(tx.State, string(answer.Response.UserHandle))
	place := slices.IndexFunc(user.Passkeys, func(k guard.Passkey) bool { return bytes.Equal(k.ID, answer.RawID) })
	switch {
	case err != nil:
		return Person{}, err
	case !ok || place < 0:
		return Person{}, refusal("there is no such passkey")
	case !s.accounts.Allow(user.Name): // counted only for who knows the passkey, so that others lock nobody out
		return Person{}, refusal("too many attempts for " + user.Name)
	}
	find := func(_, _ []byte) (webauthn.User, error) { return keyOwner{user}, nil }
	_, used, err := s.passkeys.ValidatePasskeyLogin(find, f.Ceremony, answer)
	switch {
	case err != nil:
		return Person{}, refusal("the passkey of " + user.Name + " did not sign what it was given")
	case used.Authenticator.CloneWarning:
		return Person{}, refusal("the passkey of " + user.Name + " counted backwards: it may be a copy")
	}
	user.Passkeys[place].SignCount = used.Authenticator.SignCount
	return s.local(user.Name), tx.Put(guard.UserState, user.Name, user)
}

// showInvitation is the page that an invitation's link opens. Its handle is in the
// fragment, which no server and no log sees; the script posts it.
func (s *SignIn) showInvitation(w http.ResponseWriter, r *http.Request) {
	page.Page{Title: "Make a passkey", Script: passkeyScript, Body: []page.Node{
		page.P("The link is good once and for 15 minutes. Use it on the device with which you will sign in to " + s.host + "."),
		page.Form("/invite", page.FormToken(w, r), page.Attr("data-begin", "/invite"), page.Attr("data-invitation"),
			page.PasskeyButton("how", "passkey", "Make a passkey", true), page.Status(needsScript)),
	}}.Write(w)
}

// enrol begins with an invitation, and ends with the passkey that uses it up.
func (s *SignIn) enrol(w http.ResponseWriter, r *http.Request) error {
	if handle := r.PostForm.Get("flow"); handle != "" {
		return s.finishEnrolment(w, r, handle)
	}
	invitation := guard.InvitationName(r.PostForm.Get("invitation"))
	user, err := s.invited(s.reader(r.Context()), invitation)
	if err != nil {
		return err
	}
	options, ceremony, err := s.passkeys.BeginRegistration(keyOwner{user})
	if err != nil {
		return err
	}
	handle := page.NewHandle()
	err = s.keep(w, r, flow{Purpose: "enrol", Ceremony: *ceremony, Invitation: invitation}, handle, passkeyFor)
	if err == nil {
		answerJSON(w, http.StatusOK, challenge{Flow: handle, Create: options.Response})
	}
	return err
}

func (s *SignIn) finishEnrolment(w http.ResponseWriter, r *http.Request, handle string) error {
	f, err := s.take(r, "enrol", handle)
	if err != nil {
		return err
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(r.PostForm.Get("credential")))
	if err != nil {
		return refusal("the answer of the new passkey cannot be read")
	}
	err = s.begin(w, r, nil, func(tx guard.StateTx) (Person, error) { return s.addPasskey(tx, f, answer) })
	if err == nil {
		answerJSON(w, http.StatusOK, map[string]string{"next": "/account"})
	}
	return err
}

func (s *SignIn) addPasskey(tx guard.StateTx, f flow, answer *protocol.ParsedCredentialCreationData) (Person, error) {
	user, err := s.invited(tx.State, f.Invitation)
	if err != nil {
		return Person{}, err
	}
	made, err := s.passkeys.CreateCredential(keyOwner{user}, f.Ceremony, answer)
	if err != nil {
		return Person{}, refusal("the new passkey of " + user.Name + " is not accepted")
	}
	p := s.local(user.Name)
	event := s.event(guard.KindUser, p.Caller, "enrolled a passkey")
	user.Passkeys = append(user.Passkeys, guard.Passkey{
		ID: made.ID, PublicKey: made.PublicKey, SignCount: made.Authenticator.SignCount, AAGUID: made.Authenticator.AAGUID,
		BackupEligible: made.Flags.BackupEligible, AddedAt: event.Time, Origin: s.o.PublicURL,
	})
	if err := tx.Remove(guard.OnceState, f.Invitation); err != nil {
		return Person{}, err
	}
	event.Passkey = &guard.PasskeyChange{User: user.Name, Became: guard.PasskeyEnrolled, ID: made.ID, PublicKey: made.PublicKey, Origin: s.o.PublicURL}
	return p, tx.Put(guard.UserState, user.Name, user, event)
}

// invited returns who an invitation is for, as long as it holds.
func (s *SignIn) invited(read reader, name string) (guard.User, error) {
	var invitation guard.Invitation
	ok, err := read(guard.OnceState, name, &invitation)
	if err != nil {
		return guard.User{}, err
	}
	user, known, err := userNamed(read, invitation.User)
	if err == nil && !(ok && known && invitation.Holds(user, s.o.Now())) {
		err = refusal("the invitation is used, expired or void")
	}
	return user, err
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a browser that went away needs no answer
}
