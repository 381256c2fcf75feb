package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/testkit"
)

// library serves metadata documents of clients over TLS.
type library struct {
	*httptest.Server
	pair   *testkit.Pair
	asked  atomic.Int32
	answer http.HandlerFunc
}

func newLibrary(t *testing.T) *library {
	l := &library{pair: testkit.NewPair(t)}
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		l.answer(w, r)
	}))
	l.TLS = l.pair.Serve()
	l.StartTLS()
	t.Cleanup(l.Close)
	return l
}

// client is the one of production, which leads every name to the library.
func (l *library) client(t *testing.T, allowed ...netip.Prefix) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(l.pair.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: ca, PublicOnly: true, AllowPrivate: allowed, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	next := client.Transport
	client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		moved := r.Clone(r.Context())
		moved.URL.Host, moved.Host = l.Listener.Addr().String(), r.URL.Host
		return next.RoundTrip(moved)
	})
	return client
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var loopbackNet = netip.MustParsePrefix("127.0.0.0/8")

const documentID = "https://client.example/mcp/client.json"

func (s *site) documentRequest(id string) url.Values {
	return s.request(id, "redirect_uri", "https://claude.ai/api/mcp/auth_callback")
}

func documentOf(id string, changes map[string]any) http.HandlerFunc {
	body := map[string]any{
		"client_id": id, "client_name": "Friendly", "token_endpoint_auth_method": "none",
		"redirect_uris": []string{"https://claude.ai/api/mcp/auth_callback", "http://127.0.0.1/callback", "https://elsewhere.example/cb"},
	}
	for name, value := range changes {
		body[name] = value
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
}

func withDocuments(t *testing.T, allowed ...netip.Prefix) (*site, *library) {
	library := newLibrary(t)
	library.answer = documentOf(documentID, nil)
	return newSite(t, func(o *Options) { o.HTTP = library.client(t, allowed...) }), library
}

func TestClientIsKnownByItsDocument(t *testing.T) {
	t.Parallel()
	s, library := withDocuments(t, loopbackNet)
	request := s.documentRequest(documentID)
	b := s.browser()
	page := b.start("entra:t:alice", request)
	for _, part := range []string{"client.example", "claude.ai", "It calls itself", "Friendly"} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if strings.Contains(page.body, "Allow Friendly") || strings.Contains(page.body, "Any program on this computer") {
		t.Error(page.body)
	}
	code := b.press(page, page.form("allow")).location().Query().Get("code")
	tokens := s.exchange(documentID, code, "redirect_uri", "-")
	s.mustWork(tokens.text("access_token"))
	s.mustWork(s.refresh(documentID, tokens.text("refresh_token")).text("access_token"))
	if library.asked.Load() != 1 {
		t.Errorf("the document was fetched %d times", library.asked.Load())
	}
	s.clock.Advance(keepFor)
	b.get("/oauth/authorize?" + request.Encode())
	if library.asked.Load() != 2 {
		t.Errorf("the document is not fetched again: %d", library.asked.Load())
	}
	for _, redirect := range []string{"http://127.0.0.1:4711/callback", "https://elsewhere.example/cb", "https://claude.ai/api/mcp/other"} {
		good := strings.HasPrefix(redirect, "http://127")
		if page := b.get("/oauth/authorize?" + with(request, "redirect_uri", redirect).Encode()); (page.status/100 == 4) == good {
			t.Errorf("%s: %d", redirect, page.status)
		}
	}
	known, err := Clients{s.store, s.clock.Now, ""}.List(t.Context())
	if err != nil || len(known) != 1 || known[0].ID != documentID || len(s.entries("met "+documentID)) != 1 {
		t.Error(known, err)
	}
	s.clock.Advance(idleFor)
	if known, err = (Clients{s.store, s.clock.Now, ""}).List(t.Context()); err != nil || len(known) != 0 {
		t.Error("a client that nobody used for 90 days is listed:", known, err)
	}
	s.mustWork(s.exchange(documentID, s.browser().consent("entra:t:alice", request).Get("code"), "redirect_uri", "-").text("access_token"))
}

// An ID that two readers could take for two hosts, or that leads inside, is not asked
// for at all.
func TestIDsOfClientsThatAreNotFetched(t *testing.T) {
	t.Parallel()
	s, library := withDocuments(t)
	at, _ := url.Parse(s.url)
	for name, id := range map[string]string{
		"http": "http://client.example/c.json", "no path": "https://client.example", "root": "https://client.example/", "user": "https://u@client.example/c.json",
		"user and password": "https://u:p@client.example/c.json", "another host as user": "https://claude.ai@evil.example/c.json", "fragment": documentID + "#a", "empty fragment": documentID + "#",
		"dots": "https://client.example/a/../c.json", "one dot": "https://client.example/./c.json", "escaped dots": "https://client.example/%2e%2e/c.json",
		"escaped slash": "https://client.example/a%2Fc.json", "double slash": "https://client.example//c.json", "backslash": `https://client.example\@evil.example/c.json`,
		"address": "https://127.0.0.1/c.json", "public address": "https://8.8.8.8/c.json", "IPv6": "https://[::1]/c.json", "short address": "https://127.1/c.json",
		"localhost": "https://localhost/c.json", "name below localhost": "https://a.localhost/c.json", "metadata of a cloud": "https://169.254.169.254/latest/meta-data",
		"single name": "https://intranet/c.json", "dot at the end": "https://client.example./c.json", "upper case": "https://Client.example/c.json", "own host": s.url + "/c.json",
		"own host at another port": "https://" + at.Hostname() + ":1/c.json", "file": "file:///etc/passwd", "script": "javascript://client.example/%0aalert(1)",
		"line break": documentID + "\nx", "space": documentID + " ", "long": "https://client.example/" + strings.Repeat("a", maxClientID), "port of words": "https://client.example:x/c.json",
	} {
		if page := s.browser().get("/oauth/authorize?" + s.documentRequest(id).Encode()); page.status/100 != 4 || page.header.Get("Location") != "" {
			t.Errorf("%s: %d", name, page.status)
		}
		s.clock.Advance(time.Second)
	}
	if library.asked.Load() != 0 {
		t.Errorf("%d documents were fetched", library.asked.Load())
	}
}

// A name that leads to this machine, at once or only when the connection is made, is
// refused there. The control reaches the same server because it is allowed.
func TestDocumentAtPrivateAddressIsNotFetched(t *testing.T) {
	t.Parallel()
	s, library := withDocuments(t)
	page := s.browser().get("/oauth/authorize?" + s.documentRequest(documentID).Encode())
	if page.status/100 != 4 || library.asked.Load() != 0 || !strings.Contains(page.body, "private network") {
		t.Error(page.status, page.body, library.asked.Load())
	}
	s, library = withDocuments(t, loopbackNet)
	if page := s.browser().get("/oauth/authorize?" + s.documentRequest(documentID).Encode()); page.status != http.StatusOK || library.asked.Load() != 1 {
		t.Error("the control fails:", page.body)
	}
	local := strings.Replace(library.URL, "127.0.0.1", "localhost", 1) + "/c.json"
	s = newSite(t, func(o *Options) { o.HTTP, o.AllowPrivate = library.client(t, loopbackNet), []netip.Prefix{loopbackNet} })
	library.answer = documentOf(local, nil)
	if page := s.browser().get("/oauth/authorize?" + s.documentRequest(local).Encode()); page.status != http.StatusOK {
		t.Error("an address that the operator allows is refused:", page.body)
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	raw := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}
	}
	good := func(more string) string {
		return `{"client_id":"` + documentID + `","redirect_uris":["https://claude.ai/api/mcp/auth_callback"]` + more + `}`
	}
	for name, answer := range map[string]http.HandlerFunc{
		"another ID":       documentOf("https://client.example/mcp/other.json", nil),
		"ID with a slash":  documentOf(documentID+"/", nil),
		"no ID":            raw("application/json", `{"redirect_uris":["https://claude.ai/api/mcp/auth_callback"]}`),
		"two IDs":          raw("application/json", good(`,"client_id":"x"`)),
		"ID in other case": raw("application/json", good(`,"Client_ID":"x"`)),
		"HTML":             raw("text/html", good("")),
		"no content type":  raw("", good("")),
		"no JSON":          raw("application/json", "hello"),
		"a list":           raw("application/json", "["+good("")+"]"),
		"two objects":      raw("application/json", good("")+good("")),
		"over 10 kB":       raw("application/json", good(`,"x":"`+strings.Repeat("x", maxDocument)+`"`)),
		"10 MB":            raw("application/json", good(`,"x":"`+strings.Repeat("x", 10<<20)+`"`)),
		"no redirect URIs": documentOf(documentID, map[string]any{"redirect_uris": []string{}}),
		"other redirects":  documentOf(documentID, map[string]any{"redirect_uris": []string{"https://claude.ai/other"}}),
		"not a list":       documentOf(documentID, map[string]any{"redirect_uris": "https://claude.ai/api/mcp/auth_callback"}),
		"with a secret":    documentOf(documentID, map[string]any{"client_secret": "x"}),
		"by a secret":      documentOf(documentID, map[string]any{"token_endpoint_auth_method": authPost}),
		"by a key":         documentOf(documentID, map[string]any{"token_endpoint_auth_method": "private_key_jwt"}),
		"for machines":     documentOf(documentID, map[string]any{"grant_types": []string{"client_credentials"}}),
		"implicit":         documentOf(documentID, map[string]any{"response_types": []string{"token"}}),
		"not found":        http.NotFound,
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://client.example/elsewhere", http.StatusFound)
		},
		"redirect to here": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"?x", http.StatusMovedPermanently)
		},
		"redirect inside": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusTemporaryRedirect)
		},
		"answer that stops": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write([]byte(good("")))
		},
	} {
		s, library := withDocuments(t, loopbackNet)
		library.answer = answer
		if page := s.browser().get("/oauth/authorize?" + s.documentRequest(documentID).Encode()); page.status/100 != 4 || page.header.Get("Location") != "" || library.asked.Load() != 1 {
			t.Errorf("%s: %d, fetched %d times", name, page.status, library.asked.Load())
		}
	}
	s, library := withDocuments(t, loopbackNet)
	library.answer = raw("application/json; charset=utf-8", good(`,"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"x":1`))
	if control := s.browser().get("/oauth/authorize?" + s.documentRequest(documentID).Encode()); control.status != http.StatusOK {
		t.Error("the control fails:", control.body)
	}
}

// Who names ever other documents makes this server fetch only so many.
func TestFetchesOfDocumentsAreLimited(t *testing.T) {
	t.Parallel()
	s, library := withDocuments(t, loopbackNet)
	library.answer = func(w http.ResponseWriter, r *http.Request) {
		documentOf("https://"+r.Host+r.URL.RequestURI(), nil)(w, r)
	}
	ask := func(id string) int {
		return s.browser().get("/oauth/authorize?" + s.documentRequest(id).Encode()).status
	}
	for i := range 25 {
		ask(documentID + "?" + strings.Repeat("x", i))
	}
	if asked := library.asked.Load(); asked != 10 {
		t.Errorf("%d documents of one host were fetched at once", asked)
	}
	if ask("https://other.example/c.json") != http.StatusOK {
		t.Error("another host is held back")
	}
	s.clock.Advance(10 * time.Second)
	if ask(documentID+"?again") != http.StatusOK {
		t.Error("the host is held back for good")
	}
}
