package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

const (
	upstreamClient = "66666666-aaaa-bbbb-cccc-dddddddddddd"
	upstreamSecret = "an upstream secret of the application"
	// callback is where the client of these tests takes its answers. Nobody listens there.
	callback = "http://127.0.0.1:33418/"
)

// signingIn is the binary where people sign in at an issuer, once or twice on the same
// state, with clients that know its URL and nothing else.
type signingIn struct {
	*world
	issuer *issuertest.Issuer
	people *issuertest.SignIn
	server *server
	// url is the bare URL of MCP.
	url, config string
}

func serveSignIn(tb testing.TB, w *world) *signingIn {
	tb.Helper()
	s := &signingIn{world: w, issuer: issuertest.Start(tb), config: filepath.Join(w.dir, "signin.yaml")}
	w.settle("contoso")
	store := w.cli("vault", "add", "signin", "--secret-stdin")
	store.stdin = upstreamSecret
	store.must(tb)
	s.grant("contoso")
	s.server = s.start()
	var shown struct{ URL string }
	check(tb, json.Unmarshal(s.server.line(), &shown))
	s.url = shown.URL
	s.people = &issuertest.SignIn{
		ClientID: upstreamClient, RedirectURI: strings.TrimSuffix(s.url, "/mcp") + "/signin/callback", Secret: upstreamSecret,
		AuthMethods: []string{"client_secret_post"}, SendsIss: true, Now: time.Now,
	}
	s.people.As(issuertest.Claims{"sub": "alice", "name": "Alice"}, nil)
	s.issuer.SignsIn(s.people)
	return s
}

// grant gives Alice a tenant.
func (s *signingIn) grant(tenant string) {
	s.tb.Helper()
	text := strings.NewReplacer("ISSUER", s.issuer.URL(), "TENANT", tenant, "APP", upstreamClient).
		Replace("oauth: {client_id: APP, credential: signin}\ncallers: {grants: [{issuer: ISSUER, subject: alice, tenants: [TENANT]}]}\n")
	if places, _ := s.places(); places.Shared != nil {
		text += "database-url-file: " + filepath.Join(s.dir, "database-url") + "\n"
	}
	s.write(s.config, text)
}

// start starts a server; further ones share the first one's address for clients.
func (s *signingIn) start(more ...string) *server {
	s.tb.Helper()
	return s.cli(append([]string{"serve", "--http", "127.0.0.1:0", "--oauth", "--config", s.config, "--log-level", "error",
		"--oidc-issuer", s.issuer.URL(), "--oidc-ca-file", s.issuer.CAFile()}, more...)...).start(s.tb)
}

// looseJar keeps cookies as browsers do for localhost, where Secure needs no TLS.
type looseJar map[string]map[string]string

func (j looseJar) SetCookies(at *url.URL, cookies []*http.Cookie) {
	if j[at.Host] == nil {
		j[at.Host] = map[string]string{}
	}
	for _, c := range cookies {
		j[at.Host][c.Name] = c.Value
	}
}

func (j looseJar) Cookies(at *url.URL) (all []*http.Cookie) {
	for name, value := range j[at.Host] {
		all = append(all, &http.Cookie{Name: name, Value: value})
	}
	return all
}

// newBrowser stops where a client takes its answer.
func (s *signingIn) newBrowser() *http.Client {
	through := s.issuer.Client().Transport.(*http.Transport)
	local := &http.Transport{}
	s.tb.Cleanup(local.CloseIdleConnections)
	return &http.Client{
		Jar: looseJar{}, Timeout: patience,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Scheme == "https" {
				return through.RoundTrip(r)
			}
			return local.RoundTrip(r)
		}),
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var (
	formOf    = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"[^>]*>(.*?)</form>`)
	refreshOf = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]*)"`)
	hiddenOf  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// press sends the first form of a page, as its button does, with what else was typed.
