package console_test

import (
	"context"
	"crypto/tls"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/auth/oauth"
	"mcp-partner/auth/users"
	"mcp-partner/console"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

const (
	clientID = "66666666-aaaa-bbbb-cccc-dddddddddddd"
	ownID    = "1234567"
	otherID  = "7654321"
)

// rig is the console over a simulated Azure, with the real guard, ledger and service. Who
// is who: people.
type rig struct {
	t        testing.TB
	url      string
	app      *app.App
	guard    *guard.Guard
	service  *tools.Service
	people   *users.SignIn
	callers  *auth.Authenticator
	console  *console.Console
	issuer   *issuertest.Issuer
	upstream *issuertest.SignIn
	azure    *app.Simulation
	trust    *tls.Config
}

// people are those who may sign in: what the issuer says of them decides what they may.
func people() map[string]issuertest.Claims {
	return map[string]issuertest.Claims{
		"alice":   {"sub": "alice"},                                // reads and writes everywhere
		"bob":     {"sub": "bob", "roles": []string{"approver"}},   // reads and decides everywhere
		"carol":   {"sub": "carol", "roles": []string{"approver"}}, // as Bob
		"dora":    {"sub": "dora", "roles": []string{"approver"}},  // reads, writes and decides everywhere
		"judge":   {"sub": "judge", "roles": []string{"approver"}}, // decides everywhere and reads nothing
		"reader":  {"sub": "reader"},                               // reads everywhere
		"contoso": {"sub": "contoso"},                              // reads and writes in contoso alone
		"nobody":  {"sub": "nobody"},                               // is in no grant
	}
}

func mapping(issuer string) auth.Mapping {
	read, decide := []access.Scope{access.ScopeRead}, []access.Scope{access.ScopeRead, access.ScopeApprove}
	all := []string{"*"}
	return auth.Mapping{
		Roles: map[string][]access.Scope{"approver": {access.ScopeApprove}},
		Grants: []auth.CallerGrant{
			{Name: "alice", Issuer: issuer, Subject: "alice", Tenants: all},
			{Name: "bob", Issuer: issuer, Subject: "bob", Tenants: all, Scopes: decide},
			{Name: "carol", Issuer: issuer, Subject: "carol", Tenants: all, Scopes: decide},
			{Name: "dora", Issuer: issuer, Subject: "dora", Tenants: all, Scopes: append(decide, access.ScopeWrite, access.ScopeChange)},
			{Name: "judge", Issuer: issuer, Subject: "judge", Tenants: all, Scopes: decide[1:]},
			{Name: "reader", Issuer: issuer, Subject: "reader", Tenants: all, Scopes: read},
			{Name: "contoso", Issuer: issuer, Subject: "contoso", Tenants: []string{"contoso"}},
		},
	}
}

// newRig starts the console over some tenants. In contoso nothing is linked, fabrikam is
// linked to otherID.
func newRig(t testing.TB, tenants int, rules guard.Options, faults ...string) *rig {
	t.Helper()
	r := &rig{t: t, issuer: issuertest.Start(t)}
	pair := testkit.NewPair(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, console.Path) {
			r.console.ServeHTTP(w, req)
			return
		}
		r.people.ServeHTTP(w, req)
	}))
	server.TLS = pair.Serve()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	r.url, r.trust = "https://localhost:"+port, pair.Trust()
	r.openHouse(app.SimulationOptions{Tenants: tenants, Faults: faults}, rules)
	var err error
	if r.people, err = users.New(users.Options{Store: r.app.GuardStore(), PublicURL: r.url, Upstream: r.newUpstream(), Sealer: clear{}}); err != nil {
		t.Fatal(err)
	}
	r.console = console.New(console.Options{
		Service: r.service, Guard: r.guard, Fleet: r.app.Fleet, Record: r.app.Record(), People: r.people, Acknowledge: r.app.Acknowledge, OwnIDs: rules.Bounds.PartnerIDs,
		Clients: func(by access.Caller) oauth.Clients {
			return oauth.Clients{Store: r.app.GuardStore(), Now: time.Now, By: by}
		},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	server.StartTLS()
	t.Cleanup(server.Close)
	return r
}

// clear seals nothing: the refresh tokens of this issuer are nobody's.
type clear struct{}

func (clear) Seal(plain []byte) ([]byte, error)  { return plain, nil }
func (clear) Open(sealed []byte) ([]byte, error) { return sealed, nil }

type testWriter struct{ testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	w.Logf("%s", line)
	return len(line), nil
}

func (r *rig) openHouse(azure app.SimulationOptions, rules guard.Options) {
	r.t.Helper()
	settings := app.NewSettings(func(string) (string, bool) { return "", false }, nil)
	settings.PublicURL = r.url
	settings.Config.Policy = rules.Rules
	settings.SetStateDir(filepath.Join(r.t.TempDir(), "state"))
	var err error
	if r.azure, err = app.StartSimulation(context.Background(), azure, "127.0.0.1:0"); err != nil {
		r.t.Fatal(err)
	}
	if r.app, err = settings.Open(r.azure); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.app.Close)
	if err := r.azure.Stage("contoso", "fabrikam", otherID); err != nil {
		r.t.Fatal(err)
	}
	if rules.Bounds.PartnerIDs == nil {
		rules.Bounds.PartnerIDs = []string{ownID}
	}
	if r.guard, err = r.app.Guard(rules); err != nil {
		r.t.Fatal(err)
	}
	r.service = r.app.Service(r.guard)
}

