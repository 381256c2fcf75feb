package wiretest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Patience is how long a test waits for something that must happen.
const Patience = 30 * time.Second

// HTTP is a client of a server.
type HTTP struct {
	// Bearer goes with every request; "" sends none.
	Bearer string

	tb     testing.TB
	url    string
	client *http.Client
}

// HTTPAt is a client of the server at a URL.
func HTTPAt(tb testing.TB, url, bearer string, transport http.RoundTripper) *HTTP {
	return &HTTP{tb: tb, url: url, Bearer: bearer, client: &http.Client{Transport: transport, Timeout: 2 * Patience}}
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