func (s *signingIn) press(browser *http.Client, from *http.Response, button, value string, typed ...string) *http.Response {
	s.tb.Helper()
	body, err := io.ReadAll(from.Body)
	check(s.tb, err)
	check(s.tb, from.Body.Close())
	form := formOf.FindSubmatch(body)
	if form == nil {
		s.tb.Fatalf("no form: %d %s", from.StatusCode, body)
	}
	values := url.Values{button: {value}}
	for _, field := range hiddenOf.FindAllSubmatch(form[2], -1) {
		values.Set(string(field[1]), html.UnescapeString(string(field[2])))
	}
	for i := 0; i+1 < len(typed); i += 2 {
		values.Set(typed[i], typed[i+1])
	}
	at, err := from.Request.URL.Parse(html.UnescapeString(string(form[1])))
	check(s.tb, err)
	request, err := http.NewRequest(http.MethodPost, at.String(), strings.NewReader(values.Encode()))
	check(s.tb, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", at.Scheme+"://"+at.Host)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := browser.Do(request)
	check(s.tb, err)
	return s.follow(browser, answer)
}

// follow goes where a page sends the browser by itself.
func (s *signingIn) follow(browser *http.Client, shown *http.Response) *http.Response {
	s.tb.Helper()
	body, err := io.ReadAll(shown.Body)
	check(s.tb, err)
	check(s.tb, shown.Body.Close())
	shown.Body = io.NopCloser(bytes.NewReader(body))
	next := refreshOf.FindSubmatch(body)
	if next == nil {
		return shown
	}
	shown, err = browser.Get(html.UnescapeString(string(next[1])))
	check(s.tb, err)
	return s.follow(browser, shown)
}

// fetch reads JSON.
func (s *signingIn) fetch(into any, response *http.Response, err error) {
	s.tb.Helper()
	check(s.tb, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(s.tb, err)
	if err := json.Unmarshal(body, into); err != nil || response.StatusCode/100 != 2 {
		s.tb.Fatalf("%s: %d %s", response.Request.URL, response.StatusCode, body)
	}
}

// tokens are what a client has in the end.
type tokens struct {
	Access   string `json:"access_token"`
	Refresh  string `json:"refresh_token"`
	ClientID string `json:"client_id"`
	tokenURL string
	revokeAt string
}

var metadataURL = regexp.MustCompile(`resource_metadata="([^"]*)"`)

// connect goes from the bare URL to tokens: a refused call, discovery, registration, and
// a person who signs in and allows what is asked.
func (s *signingIn) connect(scope string) tokens {
	s.tb.Helper()
	return s.connectIn(s.newBrowser(), scope)
}

// connectIn is connect in a browser in which the person may be signed in already.
func (s *signingIn) connectIn(browser *http.Client, scope string) (got tokens) {
	s.tb.Helper()
	client := &http.Client{Timeout: patience}
	refused := s.call(s.url, "", "check_partner_link", wiretest.Object{"tenant": "contoso"})
	found := metadataURL.FindStringSubmatch(refused.Header.Get("WWW-Authenticate"))
	if refused.Status != 401 || found == nil {
		s.tb.Fatalf("no word on where to sign in: %d %v", refused.Status, refused.Header)
	}
	var resource struct {
		Resource string
		Servers  []string `json:"authorization_servers"`
	}
	response, err := client.Get(found[1])
	s.fetch(&resource, response, err)
	var at struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
		Register  string `json:"registration_endpoint"`
		Revoke    string `json:"revocation_endpoint"`
		Issuer    string
	}
	response, err = client.Get(resource.Servers[0] + "/.well-known/oauth-authorization-server")
	s.fetch(&at, response, err)
	response, err = client.Post(at.Register, "application/json", strings.NewReader(`{"client_name":"VS Code","redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none"}`))
	s.fetch(&got, response, err)
	verifier := strings.Repeat("verifier", 8)
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {got.ClientID}, "redirect_uri": {callback}, "scope": {scope}, "state": {"s-1"}, "resource": {resource.Resource},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	answer := s.allow(browser, at.Authorize+"?"+query.Encode())
	if answer.Get("state") != "s-1" || answer.Get("iss") != at.Issuer || answer.Get("code") == "" {
		s.tb.Fatalf("answered with %v", answer)
	}
	response, err = client.PostForm(at.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "client_id": {got.ClientID}, "redirect_uri": {callback},
		"code_verifier": {verifier}, "resource": {resource.Resource},
	})
	s.fetch(&got, response, err)
	got.tokenURL, got.revokeAt = at.Token, at.Revoke
	return got
}

// allow is what a person does in a browser: go on, sign in at the issuer, allow.
func (s *signingIn) allow(browser *http.Client, at string) url.Values {
	s.tb.Helper()
	here, err := url.Parse(at)
	check(s.tb, err)
	signedIn := len(browser.Jar.Cookies(here)) > 0
	shown, err := browser.Get(at)
	check(s.tb, err)
	if s.people.Asked() != nil && s.people.Asked().Has("resource") {
		s.tb.Error("the resource went to the issuer")
	}
	if !signedIn {
		shown = s.press(browser, shown, "decision", "continue") // the client's host, and go on
		shown = s.press(browser, shown, "how", "")              // sign in with the issuer
	}
	shown = s.press(browser, shown, "decision", "allow") // consent
	location, err := url.Parse(shown.Header.Get("Location"))
	check(s.tb, err)
	if !strings.HasPrefix(location.String(), callback) {
		body, _ := io.ReadAll(shown.Body)
		s.tb.Fatalf("no answer for the client: %d %s %s", shown.StatusCode, location, body)
	}
	return location.Query()
}

func (s *signingIn) call(at, token, tool string, arguments wiretest.Object) wiretest.Answer {
	s.tb.Helper()
	c := wiretest.HTTPAt(s.tb, at, token, &http.Transport{DisableKeepAlives: true})
	return c.Do(c.NewRequest(wiretest.Modern.Call("c-1", tool, arguments)))
}

