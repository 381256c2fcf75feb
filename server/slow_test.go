package server_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
)

// slow sends text on a raw connection and waits for the server to hang up.
func slow(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(wiretest.Patience))
	_, _ = io.WriteString(conn, text)
	all, err := io.ReadAll(conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Fatal("the server waits for ever")
	}
	return string(all)
}

func TestHTTPSlowClients(t *testing.T) {
	t.Parallel()
	o := httpOptions()
	o.HeaderLimit, o.BodyLimit = 300*time.Millisecond, 300*time.Millisecond
	c := serveHTTP(t, newServer(newFixtures(), nil), o, goodToken)
	slow(t, c.Addr, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	got := slow(t, c.Addr, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer "+goodToken+"\r\nContent-Length: 100\r\n\r\n{")
	if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, "in time") {
		t.Errorf("got %q", got)
	}
}

// A request that is answered without its body does not hold its connection until
// the body comes. The answer waits a little, for a body that is on its way.
func TestHTTPUnreadBodiesAreNotAwaited(t *testing.T) {
	t.Parallel()
	c := serveHTTP(t, newServer(newFixtures(), nil), httpOptions(), goodToken)
	for head, status := range map[string]string{
		"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n":            "401",
		"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{":                                  "415",
		"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n":                                            "405",
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{":                                            "200",
		"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n":                                           "404",
		"POST /approvals/ap_1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n": "404",
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			if got := slow(t, c.Addr, head); !strings.HasPrefix(got, "HTTP/1.1 "+status) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Nor does it keep others out while it waits.
func TestHTTPAnsweredConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	o := httpOptions()
	o.MaxConnections = 4
	c := serveHTTP(t, newServer(newFixtures(), nil), o, goodToken)
	for range 20 {
		for range o.MaxConnections {
			conn := dial(t, c.Addr)
			_, _ = io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
		}
		conn := dial(t, c.Addr)
		_, _ = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Fatalf("somebody else is kept out: %q, %v", answer, err)
		}
	}
}

func TestHTTPCallOutlastsTheBodyLimit(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	o := httpOptions()
	o.HeaderLimit, o.BodyLimit = 300*time.Millisecond, 300*time.Millisecond
	c := serveHTTP(t, newServer(f, nil), o, goodToken)
	time.AfterFunc(900*time.Millisecond, func() { close(f.release) })
	wantText(t, c.Post(wiretest.Modern.Call(1, "block", wiretest.Object{"text": "long"})).Last(t), "long")
}
