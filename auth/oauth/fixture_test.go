package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/page"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

const (
	verifier      = "a-verifier-that-is-long-enough-to-be-one-0123456789"
	localRedirect = "http://127.0.0.1:33418/callback"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// persons keeps the sessions of production, which begin without asking, and grants what
// the test says.
type persons struct {
	*users.SignIn
	mu       sync.Mutex
	grants   map[access.Caller]access.Grant
	names    []string // of the customers
	begun    int
	renewals int
	renew    func(users.Person) (users.Person, []byte, error)
}

func (p *persons) Begin(w http.ResponseWriter, r *http.Request, next string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun++
	http.Redirect(w, r, "/signin?next="+url.QueryEscape(next), http.StatusSeeOther)
}

func (p *persons) Grant(_ context.Context, who users.Person, wanted []access.Scope) (access.Grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	grant, ok := p.grants[who.Caller]
	if !ok {
		return access.Grant{}, problems.New(problems.CodeTokenRefused, "The person is gone.")
	}
	grant.Scopes = xslices.Filter(grant.Scopes, func(scope access.Scope) bool { return slices.Contains(wanted, scope) })
	return grant, nil
}

func (p *persons) Renew(_ context.Context, who users.Person, upstream []byte) (users.Person, []byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renewals++
	if p.renew != nil {
		return p.renew(who)
	}
	return who, upstream, nil
}

// Session is one whose issuer gave a refresh token.
func (p *persons) Session(r *http.Request) (users.Session, bool) {
	session, ok := p.SignIn.Session(r)
	session.Upstream = []byte("sealed token of " + string(session.Person.Caller))
	return session, ok
}

// directory are the customers, each with the tenant ID of its name.
func (p *persons) directory() []Customer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return xslices.Map(p.names, func(name string) Customer { return Customer{name, "id of " + name} })
}

// set changes what the fake says.
func (p *persons) set(change func(*persons)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// site is an authorization server over TLS, with a real ledger and a real guard.
type site struct {
	*testing.T
	url       string
	clock     *testkit.Clock
	store     *ledgertest.Store
	people    *persons
	server    *Server
	guard     *guard.Guard
	web       *httptest.Server
	issuer    *http.Client
	transport *http.Transport
}

// newSite starts a server; change alters its options.
func newSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	clock := testkit.NewClock(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	s := &site{T: t, clock: clock, store: ledgertest.New(t, clock.Now), people: &persons{names: []string{"contoso-1", "contoso-2", "contoso-3", "fabrikam"}, grants: map[access.Caller]access.Grant{
		"entra:t:alice": {Scopes: []access.Scope{access.ScopeRead, access.ScopeWrite}, Tenants: []string{"contoso-*"}},
		"entra:t:bob":   {Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"fabrikam"}},
	}}}
	pair := testkit.NewPair(t)
	s.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.server.ServeHTTP(w, r) }))
	s.web.TLS = pair.Serve()
	s.web.StartTLS()
	t.Cleanup(s.web.Close)
	s.url = strings.Replace(s.web.URL, "127.0.0.1", "localhost", 1)
	s.transport = &http.Transport{TLSClientConfig: pair.Trust()}
	t.Cleanup(s.transport.CloseIdleConnections)
	signIn, err := users.New(users.Options{Store: s.store, PublicURL: s.url, Upstream: &auth.Upstream{}, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	s.people.SignIn = signIn
	o := Options{
		Store: s.store, PublicURL: s.url, People: s.people, HTTP: http.DefaultClient, Registration: true, Now: clock.Now,
		Reach: func(grant access.Grant) ([]Customer, error) {
			return xslices.Filter(s.people.directory(), func(one Customer) bool { return grant.AllowsTenant(one.Name) }), nil
		},
		TenantID: func(name string) string {
			one, _ := xslices.Find(s.people.directory(), func(one Customer) bool { return one.Name == name })
			return one.TenantID
		},
	}
	for _, one := range change {
		one(&o)
	}
	if s.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	if s.guard, err = guard.New(guard.Options{Store: s.store, Standing: s.server.Standing, Now: clock.Now}); err != nil {
		t.Fatal(err)
	}
	return s
}

// browser keeps cookies and follows no redirect.
type browser struct {
	*site
	client *http.Client
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil) // takes no options
	return &browser{s, &http.Client{Jar: jar, Transport: s.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// seen is what came back.
type seen struct {
	status int
	header http.Header
	body   string
}

func (b *browser) do(r *http.Request) seen {
	b.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return seen{response.StatusCode, response.Header, string(body)}
}

func (b *browser) get(path string) seen {
	b.Helper()
	r, _ := http.NewRequest(http.MethodGet, b.url+strings.TrimPrefix(path, b.url), nil)
	return b.do(r)
}

func (b *browser) post(path string, form url.Values, headers ...string) seen {
	b.Helper()
	r, _ := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.do(r)
}

// signIn begins a session, as a sign-in page would.
func (b *browser) signIn(caller access.Caller) {
	handle := page.NewHandle()
	sum := sha256.Sum256([]byte("mcp-partner session\x00" + handle))
	name := hex.EncodeToString(sum[:])
	now := b.clock.Now()
	row := map[string]any{
		"id": name, "person": users.Person{Caller: caller, Name: string(caller), AuthenticatedAt: now}, "since": now, "seen": now, "expires": guard.Stamp{Time: now.Add(30 * time.Minute)},
	}
	if err := b.store.ChangeStates(b.Context(), func(tx guard.StateTx) error { return tx.Put(guard.SessionState, name, row) }); err != nil {
		b.Fatal(err)
	}
	at, _ := url.Parse(b.url)
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: "__Host-session", Value: handle, Path: "/", Secure: true}})
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

var action = regexp.MustCompile(`<form method="post" action="([^"]*)"`)

// press sends a form to where its page says.
func (b *browser) press(shown seen, form url.Values, headers ...string) seen {
	b.Helper()
	found := action.FindStringSubmatch(shown.body)
	if found == nil {
		b.Fatal("no form:", shown.body)
	}
	return b.post(html.UnescapeString(found[1]), form, headers...)
}

// form is what a page would send when a button is pressed.
func (v seen) form(decision string) url.Values {
	values := url.Values{"decision": {decision}}
	for _, found := range hidden.FindAllStringSubmatch(v.body, -1) {
		values.Set(found[1], html.UnescapeString(found[2]))
	}
	return values
}

// location is where an answer leads.
func (v seen) location() *url.URL {
	at, err := url.Parse(v.header.Get("Location"))
	if err != nil || v.status != http.StatusSeeOther {
		return &url.URL{}
	}
	return at
}

func (v seen) json() (object map[string]any) {
	_ = json.Unmarshal([]byte(v.body), &object)
	return object
}

func (v seen) text(name string) string {
	text, _ := v.json()[name].(string)
	return text
}

// register registers a client and returns its ID.
func (s *site) register(fields map[string]any) seen {
	s.Helper()
	body := map[string]any{"client_name": "Tester", "redirect_uris": []string{localRedirect}, "token_endpoint_auth_method": "none"}
	for name, value := range fields {
		body[name] = value
	}
	raw, _ := json.Marshal(body)
	r, _ := http.NewRequest(http.MethodPost, s.url+"/oauth/register", strings.NewReader(string(raw)))
	return s.browser().do(r)
}

func (s *site) clientID() string {
	s.Helper()
	answer := s.register(nil)
	if answer.status != http.StatusCreated {
		s.Fatal("not registered:", answer.body)
	}
	return answer.text("client_id")
}

// with changes parameters: pairs of name and value; a value "-" leaves one out.
func with(values url.Values, pairs ...string) url.Values {
	all := url.Values{}
	for name, value := range values {
		all[name] = slices.Clone(value)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if all.Set(pairs[i], pairs[i+1]); pairs[i+1] == "-" {
			all.Del(pairs[i])
		}
	}
	return all
}

func (s *site) request(client string, pairs ...string) url.Values {
	return with(url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {localRedirect}, "state": {"xyz"}, "scope": {"partner.read partner.write"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}, "resource": {s.url + "/mcp"},
	}, pairs...)
}