// TestOAuthFromBareURL has a client that knows the URL of MCP alone ask a person, and
// another server of the same state take and refuse what that person allowed.
func TestOAuthFromBareURL(t *testing.T) {
	t.Parallel()
	withReplica(t, (*signingIn).fromBareURL)
}

// withReplica runs a test on each database, with the address of a second server.
func withReplica(t *testing.T, test func(s *signingIn, t *testing.T, elsewhere string)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1})
			if places, _ := w.places(); database == "postgres" && places.Shared == nil {
				w.keepOnServer()
			}
			s := serveSignIn(t, w)
			replica := s.start("--public-url", strings.TrimSuffix(s.url, "/mcp"), "--log-level", "info")
			replica.line()
			test(s, t, "http://"+replica.listening(t)+"/mcp")
		})
	}
}

func (s *signingIn) fromBareURL(t *testing.T, elsewhere string) {
	got := s.connect("partner.read")
	contoso := wiretest.Object{"tenant": "contoso"}
	for _, at := range []string{s.url, elsewhere} {
		if answer := s.call(at, got.Access, "check_partner_link", contoso); answer.Status != 200 || !bytes.Contains(answer.Body, []byte(`"state":"not_linked"`)) {
			t.Fatalf("at %s: %d %s", at, answer.Status, answer.Body)
		}
	}
	write := s.call(elsewhere, got.Access, "register_partner", wiretest.Object{"tenant": "contoso", "partner_id": "1234567"})
	if write.Status != 403 || !strings.Contains(write.Header.Get("WWW-Authenticate"), `error="insufficient_scope", error_description="the tool needs a scope that the token lacks", scope="partner.read partner.write"`) {
		t.Errorf("a write without the scope: %d %v", write.Status, write.Header)
	}
	s.grant("fabrikam")
	if answer := s.call(elsewhere, got.Access, "check_partner_link", contoso); !bytes.Contains(answer.Body, []byte(`directory_empty`)) && !bytes.Contains(answer.Body, []byte(`unknown_tenant`)) {
		t.Errorf("after the grant changed: %d %s", answer.Status, answer.Body)
	}
	s.grant("contoso")
	revoked, err := http.PostForm(got.revokeAt, url.Values{"token": {got.Access}, "client_id": {got.ClientID}})
	check(t, err)
	check(t, revoked.Body.Close())
	for _, at := range []string{elsewhere, s.url} {
		if answer := s.call(at, got.Access, "check_partner_link", contoso); answer.Status != 401 {
			t.Errorf("revoked, at %s: %d %s", at, answer.Status, answer.Body)
		}
	}
	root, err := new(http.Transport).RoundTrip(httptest.NewRequest(http.MethodGet, strings.TrimSuffix(elsewhere, "mcp"), nil))
	check(t, err)
	check(t, root.Body.Close())
	if to := root.Header.Get("Location"); to != "/account" { // what a person types leads to a page
		t.Errorf("the address alone: %d %s", root.StatusCode, to)
	}
	list := s.cli("clients", "list", "--json", "--config", s.config).must(t).stdout
	if !strings.Contains(list, got.ClientID) || !strings.Contains(list, `"registered"`) {
		t.Errorf("clients: %s", list)
	}
	for _, secret := range []string{got.Access, got.Refresh, upstreamSecret} {
		if strings.Contains(s.server.errs.String(), secret) {
			t.Errorf("a secret is in the log")
		}
	}
}

// BenchmarkOAuthToolCall has 64 clients call with the token of a consent, and with one
// that the operator issued, in turn and in the same run. x_invocation are the calls in a
// second with the former as a part of those with the latter.
func BenchmarkOAuthToolCall(b *testing.B) {
	const clients = 64
	s := serveSignIn(b, newWorld(b, simulator.Config{Tenants: 2, LinkedPercent: -1}))
	var issued struct{ Token string }
	check(b, json.Unmarshal([]byte(s.cli("token", "issue", "--for", "bench", "--tenants", "contoso", "--json").must(b).stdout), &issued))
	bodies := calls(schemas.ToolListTenants, wiretest.Object{})
	list := []loaded{
		{"oauth", s.url, s.connect("partner.read").Access, bodies, schemas.ToolListTenants, `"status":"done"`},
		{"invocation", s.url, issued.Token, bodies, schemas.ToolListTenants, `"status":"done"`},
	}
	for _, one := range list {
		one.fire(b, wiretest.Modern, clients, 2*clients)
	}
	b.ResetTimer()
	if all := compete(b, wiretest.Modern, clients, list); !b.Failed() {
		b.ReportMetric(all[1].took.Seconds()/all[0].took.Seconds(), "x_invocation")
	}
}
