package users_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/issuertest"
	"mcp-partner/schemas/problems"
)

func TestPersonSignsInAtTheIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *issuertest.SignIn, a *auth.Application) { a.DomainHint = "example.com" })
	b := r.browser()
	page := b.signIn("next", "/account", "how", "choose")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.text, "alice@example.com") {
		t.Fatalf("status %d:\n%s", page.StatusCode, page.text)
	}
	asked := r.upstream.Asked()
	if asked.Has("resource") || asked.Get("scope") != "openid profile offline_access" || asked.Get("prompt") != "select_account" || asked.Get("domain_hint") != "example.com" {
		t.Errorf("asked the issuer with %v", asked)
	}
	session, _ := b.session()
	if session.Person.Claims["unread"] != nil || session.Person.Claims["sub"] == nil {
		t.Errorf("kept the claims %v", session.Person.Claims)
	}
	if sealed := session.Upstream; len(sealed) == 0 {
		t.Error("the refresh token was not kept")
	}
	if got := r.entries(guard.KindSignIn); !slices.Equal(got, []string{"signed in"}) {
		t.Errorf("entries %q", got)
	}
}

// A stand-in of Entra ID: the person is the tenant's object.
func TestPersonSignsInAtEntra(t *testing.T) {
	t.Parallel()
	const tenant, object = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	for name, c := range map[string]struct {
		claims issuertest.Claims
		want   access.Caller
	}{
		"of the tenant":          {issuertest.Claims{"sub": "pairwise", "tid": tenant, "oid": object}, "entra:" + tenant + ":" + object},
		"of another tenant":      {issuertest.Claims{"sub": "pairwise", "tid": object, "oid": object}, ""},
		"without an object":      {issuertest.Claims{"sub": "pairwise", "tid": tenant}, ""},
		"without a tenant":       {issuertest.Claims{"sub": "pairwise", "oid": object}, ""},
		"an object that is none": {issuertest.Claims{"sub": "pairwise", "tid": tenant, "oid": "alice"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(_ *issuertest.SignIn, a *auth.Application) {
				a.Issuer = "https://login.microsoftonline.com/" + tenant + "/v2.0"
			})
			r.upstream.As(c.claims, nil)
			b := r.browser()
			b.signIn()
			if session, _ := b.session(); session.Person.Caller != c.want {
				t.Errorf("signed in as %q, want %q", session.Person.Caller, c.want)
			}
		})
	}
}

func TestServerProvesItselfAsTheIssuerWants(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		methods    []string
		credential auth.ClientCredential
		issuer     *x509.Certificate
		want       bool
	}{
		"a secret, nothing published": {nil, auth.ClientCredential{Secret: "s3cret/~"}, nil, true},
		"a secret in the header":      {[]string{"client_secret_basic"}, auth.ClientCredential{Secret: "s3cret/~"}, nil, true},
		"a secret in the form":        {[]string{"client_secret_post", "private_key_jwt"}, auth.ClientCredential{Secret: "s3cret/~"}, nil, true},
		"another secret":              {nil, auth.ClientCredential{Secret: "guess"}, nil, false},
		"a certificate":               {[]string{"client_secret_post", "private_key_jwt"}, auth.ClientCredential{Key: key, Certificate: der}, certificate, true},
		"another certificate":         {[]string{"private_key_jwt"}, auth.ClientCredential{Key: key, Certificate: []byte("other")}, certificate, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *issuertest.SignIn, a *auth.Application) {
				s.AuthMethods = c.methods
				if c.issuer != nil {
					s.Proves = func(r *http.Request, tokenURL string) bool { return signedBy(c.issuer, r, tokenURL, s.Now) }
				}
				a.Credential = func(context.Context) (auth.ClientCredential, error) { return c.credential, nil }
			})
			b := r.browser()
			page := b.signIn()
			b.wantSignedIn(c.want)
			if !c.want && page.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d for what is no fault of the person", page.StatusCode)
			}
		})
	}
}

