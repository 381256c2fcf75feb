package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
)

// get asks for a path beside /mcp.
func get(t *testing.T, c *httpServer, path string) wiretest.Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+c.Addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	return c.Do(r)
}

func TestReadyzNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, readyzNamesWhatIsWrong)
}

func readyzNamesWhatIsWrong(t *testing.T) {
	broken, looked := false, 0
	o := httpOptions()
	o.Health = server.NewHealth(
		server.Check{Name: "vault", Run: func(context.Context) error {
			looked++
			if broken {
				return problems.New(problems.CodeVaultLocked, "The vault of contoso is locked.")
			}
			return nil
		}},
		server.Check{Name: "ledger", Run: func(context.Context) error {
			if broken {
				return errors.New(hidden)
			}
			return nil
		}})
	handler := newServer(newFixtures(), nil).Handler(o)
	want := func(status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/readyz", nil))
		if w.Code != status || strings.TrimSpace(w.Body.String()) != body {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	want(200, `{"status":"ready","checks":{"ledger":"ok","vault":"ok"}}`)
	broken = true
	want(200, `{"status":"ready","checks":{"ledger":"ok","vault":"ok"}}`)
	time.Sleep(2 * time.Second)
	want(503, `{"status":"not_ready","checks":{"ledger":"internal_error","vault":"vault_locked"}}`)
	broken = false
	time.Sleep(2 * time.Second)
	want(200, `{"status":"ready","checks":{"ledger":"ok","vault":"ok"}}`)
	if looked != 3 {
		t.Errorf("four questions made %d checks, want 3", looked)
	}
}

// someMetrics stands for metrics.
var someMetrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("figures 1\n")) })

// Metrics cover the calls of all callers, so that reading every tenant does not
// include reading them.
func TestMetricsOnMainListenerNeedScope(t *testing.T) {
	t.Parallel()
	o := httpOptions()
	issuer := newResourceServer()
	o.Metrics, o.Bearer, o.OAuth = someMetrics, server.Authenticators{issuer, scopeTokens{}}, issuer
	c := serveHTTP(t, newServer(newFixtures(), nil), o, "")
	for _, test := range []struct {
		bearer, challenge string
		status            int
	}{
		{challenge: `Bearer realm="mcp"`, status: 401},
		{bearer: "nobody's", challenge: "invalid_token", status: 401},
		{bearer: "metrics", status: 200},
		{bearer: "read", status: 403},
		{bearer: "at.metrics", status: 200},
		{bearer: "at.read+write+change+approve", challenge: "insufficient_scope", status: 403},
		{bearer: "at.none", challenge: "insufficient_scope", status: 403},
	} {
		c.Bearer = test.bearer
		got := get(t, c, "/metrics")
		if got.Status != test.status || strings.Contains(string(got.Body), "figures 1") != (test.status == 200) ||
			!strings.Contains(got.Header.Get("WWW-Authenticate"), test.challenge) {
			t.Errorf("%q: %d %v %s", test.bearer, got.Status, got.Header, got.Body)
		}
	}
	none := startHTTP(t, newFixtures())
	if got := get(t, none, "/metrics"); got.Status != 404 {
		t.Errorf("where there are none: %d", got.Status)
	}
}

