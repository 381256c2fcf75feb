package users_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

// began is what a script gets to begin with.
type began struct {
	Flow string
	Get  struct {
		Challenge, RPID, UserVerification string
	}
	Create struct {
		Challenge              string
		User                   struct{ ID string }
		AuthenticatorSelection struct{ ResidentKey, UserVerification string }
	}
}

func (b *browser) begin(path string, form url.Values) (got began, status int) {
	b.t.Helper()
	answer := b.post(path, form, "Accept", "application/json")
	_ = json.Unmarshal([]byte(answer.text), &got) // a refusal has no challenge
	return got, answer.StatusCode
}

// invite makes a user, as the operator does, and an invitation.
func (r *rig) invite(name string, scopes ...access.Scope) string {
	r.t.Helper()
	handle, invitation := guard.NewInvitation(name, "ops", r.clock.Now())
	r.change(func(tx guard.StateTx) error {
		user := guard.User{Name: name, AddedAt: r.clock.Now(), Grant: access.Grant{Scopes: scopes, Tenants: []string{"*"}}}
		if _, err := tx.State(guard.UserState, name, &user); err != nil { // one who is there stays as they are
			return err
		}
		if err := tx.Put(guard.UserState, name, user, guard.Event{Time: r.clock.Now(), Kind: guard.KindUser, Detail: "invited"}); err != nil {
			return err
		}
		return tx.Put(guard.OnceState, guard.InvitationName(handle), invitation)
	})
	return handle
}

func (r *rig) change(change func(guard.StateTx) error) {
	r.t.Helper()
	if err := r.store.ChangeStates(r.t.Context(), change); err != nil {
		r.t.Fatal(err)
	}
}

// reset does what the operator's command does to the row.
func (r *rig) reset(name string) {
	r.t.Helper()
	r.change(func(tx guard.StateTx) error {
		var user guard.User
		if _, err := tx.State(guard.UserState, name, &user); err != nil {
			return err
		}
		user.ResetAt = r.clock.Now()
		return tx.Put(guard.UserState, name, user)
	})
}

// enrol makes a passkey with an invitation, and returns the last status.
func (b *browser) enrol(a *authenticator, invitation string) int {
	b.t.Helper()
	form := b.form("/invite", "invitation", invitation)
	got, status := b.begin("/invite", form)
	if status != http.StatusOK {
		return status
	}
	raw, _ := base64.RawURLEncoding.DecodeString(got.Create.User.ID)
	a.user = string(raw)
	form.Set("flow", got.Flow)
	form.Set("credential", a.create(got.Create.Challenge))
	return b.post("/invite", form, "Accept", "application/json").StatusCode
}

// use signs in with a passkey.
func (b *browser) use(a *authenticator) answer {
	b.t.Helper()
	form := b.form("/signin", "next", "/signout")
	got, _ := b.begin("/signin/passkey/begin", form)
	form.Set("flow", got.Flow)
	form.Set("credential", a.get(got.Get.Challenge))
	return b.post("/signin/passkey/finish", form, "Accept", "application/json")
}

// withUser is a server with Alice and her passkey, and a browser of hers in which she is
// not signed in.
func withUser(t *testing.T, scopes ...access.Scope) (*rig, *browser, *authenticator) {
	t.Helper()
	r := newRig(t, nil)
	a := newAuthenticator(t, r.url)
	if status := r.browser().enrol(a, r.invite("alice", scopes...)); status != http.StatusOK {
		t.Fatalf("enrolment: %d; %q", status, r.entries(guard.KindSignIn))
	}
	r.clock.Advance(time.Second)
	return r, r.browser(), a
}

func TestUserMakesAPasskeyAndSignsIn(t *testing.T) {
	t.Parallel()
	r, b, a := withUser(t, access.ScopeRead)
	answer := b.use(a)
	if answer.StatusCode != http.StatusOK || !strings.Contains(answer.text, `"next":"/signout"`) {
		t.Fatalf("%d %s", answer.StatusCode, answer.text)
	}
	session, ok := b.session()
	if !ok || session.Person.Caller != "user:alice" || session.Person.AuthenticatedAt.IsZero() {
		t.Fatalf("session %+v", session)
	}
	grant, err := r.Grant(t.Context(), session.Person, access.Scopes())
	if err != nil || !slices.Equal(grant.Scopes, []access.Scope{access.ScopeRead}) || !slices.Equal(grant.Tenants, []string{"*"}) {
		t.Errorf("grant %v, %v", grant, err)
	}
	if got := r.entries(guard.KindUser); !slices.Equal(got, []string{"invited", "enrolled a passkey"}) {
		t.Errorf("entries %q", got)
	}
	if got := r.entries(guard.KindSignIn); !slices.Equal(got, []string{"signed in", "signed in"}) {
		t.Errorf("entries %q", got)
	}
}