// signedBy checks an assertion as Entra ID does, with another library than the one that
// made it.
func signedBy(certificate *x509.Certificate, r *http.Request, tokenURL string, now func() time.Time) bool {
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"PS256"}), jwt.WithAudience(tokenURL), jwt.WithIssuer(clientID),
		jwt.WithSubject(clientID), jwt.WithExpirationRequired(), jwt.WithTimeFunc(now)).
		Parse(r.PostForm.Get("client_assertion"), func(*jwt.Token) (any, error) { return certificate.PublicKey, nil })
	if err != nil {
		return false
	}
	long, short := sha256.Sum256(certificate.Raw), sha1.Sum(certificate.Raw)
	return parsed.Header["x5t#S256"] == b64(long[:]) && parsed.Header["x5t"] == b64(short[:]) &&
		r.PostForm.Get("client_id") == clientID && r.Header.Get("Authorization") == ""
}

func TestAnswerOfTheIssuerIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change issuertest.Claims // of the ID token
		good   bool
	}{
		"as it should be":         {nil, true},
		"one audience in a list":  {issuertest.Claims{"aud": []string{clientID}}, true},
		"for this server as well": {issuertest.Claims{"aud": []string{clientID, "other"}}, false},
		"for another server":      {issuertest.Claims{"aud": "other"}, false},
		"without an audience":     {issuertest.Claims{"aud": nil}, false},
		"this server as azp":      {issuertest.Claims{"azp": clientID}, true},
		"another azp":             {issuertest.Claims{"azp": "other"}, false},
		"azp that is no text":     {issuertest.Claims{"azp": 7}, false},
		"of another issuer":       {issuertest.Claims{"iss": "https://login.example"}, false},
		"nonce of another":        {issuertest.Claims{"nonce": "other"}, false},
		"without a nonce":         {issuertest.Claims{"nonce": nil}, false},
		"over":                    {issuertest.Claims{"exp": 1}, false},
		"without an end":          {issuertest.Claims{"exp": nil}, false},
		"from tomorrow":           {issuertest.Claims{"iat": time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC).Unix()}, false},
		"without a beginning":     {issuertest.Claims{"iat": nil}, false},
		"of nobody":               {issuertest.Claims{"sub": nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, usual)
			r.upstream.As(issuertest.Claims{"sub": "alice"}, c.change)
			b := r.browser()
			b.signIn()
			b.wantSignedIn(c.good)
		})
	}
}

// Each case changes where the issuer sends the browser, or which browser goes there.
func TestCallbackIsBoundToBrowserAndSignIn(t *testing.T) {
	t.Parallel()
	with := func(address, name, value string) string {
		at, _ := url.Parse(address)
		query := at.Query()
		query.Del(name)
		at.RawQuery = query.Encode()
		if value != "" {
			at.RawQuery += "&" + name + "=" + url.QueryEscape(value)
		}
		return at.String()
	}
	for name, c := range map[string]struct {
		sendsIss bool
		go_      func(b *browser, callback string) *browser // who went
		good     bool
	}{
		"as it should be": {go_: func(b *browser, at string) *browser { b.get(at); return b }, good: true},
		"with the issuer": {sendsIss: true, go_: func(b *browser, at string) *browser { b.get(at); return b }, good: true},
		"login CSRF: the answer of an attacker's sign-in": {go_: func(b *browser, at string) *browser {
			victim := b.browser()
			victim.press()
			victim.get(at)
			return victim
		}},
		"a browser that began nothing": {go_: func(b *browser, at string) *browser {
			other := b.browser()
			other.get(at)
			return other
		}},
		"the state again": {go_: func(b *browser, at string) *browser {
			b.get(at)
			b.post("/signout", b.form("/signout"))
			b.get(at)
			return b
		}},
		"another state":     {go_: func(b *browser, at string) *browser { b.get(with(at, "state", "x")); return b }},
		"without a state":   {go_: func(b *browser, at string) *browser { b.get(with(at, "state", "")); return b }},
		"two states":        {go_: func(b *browser, at string) *browser { b.get(at + "&state=x"); return b }},
		"two codes":         {go_: func(b *browser, at string) *browser { b.get(at + "&code=x"); return b }},
		"another code":      {go_: func(b *browser, at string) *browser { b.get(with(at, "code", "x")); return b }},
		"an error":          {go_: func(b *browser, at string) *browser { b.get(with(at, "error", "access_denied")); return b }},
		"mixed-up issuers":  {go_: func(b *browser, at string) *browser { b.get(with(at, "iss", "https://login.example")); return b }},
		"promised iss gone": {sendsIss: true, go_: func(b *browser, at string) *browser { b.get(with(at, "iss", "")); return b }},
		"too late": {go_: func(b *browser, at string) *browser {
			b.clock.Advance(10*time.Minute + time.Second)
			b.get(at)
			return b
		}},
		"the code of another sign-in": {go_: func(b *browser, at string) *browser {
			second := b.callback(b.press())
			code, _ := url.Parse(second)
			b.get(with(at, "code", code.Query().Get("code")))
			return b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *issuertest.SignIn, _ *auth.Application) { s.SendsIss = c.sendsIss })
			b := r.browser()
			c.go_(b, b.callback(b.press())).wantSignedIn(c.good)
			if entries := r.entries(guard.KindSignIn); !c.good && !strings.HasPrefix(entries[len(entries)-1], "refused from 127.0.0.1: ") {
				t.Errorf("entries %q", entries)
			}
		})
	}
}

