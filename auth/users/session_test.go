package users_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
)

func TestSessionGetsANewHandleAtEachSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	planted := strings.Repeat("A", 52)
	b.setCookie("__Host-session", planted)
	b.signIn()
	first := b.cookie("__Host-session")
	if first == planted || first == "" {
		t.Fatalf("the session has the handle that was planted")
	}
	b.signIn()
	second := b.cookie("__Host-session")
	if second == first {
		t.Error("the second sign-in kept the handle of the first")
	}
	b.wantSignedIn(true)
	b.setCookie("__Host-session", first)
	b.wantSignedIn(false)
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pass func(r *rig, b *browser)
		good bool
	}{
		"idle for less":        {func(r *rig, _ *browser) { r.clock.Advance(29 * time.Minute) }, true},
		"idle":                 {func(r *rig, _ *browser) { r.clock.Advance(30*time.Minute + time.Second) }, false},
		"in use":               {func(r *rig, b *browser) { use(r, b, 11*time.Hour+40*time.Minute) }, true},
		"in use for too long":  {func(r *rig, b *browser) { use(r, b, 12*time.Hour+time.Second) }, false},
		"signed out":           {func(_ *rig, b *browser) { b.post("/signout", b.form("/signout")) }, false},
		"another handle":       {func(_ *rig, b *browser) { b.setCookie("__Host-session", strings.Repeat("B", 52)) }, false},
		"no handle":            {func(_ *rig, b *browser) { b.setCookie("__Host-session", "x") }, false},
		"ended from elsewhere": {func(r *rig, b *browser) { endOthers(r) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, usual)
			b := r.browser()
			b.signIn()
			kept := b.cookie("__Host-session")
			c.pass(r, b)
			b.wantSignedIn(c.good)
			if name == "signed out" {
				if b.cookie("__Host-session") != "" {
					t.Error("the browser keeps the handle")
				}
				b.setCookie("__Host-session", kept)
				b.wantSignedIn(false)
			}
		})
	}
}

func use(r *rig, b *browser, d time.Duration) {
	for end := r.clock.Now().Add(d); r.clock.Now().Before(end); {
		r.clock.Advance(min(20*time.Minute, end.Sub(r.clock.Now())))
		b.session()
	}
}

func endOthers(r *rig) {
	b := r.browser()
	b.signIn()
	b.post("/account", b.form("/account", "end", "others"))
	b.wantSignedIn(true)
}

func TestSessionIsSeenOnceAMinute(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	b.signIn()
	began := r.clock.Now()
	for _, c := range []struct{ after, seen time.Duration }{{59 * time.Second, 0}, {time.Second, time.Minute}, {30 * time.Second, time.Minute}} {
		r.clock.Advance(c.after)
		if session, _ := b.session(); !session.LastSeen.Equal(began.Add(c.seen)) {
			t.Errorf("seen %s after the beginning, want %s", session.LastSeen.Sub(began), c.seen)
		}
	}
}

func TestSessionIsNoBearerAndABearerNoSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	g, err := guard.New(guard.Options{Store: r.store, Now: r.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := g.IssueToken(t.Context(), guard.TokenRequest{For: "ci", Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"*"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.AuthenticateToken(t.Context(), secret); err != nil {
		t.Fatalf("the control: %v", err)
	}
	b := r.browser()
	b.signIn()
	for _, bearer := range []string{b.cookie("__Host-session"), "mpt_" + b.cookie("__Host-session")} {
		if _, err := g.AuthenticateToken(t.Context(), bearer); err == nil {
			t.Error("a session is a bearer")
		}
	}
	b.wantSignedIn(true)
	for _, cookie := range []string{secret, strings.TrimPrefix(secret, "mpt_")} {
		b.setCookie("__Host-session", cookie)
		b.wantSignedIn(false)
	}
}

func TestTwoCookiesOfASessionAreNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	b.signIn()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url, nil)
	for range 2 {
		req.AddCookie(&http.Cookie{Name: "__Host-session", Value: b.cookie("__Host-session")})
		_, ok := r.Session(req)
		if want := len(req.Cookies()) == 1; ok != want {
			t.Errorf("%d cookies: signed in %v", len(req.Cookies()), ok)
		}
	}
}

// Each form is sent as it is, which works, and as another site or an old page would.
func TestFormsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	for _, path := range []string{"/signin/issuer", "/signin/passkey/begin", "/signin/passkey/finish", "/invite", "/signout", "/account"} {
		page := map[string]string{"/signout": "/signout", "/account": "/account"}[path]
		for name, c := range map[string]struct {
			headers []string
			token   func(b *browser, good string) string
			refused bool
		}{
			"as it should be":          {},
			"from another site":        {headers: []string{"Sec-Fetch-Site", "cross-site"}, refused: true},
			"from another subdomain":   {headers: []string{"Sec-Fetch-Site", "same-site"}, refused: true},
			"old browser, other site":  {headers: []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, refused: true},
			"without a token":          {token: func(*browser, string) string { return "" }, refused: true},
			"with another's token":     {token: func(b *browser, _ string) string { return b.browser().form("/signin").Get("form_token") }, refused: true},
			"with a token and a space": {token: func(_ *browser, good string) string { return good + " " }, refused: true},
		} {
			b := r.browser()
			if page != "" {
				b.signIn()
			}
			form := b.form(map[bool]string{true: page, false: "/signin"}[page != ""])
			if c.token != nil {
				form.Set("form_token", c.token(b, form.Get("form_token")))
			}
			answer := b.post(path, form, c.headers...)
			if refused := strings.Contains(answer.text, "Not from this page"); refused != c.refused {
				t.Errorf("%s, %s: refused %v; status %d", path, name, refused, answer.StatusCode)
			}
			r.clock.Advance(time.Minute)
		}
	}
}

func TestPagesCannotBeFramed(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	b.signIn()
	for _, path := range []string{"/signin", "/invite", "/signout", "/account"} {
		answer := b.get(path)
		csp := answer.Header.Get("Content-Security-Policy")
		if answer.StatusCode != http.StatusOK || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "require-trusted-types-for 'script'") ||
			answer.Header.Get("X-Frame-Options") != "DENY" || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %v", path, answer.StatusCode, answer.Header)
		}
	}
}

func TestNextIsAPathOfThisServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	for next, want := range map[string]string{
		"/account":               "/account",
		"/signout?x=1":           "/signout?x=1",
		"https://evil.example/":  "/account",
		"//evil.example/":        "/account",
		`/\evil.example/`:        "/account",
		`\\evil.example`:         "/account",
		"/\t/evil.example":       "/account",
		"javascript:alert(1)":    "/account",
		"account":                "/account",
		"":                       "/account",
		"/%2f/evil.example":      "/account",
		"https:/signout":         "/account",
		"/signout#@evil.example": "/signout",
	} {
		b := r.browser()
		answer := b.signIn("next", next)
		if got := strings.TrimPrefix(answer.Request.URL.String(), r.url); next != "/%2f/evil.example" && strings.TrimSuffix(got, "#@evil.example") != want {
			t.Errorf("%q led to %s, want %s", next, got, want)
		}
		if answer.Request.URL.Host != strings.TrimPrefix(r.url, "https://") {
			t.Errorf("%q led to %s", next, answer.Request.URL)
		}
		r.clock.Advance(time.Minute)
	}
}

func TestPeopleSeeAndEndTheirOwnSessionsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	alice, again := r.browser(), r.browser()
	alice.signIn()
	again.signIn()
	r.upstream.As(map[string]any{"sub": "bob", "groups": []string{"team"}}, nil)
	bob := r.browser()
	bob.signIn()
	first, _ := alice.session()
	second, _ := again.session()
	if text := bob.get("/account").text; strings.Contains(text, first.ID) || strings.Contains(text, "alice") {
		t.Error("Bob sees Alice's session")
	}
	bob.post("/account", bob.form("/signout", "end", "one", "id", first.ID))
	bob.post("/account", bob.form("/signout", "end", "others"))
	alice.wantSignedIn(true)
	if text := alice.get("/account").text; !strings.Contains(text, second.ID) {
		t.Error("Alice does not see her other session")
	}
	alice.post("/account", alice.form("/account", "end", "one", "id", second.ID))
	again.wantSignedIn(false)
	alice.wantSignedIn(true)
	bob.wantSignedIn(true)
}