func (r *rig) newUpstream() *auth.Upstream {
	r.t.Helper()
	callback := r.url + users.CallbackPath
	r.upstream = &issuertest.SignIn{ClientID: clientID, RedirectURI: callback, Secret: "s3cret", Now: time.Now}
	r.issuer.SignsIn(r.upstream)
	var err error
	r.callers, err = auth.New(auth.Options{Issuers: []string{r.issuer.URL()}, Audiences: []string{clientID}, Client: r.issuer.Client(), Mapping: mapping(r.issuer.URL())})
	if err != nil {
		r.t.Fatal(err)
	}
	upstream, err := r.callers.Upstream(auth.Application{
		Issuer: r.issuer.URL(), ClientID: clientID, RedirectURI: callback,
		Credential: func(context.Context) (auth.ClientCredential, error) {
			return auth.ClientCredential{Secret: "s3cret"}, nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return upstream
}

// agent is somebody else's program, which asks for things.
func (r *rig) agent() access.Principal {
	return access.Principal{Caller: "token:agent", Grant: access.FullGrant()}
}

// ask has the agent call a tool, and returns its answer.
func (r *rig) ask(tool, arguments string) answers.Envelope {
	r.t.Helper()
	return r.service.Call(r.t.Context(), tools.Call{Tool: tool, Arguments: []byte(arguments), Principal: r.agent(), Confirmer: tools.NoConfirmer{}}).Envelope
}

// askToRegister leaves an approval that waits, and returns its ID.
func (r *rig) askToRegister(tenant string) string {
	r.t.Helper()
	e := r.ask(schemas.ToolRegisterPartner, `{"tenant":"`+tenant+`","partner_id":"`+ownID+`","reason":"new customer"}`)
	if e.Approval == nil {
		r.t.Fatalf("nothing waits: %+v", e)
	}
	return e.Approval.ID
}

// browser is one with cookies of its own in which somebody is signed in; it runs no
// script.
type browser struct {
	*rig
	client *http.Client
}

// browser signs somebody in at the issuer, now; "" is nobody.
func (r *rig) browser(who string) *browser {
	r.t.Helper()
	jar, _ := cookiejar.New(nil) // never fails
	issuer := r.issuer.Client().Transport.(*http.Transport)
	own := &http.Transport{TLSClientConfig: r.trust}
	r.t.Cleanup(own.CloseIdleConnections)
	b := &browser{r, &http.Client{Jar: jar, Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		if strings.HasPrefix(req.URL.String(), r.url) {
			return own.RoundTrip(req)
		}
		return issuer.RoundTrip(req)
	})}}
	if who != "" {
		b.signIn(who, 0)
	}
	return b
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// signIn signs somebody in who proved who they are some time ago.
func (b *browser) signIn(who string, ago time.Duration) {
	b.t.Helper()
	claims := people()[who]
	claims["auth_time"] = time.Now().Add(-ago).Unix()
	claims["preferred_username"] = who + "@example.com"
	b.upstream.As(claims, nil)
	shown := b.post("/signin/issuer", "/signin", "next", "/console/")
	if last := b.get(found(b.t, onward, shown.text)); last.StatusCode >= 500 {
		b.t.Fatalf("%s is not signed in: %s", who, last.text)
	}
}

// caller is who is signed in, to the guard.
func (b *browser) caller() access.Caller {
	b.t.Helper()
	at, _ := url.Parse(b.url) // the rig made it
	req := httptest.NewRequest(http.MethodGet, b.url+"/console/", nil)
	for _, cookie := range b.client.Jar.Cookies(at) {
		req.AddCookie(cookie)
	}
	session, ok := b.people.Session(req)
	if !ok {
		b.t.Fatal("nobody is signed in")
	}
	return session.Person.Caller
}

// answer is what a browser shows at the end.
type answer struct {
	*http.Response
	text string
}

func (b *browser) do(method, address, body string, headers ...string) answer {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.url + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(text)}
}

func (b *browser) get(address string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, address, "")
}

var (
	formToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)
	sealValue = regexp.MustCompile(`name="seal" value="([^"]+)"`)
	onward    = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)
)

// post sends a form of the page from: its token, and names with values in turn.
func (b *browser) post(path, from string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{"form_token": {found(b.t, formToken, b.get(from).text)}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, form.Encode())
}

func found(t testing.TB, pattern *regexp.Regexp, text string) string {
	t.Helper()
	parts := pattern.FindStringSubmatch(text)
	if parts == nil {
		t.Fatalf("no %s in:\n%s", pattern, text)
	}
	return html.UnescapeString(parts[1])
}

// wantPage fails unless a page is there and says all of this.
func (a answer) wantPage(t testing.TB, status int, says ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d:\n%s", a.StatusCode, status, a.text)
	}
	for _, text := range says {
		if !strings.Contains(a.text, text) {
			t.Errorf("the page does not say %q:\n%s", text, a.text)
		}
	}
}

func filterOfTenant(name string) ledger.Filter { return ledger.Filter{Tenant: name} }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
