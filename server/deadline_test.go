package server_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/guard"
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

// Whoever does not take an answer must not hold its connection for ever, whatever
// the answer is.
func TestNoAnswerWaitsForEver(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &timed{Listener: tcp}
	long := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<16)) })
	o := server.HTTPOptions{OAuth: newResourceServer(), Bearer: approving{}, Approvals: &desk{}, Metrics: long}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- newServer(newFixtures(), nil).ServeListener(ctx, l, o) }()
	c := wiretest.HTTPAt(t, "http://"+tcp.Addr().String()+"/mcp", goodToken, &http.Transport{})
	c.Addr = tcp.Addr().String()
	messages := map[string]string{
		"an answer": wiretest.Modern.Call(1, "echo", wiretest.Object{"text": "fine"}), "a stream": wiretest.Modern.Call(2, "progress", nil), "no message": "{",
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
	c.Bearer = "at." + strings.TrimPrefix(string(guard.ScopeMetrics), "partner.")
	if got := get(t, c, "/metrics"); got.Status != 200 {
		t.Errorf("/metrics: %d", got.Status)
	}
	check("/metrics")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
