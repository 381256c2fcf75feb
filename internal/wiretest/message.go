package wiretest

import (
	"encoding/json"
	"strconv"
	"testing"
)

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
	params := Object{"name": tool, "arguments": arguments, "_meta": Object{"progressToken": token(id)}}
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

func token(id any) string {
	if n, ok := id.(int); ok {
		return strconv.Itoa(n)
	}
	text, _ := id.(string)
	return text
}

func client() Object { return Object{"name": "wiretest", "version": "1"} }

func (e Era) params(params, capabilities Object) Object {
	out := Object{}
	for name, value := range params {
		out[name] = value
	}
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
	for name, value := range extra {
		meta[name] = value
	}
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
