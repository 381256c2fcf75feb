package wiretest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/server"
)

// HTTP is a client of a server that listens on the loopback interface.
type HTTP struct {
	tb     testing.TB
	Addr   string
	Bearer string
	// Base is the scheme and address of the server.
	Base   string
	url    string
	client *http.Client
	ended  chan error
	stop   context.CancelFunc
}

// HTTPAt is a client of a server that somebody else runs.
func HTTPAt(tb testing.TB, url, bearer string, transport http.RoundTripper) *HTTP {
	return &HTTP{tb: tb, url: url, Bearer: bearer, client: &http.Client{Transport: transport, Timeout: 2 * Patience}}
}

// StartHTTP serves s on a free port until the test ends. bearer goes with
// every request; "" sends none.
func StartHTTP(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *HTTP {
	tb.Helper()
	return start(tb, s, o, bearer, &http.Transport{MaxIdleConnsPerHost: 512})
}

// StartHTTP2 is StartHTTP with TLS and a client that speaks HTTP/2.
func StartHTTP2(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *HTTP {
	tb.Helper()
	files := NewPair(tb)
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		tb.Fatal(err)
	}
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	return start(tb, s, o, bearer, &http.Transport{TLSClientConfig: files.Trust(), ForceAttemptHTTP2: true})
}

// Starter is StartHTTP or StartHTTP2.
type Starter func(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string) *HTTP

// OverEachHTTP runs a test over HTTP/1.1 and over HTTP/2.
func OverEachHTTP(t *testing.T, test func(t *testing.T, start Starter)) {
	for name, start := range map[string]Starter{"HTTP/1.1": StartHTTP, "HTTP/2": StartHTTP2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

func start(tb testing.TB, s *server.Server, o server.HTTPOptions, bearer string, transport *http.Transport) *HTTP {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	base := "http://" + l.Addr().String()
	if o.TLS != nil {
		base = "https://" + l.Addr().String()
	}
	c := HTTPAt(tb, base+"/mcp", bearer, transport)
	c.Addr, c.Base, c.ended, c.stop = l.Addr().String(), base, make(chan error, 1), stop
	go func() { c.ended <- s.ServeListener(ctx, l, o) }()
	tb.Cleanup(func() {
		stop()
		transport.CloseIdleConnections()
	})
	return c
}

// Stop cancels the server's context, as a signal would.
func (c *HTTP) Stop() { c.stop() }

// Ended waits for the server to end and returns how.
func (c *HTTP) Ended() error {
	c.tb.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(Patience):
		c.tb.Fatal("the server did not end")
	}
	return nil
}

// Answer is what came back for an HTTP request.
type Answer struct {
	Status int
	Proto  string
	Header http.Header
	Body   []byte
}

// NewRequest returns a POST of a message to /mcp with the headers that its
// revision wants. A test may change it before it is sent.
func (c *HTTP) NewRequest(body string) *http.Request {
	c.tb.Helper()
	r, err := http.NewRequest(http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.Bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	standardHeaders(r.Header, body)
	return r
}

// standardHeaders sets what 2026-07-28 wants repeated in headers.
func standardHeaders(h http.Header, body string) {
	var m struct {
		Method string `json:"method"`
		Params struct {
			Name string         `json:"name"`
			URI  string         `json:"uri"`
			Meta map[string]any `json:"_meta"`
		} `json:"params"`
	}
	if json.Unmarshal([]byte(body), &m) != nil || m.Params.Meta["io.modelcontextprotocol/protocolVersion"] == nil {
		return
	}
	h.Set("Mcp-Protocol-Version", string(Modern))
	h.Set("Mcp-Method", m.Method)
	if name := m.Params.Name + m.Params.URI; name != "" {
		h.Set("Mcp-Name", name)
	}
}

// Do sends a request and reads the whole answer.
func (c *HTTP) Do(r *http.Request) Answer {
	c.tb.Helper()
	answer, err := c.Try(r)
	if err != nil {
		c.tb.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer
}

// Try is Do for where the connection may break.
func (c *HTTP) Try(r *http.Request) (Answer, error) {
	response, err := c.client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return Answer{Status: response.StatusCode, Proto: response.Proto, Header: response.Header, Body: body}, err
}

// Open sends a request and returns the response unread.
func (c *HTTP) Open(r *http.Request) (*http.Response, error) { return c.client.Do(r) }

// Post sends a message.
func (c *HTTP) Post(body string) Answer {
	c.tb.Helper()
	return c.Do(c.NewRequest(body))
}

// Replies are the messages in an answer, in order: one, or those of an event
// stream.
func (a Answer) Replies(tb testing.TB) []Reply {
	tb.Helper()
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		return []Reply{Parse(tb, a.Body)}
	}
	var replies []Reply
	for event := range bytes.SplitSeq(bytes.TrimSuffix(a.Body, []byte("\n\n")), []byte("\n\n")) {
		if bytes.HasPrefix(event, []byte(":")) {
			continue // a comment
		}
		replies = append(replies, Parse(tb, eventData(tb, event)))
	}
	return replies
}

func eventData(tb testing.TB, event []byte) []byte {
	tb.Helper()
	for line := range bytes.SplitSeq(event, []byte("\n")) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			return data
		}
	}
	tb.Fatalf("an event without data: %q", event)
	return nil
}

// Last is the last message in an answer, which is the response.
func (a Answer) Last(tb testing.TB) Reply {
	tb.Helper()
	replies := a.Replies(tb)
	return replies[len(replies)-1]
}
