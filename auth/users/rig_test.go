package users_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
)

const clientID = "66666666-aaaa-bbbb-cccc-dddddddddddd"

// rig is a server where people sign in, with its issuer.
type rig struct {
	*users.SignIn
	t        testing.TB
	url      string
	issuer   *issuertest.Issuer
	upstream *issuertest.SignIn
	callers  *auth.Authenticator
	store    *ledgertest.Store
	clock    *testkit.Clock
	trust    *tls.Config
	log      bytes.Buffer
}

// xor is a sealer that shows whether something was sealed.
type xor struct{}

func (xor) Seal(plain []byte) ([]byte, error)  { return turned(plain), nil }
func (xor) Open(sealed []byte) ([]byte, error) { return turned(sealed), nil }
func turned(text []byte) []byte {
	turned := slices.Clone(text)
	for i := range turned {
		turned[i] ^= 0x5a
	}
	return turned
}

// mapping lets Alice do what the scopes of tools allow, and who has a role approve.
func mapping(issuer string) auth.Mapping {
	return auth.Mapping{
		Roles: map[string][]access.Scope{"approver": {access.ScopeApprove}},
		Grants: []auth.CallerGrant{
			{Name: "alice", Issuer: issuer, Subject: "alice", Tenants: []string{"contoso"}},
			{Name: "team", Issuer: issuer, Group: "team", Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"*"}},
		},
	}
}

// newRig changes what it likes of the issuer before the server starts; without one
// there are users of the server alone.
func newRig(t testing.TB, change func(*issuertest.SignIn, *auth.Application)) *rig {
	t.Helper()
	r := &rig{t: t, clock: testkit.NewClock(time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)), issuer: issuertest.Start(t)}
	r.store = ledgertest.New(t, r.clock.Now)
	pair := testkit.NewPair(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.ServeHTTP(w, req) }))
	server.TLS = pair.Serve()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	r.url = "https://localhost:" + port
	r.trust = pair.Trust()
	options := users.Options{Store: r.store, PublicURL: r.url, Now: r.clock.Now, Sealer: xor{}, Logger: slog.New(slog.NewTextHandler(&r.log, nil))}
	if change != nil {
		options.Upstream = r.newUpstream(change)
	}
	var err error
	if r.SignIn, err = users.New(options); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return r
}

func (r *rig) newUpstream(change func(*issuertest.SignIn, *auth.Application)) *auth.Upstream {
	r.t.Helper()
	r.upstream = &issuertest.SignIn{ClientID: clientID, RedirectURI: r.url + users.CallbackPath, Secret: "s3cret/~", Now: r.clock.Now}
	application := auth.Application{
		Issuer: r.issuer.URL(), ClientID: clientID, RedirectURI: r.url + users.CallbackPath,
		Credential: func(context.Context) (auth.ClientCredential, error) {
			return auth.ClientCredential{Secret: "s3cret/~"}, nil
		},
	}
	change(r.upstream, &application)
	r.issuer.SignsIn(r.upstream)
	r.upstream.As(issuertest.Claims{"sub": "alice", "preferred_username": "alice@example.com", "unread": "x"}, nil)
	var err error
	r.callers, err = auth.New(auth.Options{
		Issuers: []string{application.Issuer}, Audiences: []string{clientID}, Client: r.issuer.Client(), Now: r.clock.Now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if application.Issuer == r.issuer.URL() {
		if err := r.callers.Remap(mapping(application.Issuer)); err != nil {
			r.t.Fatal(err)
		}
	}
	upstream, err := r.callers.Upstream(application)
	if err != nil {
		r.t.Fatal(err)
	}
	return upstream
}

func usual(*issuertest.SignIn, *auth.Application) {}

// browser is one with cookies of its own; it runs no script.
type browser struct {
	*rig
	client *http.Client
}

func (r *rig) browser() *browser {
	jar, _ := cookiejar.New(nil) // never fails
	issuer := r.issuer.Client().Transport.(*http.Transport)
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host != strings.TrimPrefix(r.url, "https://") {
			return issuer.RoundTrip(req)
		}
		return (&http.Transport{TLSClientConfig: r.trust, DisableKeepAlives: true}).RoundTrip(req)
	})
	return &browser{r, &http.Client{Jar: jar, Transport: transport}}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer is what a browser shows.
type answer struct {
	*http.Response
	text string
}

func (b *browser) do(req *http.Request) answer {
	b.t.Helper()
	response, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(body)}
}

func (b *browser) get(address string) answer {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.url + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

// post sends a form as a page of this server does; headers are set otherwise in turn.
func (b *browser) post(path string, form url.Values, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.do(req)
}

var (
	formToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)
	onward    = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)
)

func found(t testing.TB, pattern *regexp.Regexp, text string) string {
	t.Helper()
	parts := pattern.FindStringSubmatch(text)
	if parts == nil {
		t.Fatalf("no %s in:\n%s", pattern, text)
	}
	return html.UnescapeString(parts[1])
}

// form is what the forms of a page send.
func (b *browser) form(path string, more ...string) url.Values {
	b.t.Helper()
	values := url.Values{"form_token": {found(b.t, formToken, b.get(path).text)}}
	for i := 0; i+1 < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return values
}

// press begins a sign-in and returns where the issuer is asked.
func (b *browser) press(more ...string) string {
	b.t.Helper()
	return found(b.t, onward, b.post("/signin/issuer", b.form("/signin", more...)).text)
}

// callback returns where the issuer sends the browser back, which did not go there yet.
func (b *browser) callback(issuer string) string {
	b.t.Helper()
	client := *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer := (&browser{b.rig, &client}).get(issuer)
	return answer.Header.Get("Location")
}

// signIn signs in at the issuer and returns the last page.
func (b *browser) signIn(more ...string) answer {
	b.t.Helper()
	return b.get(b.press(more...))
}

// session is that of the browser, as the server sees it.
func (b *browser) session() (users.Session, bool) {
	b.t.Helper()
	req, _ := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url, nil)
	at, _ := url.Parse(b.url)
	for _, cookie := range b.client.Jar.Cookies(at) {
		req.AddCookie(cookie)
	}
	return b.Session(req)
}

func (b *browser) cookie(name string) string {
	b.t.Helper()
	at, _ := url.Parse(b.url)
	for _, cookie := range b.client.Jar.Cookies(at) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	at, _ := url.Parse(b.url)
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

// wantSignedIn fails unless the browser is signed in, or is not.
func (b *browser) wantSignedIn(want bool) {
	b.t.Helper()
	if _, is := b.session(); is != want {
		b.t.Errorf("signed in: %v, want %v; log: %s", is, want, b.log.String())
	}
}

// entries are the details of the record's entries of a kind.
func (r *rig) entries(kind guard.EventKind) (details []string) {
	r.t.Helper()
	for _, event := range r.store.Events() {
		if event.Kind == kind {
			details = append(details, event.Detail)
		}
	}
	return details
}
