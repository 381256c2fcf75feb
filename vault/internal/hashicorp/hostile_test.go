package hashicorp

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

const canary = "hvs.CANARY-0123456789"

// openAt opens the backend of a test server that speaks TLS.
func openAt(t *testing.T, handler http.HandlerFunc) (*Backend, *httptest.Server) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	settings, err := Settings{Address: server.URL, CAPEM: ca, Auth: Auth{Method: MethodToken, File: newFile(t, canary)}}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: []byte(ca), HeaderTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	b := Open(settings, client, readFile)
	t.Cleanup(func() { b.Close(context.Background()) })
	return b, server
}

// signedIn answers the look at the token and leaves the rest to a handler.
func signedIn(rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/token/lookup-self" {
			fmt.Fprint(w, `{"data":{"ttl":0,"renewable":false}}`)
			return
		}
		rest(w, r)
	}
}

// TestHostileServers has each method meet each kind of answer that no vault
// server gives. Nothing of it, the token above all, may come out.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"html": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>"+canary+"</html>") },
		"html 502": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			fmt.Fprint(w, "<html>"+canary+"</html>")
		},
		"echo":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); echo(w, r) },
		"echo 403": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403); echo(w, r) },
		"echo 500": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); echo(w, r) },
		"huge":     func(w http.ResponseWriter, _ *http.Request) { huge(w) },
		"huge 500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); huge(w) },
		"cut off":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":{"data":{"value":"`+canary) },
		"other":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":"`+canary+`"}`) },
		"wrong": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"data":{"data":{"value":17},"metadata":{"version":1}}}`)
		},
		"null":      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `null`) },
		"throttled": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"silent":    func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := openAt(t, signedIn(answer))
			for doing, call := range methods(b) {
				err := call(t.Context())
				if err == nil && (name == "null" || name == "wrong" && doing == "put") {
					continue // an empty answer says that there is nothing; any 200 says that it was stored
				}
				checkOwnWords(t, doing, err)
			}
		})
	}
}

func methods(b *Backend) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"get":  func(ctx context.Context) error { _, err := b.Get(ctx, "one"); return err },
		"put":  func(ctx context.Context) error { return b.Put(ctx, "one", []byte(canary), "1") },
		"list": func(ctx context.Context) error { _, err := b.List(ctx); return err },
	}
}

func checkOwnWords(t *testing.T, doing string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", doing)
		return
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, problems.As(err)), "CANARY") {
		t.Errorf("%s: the answer of the server comes out: %v", doing, err)
	}
	if code := problems.As(err).Code; code != problems.CodeVaultUnavailable {
		t.Errorf("%s: %s, want vault_unavailable: %v", doing, code, err)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, `{"errors":[%q,%q]}`, r.Header.Get("X-Vault-Token"), body)
}

func huge(w http.ResponseWriter) {
	block := strings.Repeat(canary, 4096)
	for range 64 {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

// Who answers in the place of an active server is named, at the sign-in and after it,
// and no cause is guessed. Bodies are those that servers give.
func TestIntermediaryBeforeServerIsNamed(t *testing.T) {
	t.Parallel()
	const html = "<html><body>No server is available to handle this request.</body></html>"
	for name, test := range map[string]struct {
		status     int
		body, says string
	}{
		"sealed": {status: 503, body: `{"errors":["Vault is sealed"]}`, says: "is sealed"},
		"standby without an active server": {
			status: 500, body: `{"errors":["local node not active but active cluster node not found"]}`, says: "is a standby",
		},
		"secondary for disaster recovery": {
			status: 400, body: `{"errors":["path disabled in replication DR secondary mode"]}`, says: "is a standby",
		},
		"secondary, by its status":           {status: 472, body: ``, says: "is a standby"},
		"performance standby, by its status": {status: 473, body: ``, says: "is a standby"},
		"quota": {
			status: 429, body: `{"errors":["request path: rate limit quota exceeded"]}`, says: "too many requests",
		},
		"failure of its own":        {status: 500, body: `{"errors":["internal error"]}`, says: "failed at"},
		"balancer without a server": {status: 503, body: html, says: "Something other than a vault server answers"},
		"balancer that speaks of a seal": {
			status: 503, body: "<html>sealed standby</html>", says: "Something other than a vault server answers",
		},
		"filter that refuses":                 {status: 403, body: html, says: "Something other than a vault server answers"},
		"filter that does not understand":     {status: 400, body: html, says: "Something other than a vault server answers"},
		"balancer with an empty answer":       {status: 502, says: "Something other than a vault server answers"},
		"balancer that has too many requests": {status: 429, body: html, says: "Something other than a vault server answers"},
	} {
		answer := func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atSignIn, _ := openAt(t, answer)
			later, _ := openAt(t, signedIn(answer))
			wrapped, _ := openAt(t, answer)
			wrapped.settings.Auth = Auth{Method: MethodAppRole, Mount: "approle", Role: "r", File: newFile(t, canary), Wrapped: true}
			for when, b := range map[string]*Backend{"at the sign-in": atSignIn, "later": later, "unwrapping": wrapped} {
				_, err := b.Get(t.Context(), "one")
				roomtest.WantCode(t, err, problems.CodeVaultUnavailable, test.says)
				if problem := problems.As(err); !problem.Retryable || strings.Contains(problem.Message+problem.Hint, "html") || strings.Contains(problem.Hint, "token into") {
					t.Errorf("%s: %+v", when, problem)
				}
			}
		})
	}
}

// A standby that forwards is as good as the active server, whatever its health says.
func TestStandbyThatForwardsIsUsed(t *testing.T) {
	t.Parallel()
	b, _ := openAt(t, signedIn(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sys/health" {
			w.WriteHeader(429)
			return
		}
		fmt.Fprint(w, `{"data":{"data":{"value":"1"},"metadata":{"version":3}}}`)
	}))
	if item, err := b.Get(t.Context(), "one"); err != nil || string(item.Value) != "1" || item.Version != "3" {
		t.Errorf("%+v, %v", item, err)
	}
}

func TestRedirectTakesNoTokenAlong(t *testing.T) {
	t.Parallel()
	var landed atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { landed.Add(1) }))
	t.Cleanup(thief.Close)
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, when := range []func(http.HandlerFunc) http.HandlerFunc{signedIn, func(h http.HandlerFunc) http.HandlerFunc { return h }} {
			t.Run(strconv.Itoa(code), func(t *testing.T) {
				t.Parallel()
				b, _ := openAt(t, when(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, code) }))
				_, err := b.Get(t.Context(), "one")
				roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "elsewhere, which is not followed")
				if landed.Load() > 0 {
					t.Error("a request went to another host")
				}
			})
		}
	}
}

func TestCertificateOfAnotherAuthorityIsRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	b, server := openAt(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	b.settings.CAPEM = ""
	system, err := httpclient.New(httpclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stranger := Open(b.settings, system, readFile)
	_, err = stranger.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "certificate that is not trusted", server.URL)
	if asked.Load() > 0 {
		t.Error("a request was sent all the same")
	}
}

func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	b, server := openAt(t, signedIn(func(http.ResponseWriter, *http.Request) {}))
	server.Close()
	_, err := b.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "cannot be reached")
	if !problems.As(err).Retryable {
		t.Error("a server that is away counts as broken for good")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Get(ctx, "one")
	roomtest.WantCode(t, err, problems.CodeCancelled)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := Settings{Address: "https://vault.example.com:8200", Auth: Auth{Method: MethodToken, File: "/run/token"}}
	if s, err := good.Normal(); err != nil || s.Mount != "secret" || s.Path != "mcp-partner" {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, change := range map[string]func(*Settings){
		"plain http":        func(s *Settings) { s.Address = "http://vault.example.com" },
		"user in the URL":   func(s *Settings) { s.Address = "https://root:pw@vault.example.com" },
		"path in the URL":   func(s *Settings) { s.Address = "https://vault.example.com/v1" },
		"no host":           func(s *Settings) { s.Address = "https://" },
		"climbing path":     func(s *Settings) { s.Path = "mcp-partner/../other" },
		"query in a path":   func(s *Settings) { s.Path = "a?b" },
		"climbing mount":    func(s *Settings) { s.Mount = ".." },
		"bad namespace":     func(s *Settings) { s.Namespace = "a b" },
		"unknown method":    func(s *Settings) { s.Auth.Method = "userpass" },
		"relative file":     func(s *Settings) { s.Auth.File = "token" },
		"approle, no role":  func(s *Settings) { s.Auth.Method = MethodAppRole },
		"jwt, wrapped":      func(s *Settings) { s.Auth = Auth{Method: MethodJWT, Role: "r", File: "/f", Wrapped: true} },
		"climbing auth":     func(s *Settings) { s.Auth = Auth{Method: MethodJWT, Role: "r", File: "/f", Mount: "../x"} },
		"unix socket":       func(s *Settings) { s.Address = "unix:///run/vault.sock" },
		"fragment in a URL": func(s *Settings) { s.Address = "https://vault.example.com#x" },
	} {
		s := good
		change(&s)
		if _, err := s.Normal(); err == nil || problems.As(err).Code != problems.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
