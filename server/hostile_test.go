package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
)

// dial opens a connection that the test will close.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(wiretest.Patience))
	return conn
}

const postHead = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + goodToken + "\r\n"

// stillServes wants a good client to be answered after whatever happened.
func stillServes(t *testing.T, c *httpServer) {
	t.Helper()
	for _, era := range wiretest.Eras() {
		wantText(t, c.Post(era.Call(1, "echo", wiretest.Object{"text": "alive"})).Last(t), "alive")
	}
}

// endless is a body that would have size bytes. It counts what was taken.
type endless struct{ left, taken int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= n
	e.taken += n
	return int(n), nil
}

// chunked writes a body in chunks of 64 KiB until the other side has enough.
func chunked(to io.Writer, body io.Reader) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if _, err := fmt.Fprintf(to, "%x\r\n%s\r\n", n, buffer[:n]); err != nil {
			return err
		}
	}
}

// A gigabyte, announced, in chunks, and announced as less than it is. All are
// refused after the limit and not read to their end.
func TestHTTPGigabyteBodies(t *testing.T) {
	t.Parallel()
	const gigabyte = 1 << 30
	for name, send := range map[string]func(net.Conn, *endless) error{
		"announced": func(conn net.Conn, body *endless) error {
			_, err := io.Copy(conn, io.MultiReader(strings.NewReader(fmt.Sprintf("%sContent-Length: %d\r\n\r\n", postHead, gigabyte)), body))
			return err
		},
		"announced, with a question first": func(conn net.Conn, _ *endless) error {
			_, err := fmt.Fprintf(conn, "%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", postHead, gigabyte)
			return err
		},
		"in chunks": func(conn net.Conn, body *endless) error {
			_, _ = io.WriteString(conn, postHead+"Transfer-Encoding: chunked\r\n\r\n")
			return chunked(conn, body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startHTTP(t, newFixtures())
			conn, body := dial(t, c.Addr), &endless{left: gigabyte}
			sent := make(chan error, 1)
			go func() { sent <- send(conn, body) }()
			status, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(status, "HTTP/1.1 413") {
				t.Errorf("answered %q, %v", status, err)
			}
			<-sent
			if body.taken > 64<<20 {
				t.Errorf("%d MiB were taken", body.taken>>20)
			}
			stillServes(t, c)
		})
	}
}

// Drops that come often enough to look alive are still too slow as a whole.
func TestHTTPDripFeeding(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{"header": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "body": postHead + "Content-Length: 100000\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := httpOptions()
			o.HeaderLimit, o.BodyLimit = 400*time.Millisecond, 400*time.Millisecond
			c := serveHTTP(t, newServer(newFixtures(), nil), o, goodToken)
			conn := dial(t, c.Addr)
			_, _ = io.WriteString(conn, head)
			drops := make(chan int, 1)
			go func() {
				n := 0
				for ; n < 100_000; n++ {
					if _, err := conn.Write([]byte("a")); err != nil {
						break
					}
					time.Sleep(time.Millisecond)
				}
				drops <- n
			}()
			_, _ = io.Copy(io.Discard, conn) // until the server hangs up
			_ = conn.Close()
			if n := <-drops; n >= 100_000 {
				t.Error("the server took every drop")
			}
			stillServes(t, c)
		})
	}
}

func TestHTTPHeaderBombs(t *testing.T) {
	t.Parallel()
	for name, bomb := range map[string]string{
		"one huge header":      "X-Bomb: " + strings.Repeat("a", 1<<20),
		"many small headers":   strings.Repeat("X-B: a\r\n", 1<<17),
		"the same one again":   strings.Repeat("Authorization: Bearer x\r\n", 1<<15),
		"a huge request line":  "",
		"an endless last line": strings.Repeat(" folded\r\n", 1<<17),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startHTTP(t, newFixtures())
			text := "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + bomb + "\r\n\r\n"
			if bomb == "" {
				text = "POST /mcp?" + strings.Repeat("q", 1<<20) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
			}
			conn := dial(t, c.Addr)
			go func() { _, _ = io.WriteString(conn, text) }() // it is cut off
			status, _ := bufio.NewReader(conn).ReadString('\n')
			if !strings.HasPrefix(status, "HTTP/1.1 431") && !strings.HasPrefix(status, "HTTP/1.1 400") && status != "" {
				t.Errorf("answered %q", status)
			}
			stillServes(t, c)
		})
	}
}

