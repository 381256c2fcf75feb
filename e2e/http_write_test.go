package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
)

// finished wants exactly one write, begun, ended well and in the record.
func (w *world) finished() {
	w.tb.Helper()
	entries := w.entries()
	if n, ended := w.gate.written(), of(entries, "outcome"); n != 1 || len(of(entries, "intent")) != 1 || len(ended) != 1 || ended[0].Result != "done" {
		w.tb.Errorf("%d writes arrived, and the record has %+v", n, entries)
	}
	if linked := w.tenant("contoso").PartnerID; linked != ourID {
		w.tb.Errorf("linked is %q", linked)
	}
	w.verify()
}

// At a signal, while a write is on its way to Azure: nothing new is taken, the
// write is read back, recorded and answered, and the program ends well.
func TestSignalDuringAWriteIsRecorded(t *testing.T) {
	t.Parallel()
	w := slowWorld(t)
	s := w.unasked("--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0").start(t)
	connection := s.connection()
	answers := make(chan string, 1)
	go func() {
		answer, _ := connection.post(wiretest.Modern.Call(1, schemas.ToolRegisterPartner, w.register()), schemas.ToolRegisterPartner)
		answers <- answer
	}()
	w.awaitWrite()
	s.signal()
	for refused := false; !refused; { // until the listener is closed
		_, err := connection.post(wiretest.Modern.Request(2, "tools/list", nil, nil), "")
		refused = err != nil
	}
	if answer := <-answers; !strings.Contains(answer, `"status":"done"`) {
		t.Errorf("the write was answered with %s", answer)
	}
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
	w.finished()
}

// A client that hangs up while its write is on its way changes nothing of it.
func TestClientGoneDuringAWriteOverHTTP(t *testing.T) {
	t.Parallel()
	w := slowWorld(t)
	s := w.unasked("--http", "127.0.0.1:0").start(t)
	connection := s.connection()
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, connection.URL,
		strings.NewReader(wiretest.Modern.Call(1, schemas.ToolRegisterPartner, w.register())))
	check(t, err)
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + connection.Token},
		"Mcp-Protocol-Version": {string(wiretest.Modern)}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {schemas.ToolRegisterPartner},
	}
	left := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body) // events come until it leaves
			_ = response.Body.Close()
		}
		left <- err
	}()
	w.awaitWrite()
	leave()
	if err := <-left; err == nil {
		t.Fatal("the answer came before the client could leave")
	}
	testkit.WaitFor(t, "the write ends", func() bool { return strings.Contains(s.errs.String(), "tool=register_partner outcome=done") }, s.errs)
	s.signal()
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
	w.finished()
}

// issue makes a token for a caller named agent.
// issue makes a token for somebody.
func (w *world) issue(name, scopes string) string {
	w.tb.Helper()
	var issued struct{ Token string }
	out := w.cli("token", "issue", "--for", name, "--scope", scopes, "--tenants", "*", "--ttl", "1h", "--json").must(w.tb)
	check(w.tb, json.Unmarshal([]byte(out.stdout), &issued))
	return issued.Token
}

// address is where a server says that it is, whether or not it makes a bearer.
func (s *server) address() string {
	s.tb.Helper()
	var at struct{ URL string }
	check(s.tb, json.Unmarshal(s.line(), &at))
	return at.URL
}

// The program behind a proxy believes none of what proxies say about clients.
func TestForwardedHeadersAreIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	token := w.issue("agent", "partner.read")
	s := w.cli("serve", "--http", "127.0.0.1:0", "--behind-proxy", "--allowed-hosts", "partner.example").start(t)
	url := strings.Replace(s.address(), "partner.example", "127.0.0.1", 1)
	c := wiretest.HTTPAt(t, url, token, http.DefaultTransport)
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"the public name as Host": {func(r *http.Request) { r.Host = "partner.example" }, 200},
		"a foreign Host behind a good forwarded one": {func(r *http.Request) {
			r.Host = "evil.example"
			r.Header.Set("X-Forwarded-Host", "partner.example")
		}, 403},
		"a foreign Origin behind a forwarded host": {func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("X-Forwarded-Host", "evil.example")
		}, 403},
		"a forwarded user in place of a bearer": {func(r *http.Request) {
			r.Header.Del("Authorization")
			for _, header := range []string{"X-Forwarded-User", "X-Remote-User", "X-Auth-Request-Access-Token", "X-Forwarded-Access-Token"} {
				r.Header.Set(header, token)
			}
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
		}, 401},
	} {
		r := c.NewRequest(wiretest.Modern.Request(1, "tools/list", nil, nil))
		test.change(r)
		if got := c.Do(r); got.Status != test.status {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}

// A renewed certificate is used without a restart, and a broken one is not.
func TestRunningServerTakesANewCertificate(t *testing.T) {
	t.Parallel()
	pair := testkit.NewPair(t)
	i := invocation{args: []string{"serve", "--simulate=3", "--http", "127.0.0.1:0", "--tls-cert", pair.CertFile, "--tls-key", pair.KeyFile}}
	s := i.start(t)
	connection := s.connection()
	call := func() error {
		transport := &http.Transport{TLSClientConfig: pair.Trust()}
		defer transport.CloseIdleConnections()
		c := wiretest.HTTPAt(t, connection.URL, connection.Token, transport)
		_, err := c.Try(c.NewRequest(wiretest.Modern.Request(1, "tools/list", nil, nil)))
		return err
	}
	check(t, call())
	pair.Renew("second", time.Now().Add(time.Hour)) // now only the new one is trusted
	testkit.WaitFor(t, "the new certificate is used", func() bool { return call() == nil }, s.errs)
	trusted := pair.Trust()
	pair.Write(pair.KeyFile, []byte("half a k"))
	testkit.WaitFor(t, "the log tells of the broken key", func() bool {
		transport := &http.Transport{TLSClientConfig: trusted.Clone()}
		c := wiretest.HTTPAt(t, connection.URL, connection.Token, transport)
		if _, err := c.Try(c.NewRequest(wiretest.Modern.Request(1, "tools/list", nil, nil))); err != nil {
			t.Fatalf("the pair before is gone: %v", err)
		}
		transport.CloseIdleConnections()
		return strings.Contains(s.errs.String(), "stays in use")
	}, s.errs)
	s.signal()
	if code := s.code(); code != 0 {
		t.Errorf("ended with %d:\n%s", code, s.errs)
	}
}