func TestPasskeysAreDiscoverableAndVerifyTheUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := r.browser()
	made, _ := b.begin("/invite", b.form("/invite", "invitation", r.invite("alice")))
	if s := made.Create.AuthenticatorSelection; s.ResidentKey != "required" || s.UserVerification != "required" {
		t.Errorf("a new passkey: %+v", s)
	}
	if asked, _ := b.begin("/signin/passkey/begin", b.form("/signin")); asked.Get.UserVerification != "required" || asked.Get.RPID != "localhost" {
		t.Errorf("a sign-in: %+v", asked.Get)
	}
}

func TestPasskeyIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *rig, a *authenticator)
		good   bool
	}{
		"as it should be":   {func(*rig, *authenticator) {}, true},
		"without a count":   {func(_ *rig, a *authenticator) { a.count += 100 }, true},
		"count as before":   {func(_ *rig, a *authenticator) { a.count-- }, false},
		"count back":        {func(_ *rig, a *authenticator) { a.count = 0 }, false},
		"other origin":      {func(_ *rig, a *authenticator) { a.origin = "https://localhost.evil.example" }, false},
		"other port":        {func(_ *rig, a *authenticator) { a.origin = "https://localhost:1" }, false},
		"without TLS":       {func(r *rig, a *authenticator) { a.origin = strings.Replace(r.url, "https", "http", 1) }, false},
		"other host":        {func(_ *rig, a *authenticator) { a.rpID = "evil.example" }, false},
		"user not verified": {func(_ *rig, a *authenticator) { a.flags &^= 4 }, false},
		"user not present":  {func(_ *rig, a *authenticator) { a.flags &^= 1 }, false},
		"another key":       {func(_ *rig, a *authenticator) { a.key = newAuthenticator(a.t, "").key }, false},
		"another ID":        {func(_ *rig, a *authenticator) { a.id = newAuthenticator(a.t, "").id }, false},
		"another user":      {func(r *rig, a *authenticator) { r.invite("bob"); a.user = "bob" }, false},
		"no user":           {func(_ *rig, a *authenticator) { a.user = "" }, false},
		"removed": {func(r *rig, _ *authenticator) {
			r.change(func(tx guard.StateTx) error { return tx.Remove(guard.UserState, "alice") })
		}, false},
		"a copy that was synced": {func(_ *rig, a *authenticator) { a.flags &^= 16 }, true},
		"backup changed":         {func(_ *rig, a *authenticator) { a.flags &^= 8 | 16 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, b, a := withUser(t)
			c.change(r, a)
			b.use(a)
			b.wantSignedIn(c.good)
		})
	}
}

func TestPasskeyThatDoesNotCountSignsIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	a := newAuthenticator(t, r.url)
	a.count, a.still = 0, true
	b := r.browser()
	b.enrol(a, r.invite("alice"))
	for range 2 {
		b = r.browser()
		b.use(a)
		b.wantSignedIn(true)
	}
}

func TestChallengeIsGoodOnceAndForOneBrowser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		send func(r *rig, b *browser, form url.Values) *browser
		good bool
	}{
		"as it should be": {func(_ *rig, b *browser, form url.Values) *browser { b.post("/signin/passkey/finish", form); return b }, true},
		"again": {func(_ *rig, b *browser, form url.Values) *browser {
			b.post("/signin/passkey/finish", form)
			b.post("/signout", b.form("/signout"))
			b.post("/signin/passkey/finish", form)
			return b
		}, false},
		"by another browser": {func(r *rig, _ *browser, form url.Values) *browser {
			other := r.browser()
			other.begin("/signin/passkey/begin", other.form("/signin"))
			form.Set("form_token", other.form("/signin").Get("form_token"))
			other.post("/signin/passkey/finish", form)
			return other
		}, false},
		"too late": {func(r *rig, b *browser, form url.Values) *browser {
			r.clock.Advance(5*time.Minute + time.Second)
			b.post("/signin/passkey/finish", form)
			return b
		}, false},
		"with another challenge": {func(_ *rig, b *browser, form url.Values) *browser {
			other, _ := b.begin("/signin/passkey/begin", form)
			form.Set("flow", other.Flow)
			b.post("/signin/passkey/finish", form)
			return b
		}, false},
		"after a wrong answer": {func(_ *rig, b *browser, form url.Values) *browser {
			good := form.Get("credential")
			form.Set("credential", "{}")
			b.post("/signin/passkey/finish", form)
			form.Set("credential", good)
			b.post("/signin/passkey/finish", form)
			return b
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, b, a := withUser(t)
			form := b.form("/signin")
			got, _ := b.begin("/signin/passkey/begin", form)
			form.Set("flow", got.Flow)
			form.Set("credential", a.get(got.Get.Challenge))
			c.send(r, b, form).wantSignedIn(c.good)
		})
	}
}

func TestInvitationIsGoodOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *rig, invitation string) string
		good   bool
	}{
		"as it should be": {func(_ *rig, i string) string { return i }, true},
		"used": {func(r *rig, i string) string {
			r.browser().enrol(newAuthenticator(r.t, r.url), i)
			return i
		}, false},
		"begun by another and not used": {func(r *rig, i string) string {
			other := r.browser()
			other.begin("/invite", other.form("/invite", "invitation", i))
			return i
		}, true},
		"expired":  {func(r *rig, i string) string { r.clock.Advance(15*time.Minute + time.Second); return i }, false},
		"a guess":  {func(_ *rig, i string) string { return strings.Repeat("C", len(i)) }, false},
		"none":     {func(*rig, string) string { return "" }, false},
		"its name": {func(_ *rig, i string) string { return guard.InvitationName(i) }, false},
		"of before a reset": {func(r *rig, i string) string {
			r.clock.Advance(time.Second)
			r.reset("alice")
			return i
		}, false},
		"of a reset": {func(r *rig, _ string) string {
			r.clock.Advance(time.Second)
			r.reset("alice")
			return r.invite("alice")
		}, true},
		"of somebody who was removed": {func(r *rig, i string) string {
			r.change(func(tx guard.StateTx) error { return tx.Remove(guard.UserState, "alice") })
			return i
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			invitation := c.change(r, r.invite("alice"))
			r.clock.Advance(time.Second)
			b, a := r.browser(), newAuthenticator(t, r.url)
			b.enrol(a, invitation)
			b.wantSignedIn(c.good)
			other := r.browser()
			other.use(a)
			other.wantSignedIn(c.good)
		})
	}
}

func TestNewPasskeyIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(a *authenticator)
		good   bool
	}{
		"as it should be":   {func(*authenticator) {}, true},
		"other origin":      {func(a *authenticator) { a.origin = "https://evil.example" }, false},
		"other host":        {func(a *authenticator) { a.rpID = "evil.example" }, false},
		"user not verified": {func(a *authenticator) { a.flags &^= 4 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			b, a := r.browser(), newAuthenticator(t, r.url)
			c.change(a)
			b.enrol(a, r.invite("alice"))
			b.wantSignedIn(c.good)
		})
	}
}

func TestSessionOfAUserEndsWithTheUser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *rig, user *guard.User)
		good   bool
	}{
		"nothing":    {func(*rig, *guard.User) {}, true},
		"reset":      {func(r *rig, u *guard.User) { u.ResetAt = r.clock.Now() }, false},
		"signed out": {func(r *rig, u *guard.User) { u.SignedOutAt = r.clock.Now() }, false},
		"removed and added again": {func(r *rig, u *guard.User) {
			r.change(func(tx guard.StateTx) error { return tx.Remove(guard.UserState, "alice") })
			u.AddedAt = r.clock.Now()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, b, a := withUser(t, access.ScopeRead)
			b.use(a)
			session, _ := b.session()
			r.clock.Advance(time.Second)
			var user guard.User
			if _, err := r.store.State(t.Context(), guard.UserState, "alice", &user); err != nil {
				t.Fatal(err)
			}
			c.change(r, &user)
			r.change(func(tx guard.StateTx) error { return tx.Put(guard.UserState, "alice", user) })
			b.wantSignedIn(c.good)
			_, grantErr := r.Grant(t.Context(), session.Person, access.Scopes())
			_, _, renewErr := r.Renew(t.Context(), session.Person, nil)
			for _, err := range []error{grantErr, renewErr} {
				if (err == nil) != c.good || err != nil && problems.As(err).Code != problems.CodeTokenRefused {
					t.Errorf("grant or renewal: %v", err)
				}
			}
		})
	}
}

func TestManyAttemptsForOneAccountAreRefused(t *testing.T) {
	t.Parallel()
	r, b, a := withUser(t)
	stranger := newAuthenticator(t, r.url)
	stranger.user = a.user
	many := func(a authenticator) { // at once, because each refusal takes its time
		var all sync.WaitGroup
		for range 12 {
			own := a
			all.Go(func() { r.browser().use(&own) })
		}
		all.Wait()
	}
	many(*stranger) // knows no passkey of Alice, and locks nobody out
	b.use(a)
	b.wantSignedIn(true)
	stranger.id = a.id
	many(*stranger)
	other := r.browser()
	other.use(a)
	other.wantSignedIn(false)
	r.clock.Advance(5 * time.Minute)
	other.use(a)
	other.wantSignedIn(true)
}

func TestPagesSayThatPasskeysNeedAScript(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := r.browser()
	for _, path := range []string{"/signin", "/invite"} {
		text := b.get(path).text
		if !strings.Contains(text, "Passkeys need JavaScript") || !strings.Contains(text, "passkey.js") || strings.Contains(text, "password") {
			t.Errorf("%s:\n%s", path, text)
		}
	}
	if answer := b.post("/signin/issuer", b.form("/signin")); answer.StatusCode != http.StatusForbidden {
		t.Errorf("an issuer where there is none: %d", answer.StatusCode)
	}
}

func TestAccountPageTellsOfPasskeysAndWhenTheyApprove(t *testing.T) {
	t.Parallel()
	r, b, a := withUser(t, access.ScopeApprove)
	b.use(a)
	text := b.get("/account").text
	for _, want := range []string{"Passkeys", "Approves nothing until", "If you did not make this"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	r.clock.Advance(25 * time.Hour)
	b.use(a)
	if text := b.get("/account").text; !strings.Contains(text, "Passkeys") || strings.Contains(text, "Approves nothing until") {
		t.Errorf("a day later the page says:\n%s", text)
	}
}