// start goes from the request of a client to the consent page, and signs in on the way.
func (b *browser) start(as access.Caller, request url.Values) seen {
	b.Helper()
	first := b.get("/oauth/authorize?" + request.Encode())
	if first.status != http.StatusOK {
		b.Fatalf("no first page: %d %s %s", first.status, first.location(), first.body)
	}
	pressed := b.post("/oauth/continue", first.form("continue"))
	next := pressed.location().Query().Get("next")
	if pressed.location().Path != "/signin" || next == "" {
		b.Fatalf("no sign-in: %d %s", pressed.status, pressed.body)
	}
	b.signIn(as)
	return b.get(next)
}

// consent allows a request and returns the client's answer.
func (b *browser) consent(as access.Caller, request url.Values, pairs ...string) url.Values {
	b.Helper()
	shown := b.start(as, request)
	answer := b.press(shown, with(shown.form("allow"), pairs...))
	if answer.status != http.StatusSeeOther {
		b.Fatalf("not allowed: %d %s", answer.status, answer.body)
	}
	return answer.location().Query()
}

func (s *site) exchange(client, code string, pairs ...string) seen {
	s.Helper()
	return s.browser().post("/oauth/token", with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {client}, "redirect_uri": {localRedirect}, "code_verifier": {verifier},
		"resource": {s.url + "/mcp"},
	}, pairs...))
}

func (s *site) refresh(client, token string, pairs ...string) seen {
	s.Helper()
	return s.browser().post("/oauth/token", with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {client}}, pairs...))
}

// connect makes everything from a new client to its tokens.
func (s *site) connect(as access.Caller, pairs ...string) (client string, tokens seen) {
	s.Helper()
	client = s.clientID()
	answer := s.browser().consent(as, s.request(client, pairs...))
	tokens = s.exchange(client, answer.Get("code"))
	if tokens.status != http.StatusOK {
		s.Fatal("no tokens:", tokens.body)
	}
	return client, tokens
}

// call asks the guard who a bearer is, as a call would.
func (s *site) call(bearer string) (access.Principal, error) {
	return s.guard.AuthenticateToken(s.Context(), bearer)
}

// mustWork and mustFail say whether a bearer is let in.
func (s *site) mustWork(bearer string) access.Principal {
	s.Helper()
	p, err := s.call(bearer)
	if err != nil || bearer == "" {
		s.Fatal("refused:", err)
	}
	return p
}

func (s *site) mustFail(bearer string) {
	s.Helper()
	if _, err := s.call(bearer); problems.As(cmp.Or(err, error(problems.New(problems.CodeInternal, "none")))).Code != problems.CodeTokenRefused {
		s.Errorf("let in: %v", err)
	}
}

// entries are the details of the record that hold a text.
func (s *site) entries(text string) (found []string) {
	for _, event := range s.store.Events() {
		if strings.Contains(event.Detail, text) {
			found = append(found, fmt.Sprint(event.Kind, " ", event.Caller, " ", event.Detail))
		}
	}
	return found
}
