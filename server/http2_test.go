package server_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
)

// framed is a client that sends HTTP/2 frames as it likes.
type framed struct {
	*http2.Framer
	t    *testing.T
	conn net.Conn
	text bytes.Buffer
	pack *hpack.Encoder
}

// dialFrames connects and greets the server with settings.
func dialFrames(t *testing.T, addr string, settings ...http2.Setting) *framed {
	t.Helper()
	return dialFramesWith(t, addr, nil, settings...)
}

func dialFramesWith(t *testing.T, addr string, sessions tls.ClientSessionCache, settings ...http2.Setting) *framed {
	t.Helper()
	dialer := &net.Dialer{Timeout: wiretest.Patience}
	conn, err := tls.DialWithDialer(dialer, "tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, ClientSessionCache: sessions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.NetConn().Close() })
	_ = conn.SetDeadline(time.Now().Add(wiretest.Patience))
	c := &framed{Framer: http2.NewFramer(conn, conn), t: t, conn: conn}
	c.pack = hpack.NewEncoder(&c.text)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	_ = c.WriteSettings(settings...) // a server that hangs up is found by reading
	return c
}

// noWindow lets the server send nothing on any stream.
var noWindow = http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}

// request opens a stream. The fields come after those that each request has.
func (c *framed) request(stream uint32, method, path string, end bool, fields ...string) {
	block := c.block(append([]string{":method", method, ":scheme", "https", ":authority", "localhost", ":path", path}, fields...)...)
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true, EndStream: end})
}

func (c *framed) block(fields ...string) []byte {
	c.text.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = c.pack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(c.text.Bytes())
}

// post opens a stream with what a good call has in its head.
func (c *framed) post(stream uint32, fields ...string) {
	c.request(stream, "POST", "/mcp", false, append([]string{"content-type", "application/json", "authorization", "Bearer " + goodToken}, fields...)...)
}

// until reads frames to the first that is wanted; nil is the end of the connection.
func (c *framed) until(wanted func(http2.Frame) bool) http2.Frame {
	c.t.Helper()
	for {
		frame, err := c.ReadFrame()
		if isTimeout(err) {
			c.t.Fatal("the server neither answers nor hangs up")
		}
		if err != nil {
			return nil
		}
		if wanted(frame) {
			return frame
		}
	}
}

// status is that of the answer on a stream, or what ended the stream without one.
func (c *framed) status(stream uint32) string {
	c.t.Helper()
	frame := c.until(func(f http2.Frame) bool {
		_, headers := f.(*http2.HeadersFrame)
		_, reset := f.(*http2.RSTStreamFrame)
		away, gone := f.(*http2.GoAwayFrame)
		return gone && away.ErrCode != http2.ErrCodeNo || f.Header().StreamID == stream && (headers || reset)
	})
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		fields, err := hpack.NewDecoder(4096, nil).DecodeFull(f.HeaderBlockFragment())
		if err != nil || len(fields) == 0 {
			c.t.Fatalf("%v, %v", fields, err)
		}
		return fields[0].Value
	case *http2.RSTStreamFrame:
		return "reset " + f.ErrCode.String()
	case *http2.GoAwayFrame:
		return "away " + f.ErrCode.String()
	}
	return "hung up"
}

func startHTTP2(t *testing.T, f *fixtures) *httpServer {
	return serveHTTP2(t, newServer(f, nil), httpOptions(), goodToken)
}

// Clients without a token that take no answer must not keep others out: neither
// with small answers, which wait after the handler, nor with large ones, which it
// waits to write.
func TestHTTP2ClosedWindowsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Load)
	for _, path := range []string{"/mcp", "/openapi.json", "/livez", "/nowhere"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			o := httpOptions()
			o.MaxConnections = 64
			c := serveHTTP2(t, newServer(newFixtures(), nil), o, goodToken)
			for i := range 2 * o.MaxConnections {
				client := dialFrames(t, c.Addr, noWindow)
				client.request(1, map[bool]string{true: "POST", false: "GET"}[path == "/mcp"], path, true)
				if i < o.MaxConnections {
					client.status(1) // the answer has begun, and its body waits
				}
			}
			stillServes(t, c)
		})
	}
}

// A call that runs keeps its connection, whatever else happens on it.
func TestHTTP2CallKeepsItsConnection(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	o := httpOptions()
	o.MaxConnections = 4
	c := serveHTTP2(t, newServer(f, nil), o, goodToken)
	answered := make(chan wiretest.Answer, 1)
	r := c.NewRequest(wiretest.Modern.Call(1, "block", wiretest.Object{"text": "long"}))
	go func() {
		answer, _ := c.Try(r)
		answered <- answer
	}()
	<-f.started
	for range 4 * o.MaxConnections {
		stillServes(t, c) // streams of the same connection come and go
		dialFrames(t, c.Addr, noWindow).request(1, "GET", "/openapi.json", true)
	}
	close(f.release)
	wantText(t, (<-answered).Last(t), "long")
}

