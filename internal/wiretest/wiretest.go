// Package wiretest speaks JSON-RPC to a server by hand: every message is text
// that a test can see, and answers are read as they come off the wire. Nothing in
// it knows an MCP library.
package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

// Era is the protocol revision a client speaks.
type Era string

// The eras that differ on the wire: the last one with a handshake, and the
// first without.
const (
	Legacy Era = "2025-11-25"
	Modern Era = "2026-07-28"
)

// Eras are all of them, for table tests.
func Eras() []Era { return []Era{Legacy, Modern} }

// Object is a JSON object.
type Object = map[string]any

// Request returns a request as one line of JSON. id is a string or an integer.
// In the modern era params get the _meta that every request must carry, with
// the given client capabilities, which may be nil.
func (e Era) Request(id any, method string, params, capabilities Object) string {
	return marshal(Object{"jsonrpc": "2.0", "id": id, "method": method, "params": e.params(params, capabilities)})
}

// Notification returns a notification as one line of JSON.
func (e Era) Notification(method string, params Object) string {
	return marshal(Object{"jsonrpc": "2.0", "method": method, "params": e.params(params, nil)})
}

// Call returns a tools/call request. Its progress token is the ID as text.
func (e Era) Call(id any, tool string, arguments Object) string {
	params := Object{"name": tool, "arguments": arguments, "_meta": Object{"progressToken": fmt.Sprint(id)}}
	return e.Request(id, "tools/call", params, nil)
}

// Initialize returns the handshake's request, with ID "init".
func Initialize(version string, capabilities Object) string {
	if capabilities == nil {
		capabilities = Object{}
	}
	return marshal(Object{"jsonrpc": "2.0", "id": "init", "method": "initialize", "params": Object{
		"protocolVersion": version, "capabilities": capabilities, "clientInfo": client(),
	}})
}

func client() Object { return Object{"name": "wiretest", "version": "1"} }

func (e Era) params(params, capabilities Object) Object {
	out := Object{}
	maps.Copy(out, params)
	if e == Modern {
		out["_meta"] = modernMeta(params["_meta"], capabilities)
	}
	return out
}

func modernMeta(given any, capabilities Object) Object {
	if capabilities == nil {
		capabilities = Object{}
	}
	meta := Object{
		"io.modelcontextprotocol/protocolVersion":    string(Modern),
		"io.modelcontextprotocol/clientInfo":         client(),
		"io.modelcontextprotocol/clientCapabilities": capabilities,
	}
	extra, _ := given.(Object)
	maps.Copy(meta, extra)
	return meta
}

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("wiretest: a message that is not JSON: " + err.Error())
	}
	return string(text)
}

// Reply is a message from the server.
type Reply struct {
	Raw     []byte          `json:"-"`
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	} `json:"error"`
}

// Parse reads a message from the server and fails the test if it is not one
// JSON-RPC 2.0 message.
func Parse(tb testing.TB, raw []byte) Reply {
	tb.Helper()
	reply := Reply{Raw: raw}
	if err := json.Unmarshal(raw, &reply); err != nil || reply.JSONRPC != "2.0" {
		tb.Fatalf("not a JSON-RPC message: %q (%v)", raw, err)
	}
	return reply
}

// Path returns what stands under a path of member names in the result, or nil.
func (r Reply) Path(names ...string) any { return path(r.Result, names) }

// Param is Path for the parameters of a request or notification.
func (r Reply) Param(names ...string) any { return path(r.Params, names) }

func path(raw json.RawMessage, names []string) any {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return nil
	}
	for _, name := range names {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

// Code is the error's code, or 0.
func (r Reply) Code() int {
	if r.Error == nil {
		return 0
	}
	return r.Error.Code
}