// What is no request, or two in one, is refused, and nothing behind it is
// taken for a second request.
func TestHTTPMalformedRequests(t *testing.T) {
	t.Parallel()
	c := startHTTP(t, newFixtures())
	call := wiretest.Legacy.Call(1, "echo", wiretest.Object{"text": "smuggled"})
	for name, text := range map[string]string{
		"two lengths":         postHead + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"length and chunks":   postHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + "POST /mcp HTTP/1.1\r\n",
		"unknown coding":      postHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"negative length":     postHead + "Content-Length: -1\r\n\r\n",
		"broken chunk":        postHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + call,
		"no host":             "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\n\r\n",
		"two hosts":           "POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
		"header with newline": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
		"TLS to a plain port": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"HTTP/0.9":            "GET /mcp\r\n\r\n",
		"HTTP/3 by name":      "POST /mcp HTTP/3.0\r\nHost: localhost\r\n\r\n",
		"HTTP/2 preface":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"absolute form":       "POST http://evil.example/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
		"CONNECT":             "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"TRACE":               "TRACE /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, c.Addr)
			_, _ = io.WriteString(conn, text)
			_ = conn.(*net.TCPConn).CloseWrite()
			all, _ := io.ReadAll(conn)
			if bytes.HasPrefix(all, []byte("HTTP/1.1 2")) || bytes.Contains(all, []byte("smuggled")) || bytes.Contains(all, []byte(" 200 OK")) {
				t.Errorf("answered %q", all)
			}
		})
	}
	t.Cleanup(func() { stillServes(t, c) })
}

// Not parallel, because it takes as many files as it may, and measures memory.
func TestHTTPTenThousandIdleConnections(t *testing.T) {
	testkit.SkipShort(t, testkit.Load)
	o := httpOptions()
	o.HeaderLimit = 4 * time.Second
	c := serveHTTP(t, newServer(newFixtures(), nil), o, goodToken)
	most := idleConnections(t)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	idle := make([]net.Conn, 0, most)
	for range most {
		conn, err := net.Dial("tcp", c.Addr)
		if err != nil {
			t.Fatalf("after %d: %v", len(idle), err)
		}
		idle = append(idle, conn)
	}
	stillServes(t, c)
	runtime.GC()
	runtime.ReadMemStats(&during)
	open := countOpen(idle)
	t.Logf("%d connections opened, %d left open by the server, %d KiB each", most, open, (during.HeapAlloc+during.StackInuse-before.HeapAlloc-before.StackInuse)>>10/uint64(max(open, 1)))
	if open > 4096 {
		t.Errorf("%d connections are open, beyond the bound", open)
	}
	if open < min(most, 4096)*9/10 {
		t.Errorf("only %d connections are open: the bound is 4096", open)
	}
	for _, conn := range idle { // the header limit ends what the bound has left
		_ = conn.SetReadDeadline(time.Now().Add(wiretest.Patience))
		if _, err := conn.Read(make([]byte, 1)); isTimeout(err) {
			t.Fatal("a connection without a request stays")
		}
		_ = conn.Close()
	}
	stillServes(t, c)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// countOpen is how many of these the server has not closed.
func countOpen(conns []net.Conn) int {
	var open sync.WaitGroup
	closed := make(chan struct{}, len(conns))
	for _, conn := range conns {
		open.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, err := conn.Read(make([]byte, 1))
			if !isTimeout(err) {
				closed <- struct{}{}
			}
		})
	}
	open.Wait()
	return len(conns) - len(closed)
}

// Many large messages of one caller are bounded before they are read: they hold
// no memory, and others are answered meanwhile.
func TestHTTPLargeMessagesOfOneCallerAreBounded(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Load)
	overEachHTTP(t, func(t *testing.T, start starter) {
		f := newFixtures()
		o := httpOptions()
		o.MaxBody = 4 << 20 // all that one caller may have
		c := start(t, newServer(f, nil), o, goodToken)
		text := strings.Repeat("x", 3<<20)
		large := c.NewRequest(wiretest.Modern.Call(1, "block", wiretest.Object{"text": text}))
		done := make(chan wiretest.Answer, 1)
		go func() {
			answer, _ := c.Try(large)
			done <- answer
		}()
		<-f.started
		for range 8 {
			if got := c.Post(wiretest.Modern.Call(2, "echo", wiretest.Object{"text": text})); got.Status != 503 || got.Header.Get("Retry-After") != "1" {
				t.Errorf("a second large message: %d %.200s", got.Status, got.Body)
			}
		}
		chunked := c.NewRequest(wiretest.Modern.Call(3, "echo", wiretest.Object{"text": "x"}))
		chunked.ContentLength = -1
		if got := c.Do(chunked); got.Status != 503 {
			t.Errorf("one of unknown length: %d", got.Status)
		}
		wantText(t, c.Post(wiretest.Modern.Call(4, "echo", wiretest.Object{"text": "small"})).Last(t), "small")
		other := c.NewRequest(wiretest.Modern.Call(5, "echo", wiretest.Object{"text": text}))
		other.Header.Set("Authorization", "Bearer "+goodToken+"-other")
		wantText(t, c.Do(other).Last(t), text)
		close(f.release)
		wantText(t, (<-done).Last(t), text)
		wantText(t, c.Post(wiretest.Modern.Call(6, "echo", wiretest.Object{"text": text})).Last(t), text)
	})
}