// Before anybody is known on a connection, few of its requests are handled at
// once, and those that are too many end without an answer that could wait.
func TestHTTP2GivesFewStreamsBeforeAuthentication(t *testing.T) {
	t.Parallel()
	c := startHTTP2(t, newFixtures())
	client := dialFrames(t, c.Addr, noWindow)
	const streams = 40
	for i := range streams {
		client.request(uint32(2*i+1), "POST", "/mcp", true)
	}
	answered, reset := 0, 0
	client.until(func(f http2.Frame) bool {
		switch f.(type) {
		case *http2.HeadersFrame:
			answered++
		case *http2.RSTStreamFrame:
			reset++
		}
		return reset >= streams-8
	})
	if answered > 16 { // eight, and eight more once those were given up
		t.Errorf("%d answers were begun at once", answered)
	}
	stillServes(t, c)
}

// Known callers may have many calls under way on one connection.
func TestHTTP2KnownCallersGetManyStreams(t *testing.T) {
	t.Parallel()
	f := newFixtures()
	c := startHTTP2(t, f)
	stillServes(t, c)
	answers := make(chan error, 60)
	for i := range cap(answers) {
		r := c.NewRequest(wiretest.Modern.Call(i, "block", wiretest.Object{"text": "x"}))
		go func() {
			answer, err := c.Try(r)
			if err == nil && answer.Status != 200 {
				err = fmt.Errorf("%d %s", answer.Status, answer.Body)
			}
			answers <- err
		}()
	}
	for range cap(answers) {
		<-f.started
	}
	close(f.release)
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// A body of a gigabyte is not read to its end, and one that drips ends in time.
func TestHTTP2LargeAndSlowBodiesEnd(t *testing.T) {
	t.Parallel()
	o := httpOptions()
	o.BodyLimit = 300 * time.Millisecond
	c := serveHTTP2(t, newServer(newFixtures(), nil), o, goodToken)
	for name, test := range map[string]struct {
		fields []string
		send   func(*framed)
		want   []string
	}{
		"announced":     {fields: []string{"content-length", fmt.Sprint(1 << 30)}, send: func(*framed) {}, want: []string{"413"}},
		"nothing comes": {send: func(*framed) {}, want: []string{"400"}},
		"more than length": {
			fields: []string{"content-length", "2"}, send: func(c *framed) { _ = c.WriteData(1, true, []byte("{}{}")) },
			want: []string{"400", "reset PROTOCOL_ERROR"},
		},
		"less than length": {
			fields: []string{"content-length", "9"}, send: func(c *framed) { _ = c.WriteData(1, true, []byte("{}")) },
			want: []string{"400", "reset PROTOCOL_ERROR"},
		},
		"beyond the window": {fields: nil, send: func(c *framed) {
			for range 32 {
				_ = c.WriteData(1, false, make([]byte, 16<<10))
			}
		}, want: []string{"reset FLOW_CONTROL_ERROR", "away FLOW_CONTROL_ERROR", "413", "hung up"}},
		"padding alone": {fields: nil, send: func(c *framed) {
			for range 100 {
				_ = c.WriteDataPadded(1, false, nil, make([]byte, 255))
			}
		}, want: []string{"400"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := dialFrames(t, c.Addr)
			client.post(1, test.fields...)
			test.send(client)
			got := client.status(1)
			for _, want := range test.want {
				if got == want {
					return
				}
			}
			t.Errorf("got %s, want one of %v", got, test.want)
		})
	}
	t.Cleanup(func() { stillServes(t, c) })
}

// A host beside the authority is a second name, which somebody in between may go by.
func TestHTTP2HostBesideTheAuthority(t *testing.T) {
	t.Parallel()
	c := startHTTP2(t, newFixtures())
	for host, want := range map[string]string{"localhost": "200", "LOCALHOST": "200", "evil.example": "403", "localhost:1": "403"} {
		client := dialFrames(t, c.Addr)
		client.post(1, "host", host)
		_ = client.WriteData(1, true, []byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if got := client.status(1); got != want {
			t.Errorf("host %s: %s, want %s", host, got, want)
		}
	}
}

// Frames that break the protocol, or only cost work, and requests whose heads are
// no HTTP/2. None is taken for a call, and the server goes on.
func TestHTTP2HostileFrames(t *testing.T) {
	t.Parallel()
	c := startHTTP2(t, newFixtures())
	raw := func(fields ...string) func(*framed) {
		return func(c *framed) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(fields...), EndHeaders: true, EndStream: true})
		}
	}
	for name, send := range map[string]func(*framed){
		"headers that never end": func(c *framed) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(":method", "POST"), EndStream: true})
			for range 10_000 {
				if c.WriteContinuation(1, false, c.block("x-bomb", strings.Repeat("a", 4096))) != nil {
					return
				}
			}
		},
		"one huge header": func(c *framed) {
			block := c.block(":method", "POST", ":scheme", "https", ":path", "/mcp", "x-bomb", strings.Repeat("\x01", 1<<20))
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:16384], EndStream: true})
			for block = block[16384:]; len(block) > 0; block = block[min(16384, len(block)):] {
				_ = c.WriteContinuation(1, len(block) <= 16384, block[:min(16384, len(block))])
			}
		},
		"streams opened and reset": func(c *framed) {
			for i := range uint32(3000) {
				c.post(2*i + 1)
				if c.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
					return
				}
			}
		},
		"pings": func(c *framed) {
			for range 20_000 {
				if c.WritePing(false, [8]byte{}) != nil {
					return
				}
			}
		},
		"settings": func(c *framed) {
			for range 20_000 {
				if c.WriteSettings(noWindow) != nil {
					return
				}
			}
		},
		"priorities":               func(c *framed) { _ = c.WriteRawFrame(http2.FramePriority, 0, 1, []byte{0, 0, 0, 1, 0}) },
		"an even stream":           func(c *framed) { c.post(2) },
		"a pushed promise":         func(c *framed) { _ = c.WriteRawFrame(http2.FramePushPromise, 0x4, 1, make([]byte, 8)) },
		"a window beyond its end":  func(c *framed) { _ = c.WriteWindowUpdate(0, 1<<31-1) },
		"a window of nothing":      func(c *framed) { _ = c.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4)) },
		"a frame beyond the limit": func(c *framed) { _ = c.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<21)) },
		"data without a head":      func(c *framed) { _ = c.WriteData(5, true, []byte("{}")) },
		"a head that is no HPACK": func(c *framed) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bytes.Repeat([]byte{0xff}, 64), EndHeaders: true})
		},
		"no path":              raw(":method", "POST", ":scheme", "https", ":authority", "localhost"),
		"two paths":            raw(":method", "GET", ":scheme", "https", ":path", "/livez", ":path", "/mcp"),
		"a field in capitals":  raw(":method", "GET", ":scheme", "https", ":authority", "localhost", ":path", "/livez", "X-Big", "1"),
		"a field of HTTP/1":    raw(":method", "GET", ":scheme", "https", ":authority", "localhost", ":path", "/livez", "transfer-encoding", "chunked"),
		"a line end in a path": raw(":method", "GET", ":scheme", "https", ":authority", "localhost", ":path", "/livez HTTP/1.1\r\nx: y"),
		"a foreign authority":  raw(":method", "POST", ":scheme", "https", ":authority", "evil.example", ":path", "/mcp", "content-type", "application/json", "authorization", "Bearer "+goodToken),
		"a host that differs":  raw(":method", "POST", ":scheme", "https", ":authority", "evil.example", ":path", "/mcp", "host", "localhost", "content-type", "application/json"),
		"CONNECT":              raw(":method", "CONNECT", ":authority", "evil.example:443"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := dialFrames(t, c.Addr)
			client.AllowIllegalWrites = true
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				send(client)
				_ = client.conn.(*tls.Conn).CloseWrite()
			}()
			client.until(func(f http2.Frame) bool {
				head, ok := f.(*http2.HeadersFrame)
				if fields, err := hpack.NewDecoder(4096, nil).DecodeFull(orEmpty(head, ok)); err == nil && len(fields) > 0 && strings.HasPrefix(fields[0].Value, "2") {
					t.Errorf("answered %v", fields)
				}
				return false
			})
			<-sent
		})
	}
	t.Cleanup(func() { stillServes(t, c) })
}