func TestMonitorListener(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	health := server.NewHealth()
	go func() {
		ended <- newServer(newFixtures(), nil).ServeMonitor(ctx, l, server.HTTPOptions{Health: health, Metrics: someMetrics, Hosts: []string{"watch.example"}})
	}()
	addr := l.Addr().String()
	c := &httpServer{HTTP: wiretest.HTTPAt(t, "http://"+addr+"/mcp", "", &http.Transport{}), tb: t, Addr: addr}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 200, "/mcp": 404, "/": 404, "/metrics/": 404} {
		if got := get(t, c, path); got.Status != want {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	for host, want := range map[string]int{"localhost": 200, "10.1.2.3:9090": 200, "[fe80::1]": 200, "WATCH.example:1": 200, "evil.example": 403, "watch.example.evil": 403} {
		r, _ := http.NewRequest(http.MethodGet, "http://"+c.Addr+"/metrics", nil)
		r.Host = host
		if got := c.Do(r); got.Status != want {
			t.Errorf("Host %s: %d", host, got.Status)
		}
	}
	post, _ := http.NewRequest(http.MethodPost, "http://"+c.Addr+"/readyz", strings.NewReader("{}"))
	if got := c.Do(post); got.Status != 405 || got.Header.Get("Allow") == "" {
		t.Errorf("POST: %d %v", got.Status, got.Header)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Host and Origin are looked at around everything, paths without anything
// included, on both listeners.
func TestOtherHostsAndOriginsAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	all := []string{"/mcp", "/livez", "/readyz", "/metrics", "/openapi.json", "/approvals", "/approvals/ap_1", "/.well-known/oauth-protected-resource/mcp", "/"}
	o := httpOptions()
	o.Metrics, o.Approvals, o.Origins = someMetrics, &fakeApprovals{}, []string{"https://app.example"}
	o.OAuth, o.Bearer = newResourceServer(), server.Authenticators{namedTokens{}}
	main := newServer(newFixtures(), nil).Handler(o)
	watch := newServer(newFixtures(), nil).MonitorHandler(server.HTTPOptions{Metrics: someMetrics})
	for name, change := range map[string]func(*http.Request){
		"Host":   func(r *http.Request) { r.Host = "evil.example" },
		"Origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
	} {
		for listener, handler := range map[string]http.Handler{"main": main, "watch": watch} {
			for _, path := range all {
				r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
				r.Header.Set("Authorization", "Bearer "+goodToken)
				change(r)
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != 403 || !strings.Contains(w.Body.String(), name) {
					t.Errorf("foreign %s on %s%s: %d %s", name, listener, path, w.Code, w.Body)
				}
			}
		}
	}
	r := httptest.NewRequest(http.MethodGet, "http://localhost/livez", nil)
	r.Header.Set("Origin", "https://app.example")
	w := httptest.NewRecorder()
	if main.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("an allowed origin: %d %s", w.Code, w.Body)
	}
}

// scopeTokens admits a caller with the named scope, for every tenant.
type scopeTokens struct{}

// Takes implements server.Authenticator.
func (scopeTokens) Takes(string) bool { return true }

// Authenticate implements server.Authenticator.
func (scopeTokens) Authenticate(_ context.Context, token string) (access.Principal, error) {
	scope := access.Scope("partner." + token)
	if !slices.Contains(access.Scopes(), scope) {
		return access.Principal{}, errors.New("no")
	}
	return access.Principal{Caller: "token:x", Grant: access.Grant{Scopes: []access.Scope{scope}, Tenants: []string{access.AllTenants}}}, nil
}

// A server that drains says so where it is watched from.
func TestReadyzSaysThatTheServerIsStopping(t *testing.T) {
	t.Parallel()
	f, o := newFixtures(), httpOptions()
	o.Health = server.NewHealth()
	c := serveHTTP(t, newServer(f, nil), o, goodToken)
	request := c.NewRequest(wiretest.Modern.Call(1, "block", nil))
	answered := make(chan error, 1)
	go func() {
		_, err := c.Try(request)
		answered <- err
	}()
	<-f.started
	watch := &recorder{header: http.Header{}}
	monitor := newServer(f, nil).MonitorHandler(server.HTTPOptions{Health: o.Health})
	ask := func() string {
		watch.body.Reset()
		r, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1/readyz", nil)
		monitor.ServeHTTP(watch, r)
		var state struct{ Status string }
		if err := json.Unmarshal([]byte(watch.body.String()), &state); err != nil {
			t.Fatal(err)
		}
		return state.Status
	}
	if got := ask(); got != "ready" {
		t.Errorf("before: %s", got)
	}
	c.Stop()
	testkit.WaitFor(t, "it says that it is stopping", func() bool { return ask() == "stopping" })
	close(f.release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// recorder is a response in memory.
type recorder struct {
	header http.Header
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