func TestStepUpWantsANewProof(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fresh string
		age   time.Duration // of auth_time; 0 is none
		good  bool
	}{
		"asked, given":       {"1", time.Second, true},
		"asked, an old one":  {"1", time.Hour, false},
		"asked, none":        {"1", 0, false},
		"not asked, an old":  {"", time.Hour, true},
		"not asked and none": {"", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, usual)
			claims := issuertest.Claims{"sub": "alice"}
			if c.age != 0 {
				claims["auth_time"] = r.clock.Now().Add(-c.age).Unix()
			}
			r.upstream.As(claims, nil)
			b := r.browser()
			b.signIn("fresh", c.fresh)
			b.wantSignedIn(c.good)
			if got := r.upstream.Asked().Get("max_age"); got != map[bool]string{true: "0"}[c.fresh != ""] {
				t.Errorf("max_age %q", got)
			}
		})
	}
}

func TestGrantFollowsTheMappingAsItIsNow(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	b.signIn()
	session, _ := b.session()
	all := access.Scopes()
	grant, err := r.Grant(t.Context(), session.Person, all)
	if err != nil || !slices.Equal(grant.Scopes, []access.Scope{access.ScopeRead, access.ScopeWrite, access.ScopeChange}) || !slices.Equal(grant.Tenants, []string{"contoso"}) {
		t.Errorf("grant %v, %v", grant, err)
	}
	if grant, _ := r.Grant(t.Context(), session.Person, []access.Scope{access.ScopeRead}); !slices.Equal(grant.Scopes, []access.Scope{access.ScopeRead}) {
		t.Errorf("wanted to read, got %v", grant.Scopes)
	}
	m := mapping(r.issuer.URL())
	m.Grants = m.Grants[1:]
	if err := r.callers.Remap(m); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Grant(t.Context(), session.Person, all); problems.As(err).Code != problems.CodeTokenRefused {
		t.Errorf("a removed grant gave %v", err)
	}
}

func TestApprovingWantsARoleOrANamedScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims issuertest.Claims
		want   []access.Scope
	}{
		"no role":           {issuertest.Claims{"sub": "alice"}, []access.Scope{access.ScopeRead}},
		"the role":          {issuertest.Claims{"sub": "alice", "roles": []string{"approver"}}, []access.Scope{access.ScopeRead, access.ScopeApprove}},
		"a grant's scopes":  {issuertest.Claims{"sub": "bob", "groups": []string{"team"}}, []access.Scope{access.ScopeRead}},
		"limit over a role": {issuertest.Claims{"sub": "bob", "groups": []string{"team"}, "roles": []string{"approver"}}, []access.Scope{access.ScopeRead}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, usual)
			r.upstream.As(c.claims, nil)
			b := r.browser()
			b.signIn()
			session, _ := b.session()
			grant, err := r.Grant(t.Context(), session.Person, []access.Scope{access.ScopeRead, access.ScopeApprove, access.ScopeMetrics})
			if err != nil || !slices.Equal(grant.Scopes, c.want) {
				t.Errorf("scopes %v, %v; want %v", grant.Scopes, err, c.want)
			}
		})
	}
}

func TestRenewAsksTheIssuerAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *rig)
		want   problems.Code
	}{
		"still there":        {func(*rig) {}, ""},
		"disabled":           {func(r *rig) { r.upstream.Disable(true) }, problems.CodeTokenRefused},
		"another person":     {func(r *rig) { r.upstream.As(issuertest.Claims{"sub": "mallory"}, nil) }, problems.CodeTokenRefused},
		"for another server": {func(r *rig) { r.upstream.As(issuertest.Claims{"sub": "alice", "aud": "x"}, nil) }, problems.CodeTokenRefused},
		"the issuer is down": {func(r *rig) {
			r.issuer.AnswerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}, problems.CodeSignInUnavailable},
		"the secret is wrong": {func(r *rig) { r.upstream.Secret = "rotated" }, problems.CodeSignInUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, usual)
			r.upstream.As(issuertest.Claims{"sub": "alice", "groups": []string{"team"}}, nil)
			b := r.browser()
			b.signIn()
			session, _ := b.session()
			upstream := session.Upstream
			r.upstream.As(issuertest.Claims{"sub": "alice"}, nil)
			c.change(r)
			person, again, err := r.Renew(t.Context(), session.Person, upstream)
			if c.want != "" {
				if problems.As(err).Code != c.want || len(again) != 0 || person.Caller != "" {
					t.Errorf("got %v and %v, want %s", person, err, c.want)
				}
				return
			}
			if err != nil || person.Caller != session.Person.Caller || person.Claims["groups"] != nil || !slices.Equal(again, upstream) {
				t.Errorf("renewed %v, %v: a lost group must be gone", person, err)
			}
		})
	}
}

// The issuer takes each refresh token once, and several clients follow from a sign-in.
func TestClientsOfASignInShareTheRefreshToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	b.signIn()
	session, _ := b.session()
	for range 3 {
		r.clock.Advance(15 * time.Minute)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, _, err := r.Renew(t.Context(), session.Person, session.Upstream); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	other := session.Person
	other.Caller = "oidc:other"
	if _, _, err := r.Renew(t.Context(), other, session.Upstream); problems.As(err).Code != problems.CodeTokenRefused {
		t.Errorf("another person was renewed: %v", err)
	}
	if _, _, err := r.Renew(t.Context(), session.Person, []byte("nothing")); problems.As(err).Code != problems.CodeTokenRefused {
		t.Errorf("renewed by nothing: %v", err)
	}
}

// A server that dies while it asks the issuer holds a sign-in back for a while, no longer.
func TestRenewGoesOnAfterAServerThatDiedAsking(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	b.signIn()
	session, _ := b.session()
	err := r.store.ChangeStates(t.Context(), func(tx guard.StateTx) error {
		row := map[string]any{}
		if ok, err := tx.State(guard.OnceState, string(session.Upstream), &row); err != nil || !ok {
			t.Fatal("no row", err)
		}
		row["claimed"] = guard.Stamp{Time: r.clock.Now().Add(20 * time.Second)}
		return tx.Put(guard.OnceState, string(session.Upstream), row)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := r.Renew(ctx, session.Person, session.Upstream); problems.As(err).Code != problems.CodeSignInUnavailable {
		t.Errorf("another server asks: %v", err)
	}
	r.clock.Advance(20 * time.Second)
	if _, _, err := r.Renew(t.Context(), session.Person, session.Upstream); err != nil {
		t.Error(err)
	}
}

func TestIssuerOfManyTenantsOrAnotherIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	for _, issuer := range []string{"https://login.microsoftonline.com/common/v2.0", "https://login.example", "http://login.example", "x"} {
		if _, err := r.callers.Upstream(auth.Application{Issuer: issuer, ClientID: "x"}); err == nil {
			t.Errorf("people may sign in at %s", issuer)
		}
	}
	for _, public := range []string{"", "partner.example.com", "https://partner.example.com/", "https://a@partner.example.com", "https://partner.example.com?x"} {
		if _, err := users.New(users.Options{PublicURL: public}); err == nil {
			t.Errorf("%q is a public URL", public)
		}
	}
}

// What doctor asks: a wrong secret is told from a code that nobody gave.
func TestIssuerTellsAWrongSecretFromAWrongCode(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	for secret, want := range map[string]problems.Code{"s3cret/~": "", "another": problems.CodeCredentialRejected} {
		upstream := r.newUpstream(func(_ *issuertest.SignIn, a *auth.Application) {
			a.Credential = func(context.Context) (auth.ClientCredential, error) {
				return auth.ClientCredential{Secret: secret}, nil
			}
		})
		err := upstream.CheckCredential(t.Context())
		if (err != nil) != (want != "") || err != nil && problems.As(err).Code != want {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
