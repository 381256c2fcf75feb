package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

// stdioClient is a client on the other end of a stdio connection.
type stdioClient struct {
	tb      testing.TB
	in      *io.PipeWriter
	replies chan []byte
	ended   chan error
	stop    context.CancelFunc
}

// serveStdio serves s on pipes until the test ends.
func serveStdio(tb testing.TB, s *server.Server, caller access.Principal) *stdioClient {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	c := &stdioClient{tb: tb, in: toServer, replies: make(chan []byte, 4096), ended: make(chan error, 1), stop: stop}
	go func() {
		c.ended <- s.ServeStdio(ctx, fromClient, toClient, caller)
		_ = toClient.Close()
	}()
	go c.collect(fromServer)
	tb.Cleanup(func() {
		stop()
		_ = toServer.Close()
		_ = fromServer.Close()
	})
	return c
}

func (c *stdioClient) collect(from io.Reader) {
	defer close(c.replies)
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		c.replies <- line
	}
}

// Send writes a line; the line end is added.
func (c *stdioClient) Send(line string) { c.SendRaw([]byte(line + "\n")) }

// SendRaw writes bytes as they are.
func (c *stdioClient) SendRaw(raw []byte) {
	c.tb.Helper()
	if _, err := c.in.Write(raw); err != nil {
		c.tb.Fatalf("write to the server: %v", err)
	}
}

// Next returns the next message. It fails the test if there is none.
func (c *stdioClient) Next() wiretest.Reply {
	c.tb.Helper()
	select {
	case line, ok := <-c.replies:
		if !ok {
			c.tb.Fatal("the server closed its output")
		}
		return wiretest.Parse(c.tb, line)
	case <-time.After(wiretest.Patience):
		c.tb.Fatal("the server said nothing")
	}
	return wiretest.Reply{}
}

// Ask sends a line and returns the next message.
func (c *stdioClient) Ask(line string) wiretest.Reply {
	c.tb.Helper()
	c.Send(line)
	return c.Next()
}

// Handshake initializes the connection and returns the answer.
func (c *stdioClient) Handshake(capabilities wiretest.Object) wiretest.Reply {
	c.tb.Helper()
	reply := c.Ask(wiretest.Initialize(string(wiretest.Legacy), capabilities))
	c.Send(wiretest.Legacy.Notification("notifications/initialized", nil))
	return reply
}

// CloseInput ends the server's input.
func (c *stdioClient) CloseInput() { _ = c.in.Close() }

// Stop cancels the server's context, as a signal would.
func (c *stdioClient) Stop() { c.stop() }

// Rest returns all messages up to the end of the output, and how the server
// ended.
func (c *stdioClient) Rest() ([]wiretest.Reply, error) {
	c.tb.Helper()
	var all []wiretest.Reply
	timeout := time.After(wiretest.Patience)
	for {
		select {
		case line, ok := <-c.replies:
			if !ok {
				return all, <-c.ended
			}
			all = append(all, wiretest.Parse(c.tb, line))
		case <-timeout:
			c.tb.Fatalf("the server did not end; %d messages so far", len(all))
		}
	}
}

// httpServer is a server on the loopback interface with a client of it.
type httpServer struct {
	*wiretest.HTTP
	tb   testing.TB
	Addr string
	// Base is the scheme and address of the server.
	Base  string
	ended chan error
	stop  context.CancelFunc
}

// serveHTTP serves s on a free port until the test ends. bearer goes with
// every request; "" sends none.
func serveHTTP(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *httpServer {
	tb.Helper()
	return listenHTTP(tb, s, o, bearer, &http.Transport{MaxIdleConnsPerHost: 512})
}

// serveHTTP2 is serveHTTP with TLS and a client that speaks HTTP/2.
func serveHTTP2(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *httpServer {
	tb.Helper()
	files := testkit.NewPair(tb)
	o.TLS = files.Serve()
	return listenHTTP(tb, s, o, bearer, &http.Transport{TLSClientConfig: files.Trust(), ForceAttemptHTTP2: true})
}

// starter is serveHTTP or serveHTTP2.
type starter func(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *httpServer

// overEachHTTP runs a test over HTTP/1.1 and over HTTP/2.
func overEachHTTP(t *testing.T, test func(t *testing.T, start starter)) {
	for name, start := range map[string]starter{"HTTP/1.1": serveHTTP, "HTTP/2": serveHTTP2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

func listenHTTP(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string, transport *http.Transport) *httpServer {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, l, s, o, bearer, transport)
}

func serveOn(tb testing.TB, l net.Listener, s *server.Server, o server.HTTPOptions, bearer string, transport *http.Transport) *httpServer {
	ctx, stop := context.WithCancel(context.Background())
	base := "http://" + l.Addr().String()
	if o.TLS != nil {
		base = "https://" + l.Addr().String()
	}
	c := &httpServer{wiretest.HTTPAt(tb, base+"/mcp", bearer, transport), tb, l.Addr().String(), base, make(chan error, 1), stop}
	go func() { c.ended <- s.ServeListener(ctx, l, o) }()
	tb.Cleanup(func() {
		stop()
		transport.CloseIdleConnections()
	})
	return c
}

// serveInMemory serves s on pipes, on which a test in a bubble can wait.
func serveInMemory(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *httpServer {
	tb.Helper()
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	return serveOn(tb, l, s, o, bearer, &http.Transport{DialContext: l.dial})
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// Stop cancels the server's context, as a signal would.
func (c *httpServer) Stop() { c.stop() }

// Ended waits for the server to end and returns how.
func (c *httpServer) Ended() error {
	c.tb.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(wiretest.Patience):
		c.tb.Fatal("the server did not end")
	}
	return nil
}