func orEmpty(head *http2.HeadersFrame, ok bool) []byte {
	if !ok {
		return nil
	}
	return head.HeaderBlockFragment()
}

// Connections that greet and then say nothing, or stop in the middle of a head,
// are bounded like any other. Not parallel, because it measures memory.
func TestHTTP2IdleConnections(t *testing.T) {
	testkit.SkipShort(t, testkit.Load)
	o := httpOptions()
	o.MaxConnections = 128
	o.HeaderLimit, o.IdleLimit = time.Hour, time.Hour // so that the bound alone closes connections
	c := serveHTTP2(t, newServer(newFixtures(), nil), o, goodToken)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	idle := make([]*framed, 4*o.MaxConnections)
	for i := range idle {
		idle[i] = dialFrames(t, c.Addr)
		if i%2 == 0 {
			_ = idle[i].WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: idle[i].block(":method", "POST")})
		}
	}
	stillServes(t, c)
	runtime.GC()
	runtime.ReadMemStats(&after)
	conns := make([]net.Conn, len(idle))
	for i, client := range idle {
		conns[i] = client.conn.(*tls.Conn).NetConn()
	}
	t.Logf("%d KiB a connection", (after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)>>10/uint64(o.MaxConnections))
	testkit.WaitFor(t, "the connections beyond the bound are closed", func() bool { return countUnfinished(conns) <= o.MaxConnections })
}

// countUnfinished is how many of these the server has not closed, whatever it
// sent before.
func countUnfinished(conns []net.Conn) int {
	open := 0
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
			open++
		}
	}
	return open
}