func TestRefusalsSayTheSameAfterTheSameTimeAndDoNotFloodTheRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	texts := map[string]bool{}
	for _, query := range []string{"", "?state=a", "?state=a&code=b", "?state=a&state=b"} {
		for range 2 {
			began := time.Now()
			answer := b.get(users.CallbackPath + query)
			texts[answer.text] = true
			if took := time.Since(began); took < 100*time.Millisecond {
				t.Errorf("%q was refused after %s", query, took)
			}
		}
	}
	if len(texts) != 1 {
		t.Errorf("%d texts for refusals", len(texts))
	}
	if entries := r.entries(guard.KindSignIn); len(entries) != 1 {
		t.Errorf("%d entries in a minute: %q", len(entries), entries)
	}
	r.clock.Advance(time.Minute)
	b.get(users.CallbackPath)
	if entries := r.entries(guard.KindSignIn); len(entries) != 2 || !strings.HasSuffix(entries[1], "more since the last entry)") {
		t.Errorf("entries %q", entries)
	}
	b.signIn()
	b.wantSignedIn(true)
}

func TestAttemptsFromOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	form := b.form("/signin")
	var good atomic.Int32
	var all sync.WaitGroup
	for range 70 {
		all.Go(func() {
			if b.post("/signin/passkey/begin", form).StatusCode == http.StatusOK {
				good.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 60 {
		t.Errorf("%d attempts in one moment, want 60", good.Load())
	}
	r.clock.Advance(time.Minute)
	b.signIn()
	b.wantSignedIn(true)
}

// An address that is limited uses up nothing of what all others have.
func TestOneAddressKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	left, leave := context.WithCancel(t.Context())
	leave() // so that no refusal is waited for
	for _, from := range append(slices.Repeat([]string{"192.0.2.1:9"}, 300), "[2001:db8::1]:9", "[2001:db8::2]:9", "198.51.100.7:9") {
		req := httptest.NewRequestWithContext(left, http.MethodGet, users.CallbackPath, nil)
		req.RemoteAddr = from
		r.ServeHTTP(httptest.NewRecorder(), req)
	}
	want := []string{
		"refused from 192.0.2.1: nothing was begun in this browser",
		"refused from 2001:db8::/64: nothing was begun in this browser",
		"refused from 198.51.100.7: nothing was begun in this browser",
	}
	if got := r.entries(guard.KindSignIn); !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}

// Addresses cost nothing with IPv6, but each refusal is an entry.
func TestManyAddressesDoNotFloodTheRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	left, leave := context.WithCancel(t.Context())
	leave() // so that no refusal is waited for
	for i := range 300 {
		req := httptest.NewRequestWithContext(left, http.MethodGet, users.CallbackPath, nil)
		req.RemoteAddr = fmt.Sprintf("[2001:db8:0:%x::1]:9", i)
		r.ServeHTTP(httptest.NewRecorder(), req)
	}
	if got := len(r.entries(guard.KindSignIn)); got != 60 {
		t.Errorf("%d entries, want 60", got)
	}
}

// clients is what package oauth gives the account page.
type clients struct{ ended []string }

func (c *clients) Families(_ context.Context, of access.Caller) ([]users.Family, error) {
	return []users.Family{{ID: "f1", Host: "claude.ai of " + string(of), Scopes: []access.Scope{access.ScopeRead}, Customers: "<b>contoso"}}, nil
}

func (c *clients) EndFamily(_ context.Context, _ access.Caller, id string) error {
	c.ended = append(c.ended, id)
	return nil
}

func TestAccountPageShowsClientsAndTakesThemBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	known := &clients{}
	r.ShowClients(known)
	b := r.browser()
	text := b.signIn().text
	for _, want := range []string{"claude.ai of oidc:", "<dd>read</dd>", "&lt;b&gt;contoso", "Take back"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	b.post("/account", b.form("/account", "end", "client", "id", "f1"))
	if !slices.Equal(known.ended, []string{"f1"}) {
		t.Errorf("ended %q", known.ended)
	}
}

func TestNoSecretIsOnAPageOrInTheRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, usual)
	b := r.browser()
	callback := b.callback(b.press())
	at, _ := url.Parse(callback)
	all := b.get(callback).text + b.get("/account").text + b.get("/signout").text + r.log.String()
	for _, event := range r.store.Events() {
		all += event.Detail
	}
	for _, secret := range []string{b.cookie("__Host-session"), b.cookie("__Host-signin"), at.Query().Get("code"), at.Query().Get("state"), "s3cret"} {
		if secret == "" || strings.Contains(all, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}
