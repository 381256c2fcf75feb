package server_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

// timed is a listener whose connections count what is written to them without a
// deadline: such a write waits for as long as the client does not read.
type timed struct {
	net.Listener
	mu       sync.Mutex
	writes   int
	unending int
	// lifted gets a word whenever a deadline is lifted after a write.
	lifted chan struct{}
}

// Accept implements net.Listener.
func (l *timed) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &timedConn{Conn: conn, of: l}, err
}

func (l *timed) count() (writes, unending int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes, l.unending
}

type timedConn struct {
	net.Conn
	of    *timed
	until time.Time
}

// SetWriteDeadline implements net.Conn.
func (c *timedConn) SetWriteDeadline(t time.Time) error {
	c.of.mu.Lock()
	c.until = t
	if t.IsZero() && c.of.writes > 0 {
		select {
		case c.of.lifted <- struct{}{}:
		default:
		}
	}
	c.of.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

// Write implements net.Conn.
func (c *timedConn) Write(p []byte) (int, error) {
	c.of.mu.Lock()
	c.of.writes++
	if c.until.IsZero() {
		c.of.unending++
	}
	c.of.mu.Unlock()
	return c.Conn.Write(p)
}

// A client that takes no answer must not hold its connection for ever, whatever
// the answer is.
func TestEveryAnswerHasWriteDeadline(t *testing.T) {
	t.Parallel()
	l := listenTimed(t)
	long := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<16)) })
	o := server.HTTPOptions{OAuth: newResourceServer(), Bearer: server.Authenticators{newResourceServer(), approving{}}, Approvals: &fakeApprovals{}, Metrics: long}
	c := l.serve(t, o)
	notifying := wiretest.Modern.Request(2, "tools/call", wiretest.Object{
		"name": "notify", "arguments": wiretest.Object{"text": "0"}, "_meta": wiretest.Object{"progressToken": "0"},
	}, nil)
	messages := map[string]string{
		"an answer": wiretest.Modern.Call(1, "echo", wiretest.Object{"text": "fine"}), "a stream": notifying, "no message": "{",
		"a cancel": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, "a response": `{"jsonrpc":"2.0","id":1,"result":{}}`,
	}
	check := func(name string) {
		t.Helper()
		if writes, unending := l.count(); writes == 0 || unending > 0 {
			t.Errorf("%s: %d of %d writes had no deadline", name, unending, writes)
		}
		l.mu.Lock()
		l.writes, l.unending = 0, 0
		l.mu.Unlock()
	}
	for name, message := range messages {
		c.Post(message)
		check(name)
	}
	for _, path := range []string{"/mcp", "/livez", "/readyz", "/openapi.json", "/.well-known/oauth-protected-resource", "/approvals", "/approvals/ap_1", "/nowhere"} {
		get(t, c, path)
		check(path)
	}
	c.Bearer = "at." + strings.TrimPrefix(string(access.ScopeMetrics), "partner.")
	if got := get(t, c, "/metrics"); got.Status != 200 {
		t.Errorf("/metrics: %d", got.Status)
	}
	check("/metrics")
}

// A stream may be silent for longer than a write may take. Over HTTP/2 a deadline
// that was set for an event would end the stream when it passes.
func TestSilentStreamHasNoDeadline(t *testing.T) {
	t.Parallel()
	l := listenTimed(t)
	c := l.serve(t, httpOptions())
	r := c.NewRequest(wiretest.Modern.Request("sub", "subscriptions/listen", wiretest.Object{"notifications": wiretest.Object{"toolsListChanged": true}}, nil))
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	answer, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if line, err := bufio.NewReader(answer.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "event:") {
		t.Fatalf("%q, %v", line, err)
	}
	select {
	case <-l.lifted:
	case <-time.After(wiretest.Patience):
		t.Error("the deadline of the first event stays")
	}
}

func listenTimed(t *testing.T) *timed {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &timed{Listener: tcp, lifted: make(chan struct{}, 1)}
}

// serve serves on the listener until the test ends.
func (l *timed) serve(t *testing.T, o server.HTTPOptions) *httpServer {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- newServer(newFixtures(), nil).ServeListener(ctx, l, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	addr := l.Addr().String()
	return &httpServer{HTTP: wiretest.HTTPAt(t, "http://"+addr+"/mcp", goodToken, &http.Transport{}), tb: t, Addr: addr}
}
