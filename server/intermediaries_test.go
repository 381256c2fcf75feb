package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/internal/wiretest"
)

// Load balancers probe with HTTP/1.0 and no Host, or with an address.
func TestProbesNeedNoHost(t *testing.T) {
	t.Parallel()
	o := httpOptions()
	o.Metrics = someMetrics
	c := serveHTTP(t, newServer(newFixtures(), nil), o, goodToken)
	for request, want := range map[string]string{
		"GET /livez HTTP/1.0\r\n\r\n":                         "HTTP/1.0 200",
		"GET /readyz HTTP/1.0\r\n\r\n":                        "HTTP/1.0 200",
		"HEAD /readyz HTTP/1.0\r\n\r\n":                       "HTTP/1.0 200",
		"GET /livez HTTP/1.0\r\nHost:\r\n\r\n":                "HTTP/1.0 200",
		"GET /livez HTTP/1.0\r\nHost: 10.1.2.3\r\n\r\n":       "HTTP/1.0 200",
		"GET /livez HTTP/1.0\r\nHost: [fe80::1]:80\r\n\r\n":   "HTTP/1.0 200",
		"GET /livez HTTP/1.0\r\nHost: evil.example\r\n\r\n":   "HTTP/1.0 403",
		"GET /livez HTTP/1.1\r\n\r\n":                         "HTTP/1.1 400",
		"GET /metrics HTTP/1.0\r\n\r\n":                       "HTTP/1.0 403",
		"GET /openapi.json HTTP/1.0\r\n\r\n":                  "HTTP/1.0 403",
		"GET /approvals HTTP/1.0\r\n\r\n":                     "HTTP/1.0 403",
		"POST /mcp HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}":   "HTTP/1.0 403",
		"POST /livez HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}": "HTTP/1.0 405",
	} {
		conn := dial(t, c.Addr)
		_, _ = io.WriteString(conn, request)
		if status, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(status, want) {
			t.Errorf("%q: %q, %v", request, status, err)
		}
	}
}

// answer is what a handler has written so far, and how often it was flushed.
type answer struct {
	*httptest.ResponseRecorder
	mu      sync.Mutex
	flushes int
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ResponseRecorder.Write(p)
}

// FlushError implements what http.ResponseController looks for.
func (a *answer) FlushError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushes++
	return nil
}

func (a *answer) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Body.String()
}

func (a *answer) flushed() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.flushes
}

// beginCall hands the handler a request and returns its answer so far.
func beginCall(handler http.Handler, accept string, message string) (*answer, context.CancelFunc) {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(message))
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": accept, "Authorization": "Bearer " + goodToken} {
		r.Header.Set(name, value)
	}
	ctx, hangUp := context.WithCancel(context.Background())
	a := &answer{ResponseRecorder: httptest.NewRecorder()}
	go handler.ServeHTTP(a, r.WithContext(ctx))
	return a, hangUp
}

const bothFormats = "application/json, text/event-stream"

// While a call runs something is sent every few seconds, so that nothing in
// between takes the connection for dead.
func TestLongCallsAreKeptAlive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ accept, kind, sent, answer string }{
		"both":       {accept: bothFormats, kind: "text/event-stream", sent: ":\n\n", answer: "event: message\ndata: {"},
		"a stream":   {accept: "text/event-stream", kind: "text/event-stream", sent: ":\n\n", answer: "event: message\ndata: {"},
		"anything":   {accept: "*/*", kind: "text/event-stream", sent: ":\n\n", answer: "event: message\ndata: {"},
		"JSON alone": {accept: "application/json", kind: "application/json", sent: "\n", answer: "\n{"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixtures()
				a, hangUp := beginCall(newServer(f, nil).Handler(httpOptions()), test.accept, wiretest.Legacy.Call(1, "block", wiretest.Object{"text": "long"}))
				defer hangUp()
				for after, want := range []struct {
					wait     time.Duration
					comments int
				}{{400 * time.Millisecond, 0}, {200 * time.Millisecond, 1}, {2 * time.Second, 1}, {time.Second, 2}, {time.Minute, 22}} {
					time.Sleep(want.wait)
					synctest.Wait()
					if got := strings.Count(a.text(), test.sent); got != want.comments || a.flushed() != want.comments {
						t.Errorf("step %d: %d comments and %d flushes, want %d", after, got, a.flushed(), want.comments)
					}
				}
				if a.Code != 200 || a.Header().Get("Content-Type") != test.kind {
					t.Errorf("%d %v", a.Code, a.Header())
				}
				close(f.release)
				synctest.Wait()
				length := len(a.text())
				if !strings.HasSuffix(a.text(), "\n") || !strings.Contains(a.text(), test.answer) {
					t.Errorf("the answer: %q", a.text())
				}
				if test.kind == "application/json" && !json.Valid([]byte(a.text())) {
					t.Errorf("not JSON: %q", a.text())
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(a.text()) != length {
					t.Error("something was sent after the answer")
				}
			})
		})
	}
}

// An answer that is fast has a status of its own.
func TestOnlyStreamsBeginEarly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		accept, message, kind string
		status                int
	}{
		"JSON alone": {accept: "application/json", message: wiretest.Legacy.Call(1, "echo", nil), kind: "application/json", status: 200},
		"a fast error": {
			accept: bothFormats, message: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}`, kind: "application/json",
			status: 200,
		},
		"a notification": {accept: bothFormats, message: wiretest.Legacy.Notification("notifications/initialized", nil), status: 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixtures()
				a, hangUp := beginCall(newServer(f, nil).Handler(httpOptions()), test.accept, test.message)
				defer hangUp()
				close(f.release)
				synctest.Wait()
				if kind := a.Header().Get("Content-Type"); a.Code != test.status || kind != test.kind || strings.Contains(a.text(), ":\n") {
					t.Errorf("%d %s %q", a.Code, kind, a.text())
				}
			})
		})
	}
}

// What takes JSON alone gets the answer without the notifications, and no
// subscription.
func TestJSONOnlyClientsGetOneAnswer(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	post := func(message string) wiretest.Answer {
		r := c.NewRequest(message)
		r.Header.Set("Accept", "application/json")
		return c.Do(r)
	}
	got := post(wiretest.Modern.Request(1, "tools/call", wiretest.Object{
		"name": "notify", "arguments": wiretest.Object{"text": "0"}, "_meta": wiretest.Object{"progressToken": "0"},
	}, nil))
	if got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	wantText(t, got.Last(t), "0")
	listen := post(wiretest.Modern.Request("sub", "subscriptions/listen", wiretest.Object{"notifications": wiretest.Object{"toolsListChanged": true}}, nil))
	if listen.Status != 406 {
		t.Errorf("a subscription: %d %s", listen.Status, listen.Body)
	}
}

// Some runtimes write a byte order mark before the first message.
func TestStdioSkipsAByteOrderMark(t *testing.T) {
	t.Parallel()
	c := serveStdio(t, newServer(newFixtures(), nil), tester(""))
	if got := c.Ask("\ufeff" + wiretest.Initialize("2025-06-18", nil)); got.Path("protocolVersion") != "2025-06-18" {
		t.Errorf("got %s", got.Raw)
	}
	wantText(t, c.Ask("\ufeff"+wiretest.Modern.Call(2, "echo", wiretest.Object{"text": "fine"})), "fine")
}
