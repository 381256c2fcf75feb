package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/internal/strictjson"
)

const (
	// maxSafeInteger is the largest integer that every JSON reader, mcp-go
	// included, carries through unchanged: 2^53 - 1.
	maxSafeInteger = 1<<53 - 1
	maxMethod      = 128
	// maxNesting is how many objects and arrays encoding/json reads into one
	// another.
	maxNesting = 10000
)

type kind int

const (
	kindRequest kind = iota + 1
	kindNotification
	kindResponse
)

// message is a JSON-RPC message whose outline has been checked.
type message struct {
	kind   kind
	raw    json.RawMessage
	id     json.RawMessage
	method string
	params json.RawMessage
	// given are the members of params. That each is there once and written as the
	// protocol has it is checked by checkMembers.
	given   map[string]json.RawMessage
	result  json.RawMessage
	failure json.RawMessage
	meta    *mcp.Meta
}

// modern reports whether the message belongs to 2026-07-28 or later.
func (m *message) modern() bool { return mcp.IsModernProtocol(m.meta.ProtocolVersion()) }

func (m *message) isCancel() bool {
	return m.kind == kindNotification && m.method == string(mcp.MethodNotificationCancelled)
}

func (m *message) isListen() bool { return m.method == string(mcp.MethodSubscriptionsListen) }

// parseMessage checks what mcp-go would let pass or misread: invalid UTF-8,
// batches, null and fractional IDs, and members that encoding/json would match
// in any case or take twice.
func parseMessage(raw []byte) (*message, *rpcError) {
	raw = strictjson.WithoutBOM(raw)
	if f := checkText(raw); f != nil {
		return nil, f
	}
	outer, f := scanMembers(raw)
	if f != nil {
		return nil, f
	}
	m := &message{raw: raw, result: outer["result"], failure: outer["error"]}
	return m, m.fill(outer)
}

func checkText(raw []byte) *rpcError {
	if !utf8.Valid(raw) {
		return parseError(fmt.Sprintf("The message is not valid UTF-8 from byte %d on. Send JSON encoded as UTF-8.", firstInvalid(raw)))
	}
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("[")) {
		return invalidRequest("Batches are not accepted. Send each JSON-RPC message by itself.")
	}
	if !json.Valid(raw) {
		return invalidText(raw)
	}
	if !bytes.HasPrefix(trimmed, []byte("{")) {
		return invalidRequest("The message is JSON but not an object. Send one JSON-RPC 2.0 object.")
	}
	return nil
}

func invalidText(raw []byte) *rpcError {
	err := json.Unmarshal(raw, new(json.RawMessage))
	if err != nil && strings.HasSuffix(err.Error(), "exceeded max depth") { // encoding/json has no type for it
		return parseError(fmt.Sprintf("The message nests objects and arrays more than %d deep, which is the limit. Send a flatter object.", maxNesting))
	}
	position := ""
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		position = fmt.Sprintf(" (byte %d)", syntax.Offset)
	}
	return parseError("The message is not valid JSON" + position + ". Send one JSON-RPC 2.0 object.")
}

func firstInvalid(raw []byte) (at int) {
	for {
		r, size := utf8.DecodeRune(raw[at:])
		if r == utf8.RuneError && size <= 1 { // also at the end
			return at
		}
		at += size
	}
}

// scanMembers returns the top-level members that JSON-RPC knows, by their
// exact names. The text is known to be one valid JSON object.
func scanMembers(raw []byte) (map[string]json.RawMessage, *rpcError) {
	found := make(map[string]json.RawMessage, 4)
	for name, value := range strictjson.Members(raw) {
		known := canonical(members["message"], name)
		switch _, twice := found[name]; {
		case known == "": // not of JSON-RPC
		case twice:
			return nil, invalidRequest(fmt.Sprintf("The member %q appears twice. Send it once.", name))
		case known != name:
			return nil, invalidRequest(fmt.Sprintf("The member %q must be written %q.", name, known))
		default:
			found[name] = value
		}
	}
	return found, nil
}

func (m *message) fill(outer map[string]json.RawMessage) *rpcError {
	id, hasID := outer["id"]
	if f := m.fillKind(outer, hasID); f != nil || m.kind == kindResponse {
		m.id = id
		return f
	}
	if f := checkID(id); hasID && f != nil {
		return f
	}
	m.id = id
	if string(outer["jsonrpc"]) != `"2.0"` {
		return invalidRequest(`The member "jsonrpc" must be "2.0".`).withID(m.id)
	}
	params := outer["params"]
	if absent(params) {
		return nil
	}
	if params[0] != '{' {
		return invalidParams(`The member "params" must be an object.`).withID(m.id)
	}
	m.params, m.given = params, objectOf(params)
	var meta *mcp.Meta
	if json.Unmarshal(m.given["_meta"], &meta) == nil {
		m.meta = meta
	}
	return nil
}

func (m *message) fillKind(outer map[string]json.RawMessage, hasID bool) *rpcError {
	method, hasMethod := outer["method"]
	answers := m.result != nil || m.failure != nil
	switch {
	case !hasMethod && answers:
		m.kind = kindResponse
		return nil
	case !hasMethod:
		return invalidRequest(`The message is not a request: the member "method" is missing.`)
	case answers:
		return invalidRequest(`The message has "method" together with "result" or "error". Send a request or a response.`)
	case hasID:
		m.kind = kindRequest
	default:
		m.kind = kindNotification
	}
	return m.fillMethod(method, outer["id"])
}

// fillMethod puts the ID to a method that is empty or too long: that is a request
// all the same, and somebody waits for its answer.
func (m *message) fillMethod(raw, id json.RawMessage) *rpcError {
	isText := json.Unmarshal(raw, &m.method) == nil
	if isText && m.method != "" && len(m.method) <= maxMethod {
		return nil
	}
	f := invalidRequest(fmt.Sprintf(`The member "method" must be a string of 1 to %d bytes.`, maxMethod))
	if isText && m.kind == kindRequest && checkID(id) == nil {
		return f.withID(id)
	}
	return f
}

// checkID holds IDs to what MCP allows, a string or an integer, and to
// integers that survive the way through every JSON reader.
func checkID(id json.RawMessage) *rpcError {
	if len(id) > 0 && id[0] == '"' {
		return nil
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil || n > maxSafeInteger || n < -maxSafeInteger {
		return invalidRequest(`The member "id" must be a string or an integer between -(2^53-1) and 2^53-1. ` +
			"Leave it out to send a notification.")
	}
	return nil
}

// idKey tells apart IDs that print alike, such as 1 and "1", and joins those
// that are written differently but are the same string.
func idKey(id json.RawMessage) string {
	var text string
	if json.Unmarshal(id, &text) == nil {
		return "s" + text
	}
	return "n" + string(id)
}

// codeBusy is in the range that JSON-RPC leaves to implementations.
const codeBusy = -32000

// rpcError is a JSON-RPC error worded here. A nil id is answered as null.
type rpcError struct {
	id   json.RawMessage
	code int
	text string
	data any
}

func (e *rpcError) Error() string { return e.text }

func (e *rpcError) withID(id json.RawMessage) *rpcError {
	e.id = id
	return e
}

// encode returns the error response as one line of JSON without a line end.
func (e *rpcError) encode() []byte {
	line, err := json.Marshal(mcp.NewJSONRPCError(mcp.NewRequestId(e.id), e.code, e.text, e.data))
	if err != nil { // only data can fail, and an error without it still helps
		return (&rpcError{id: e.id, code: e.code, text: e.text}).encode()
	}
	return line
}

func parseError(text string) *rpcError { return &rpcError{code: mcp.PARSE_ERROR, text: text} }

func invalidRequest(text string) *rpcError { return &rpcError{code: mcp.INVALID_REQUEST, text: text} }

func invalidParams(text string) *rpcError { return &rpcError{code: mcp.INVALID_PARAMS, text: text} }

func busy(text string) *rpcError { return &rpcError{code: codeBusy, text: text} }

func internalError(method string) *rpcError {
	return &rpcError{
		code: mcp.INTERNAL_ERROR,
		text: "The server failed while it handled " + clip(method) +
			". The reason is in the server's log, not here. Check the state before repeating a call that writes.",
	}
}

// clip keeps untrusted text short where it is quoted back.
func clip(text string) string {
	const limit = 80
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit]) + "…"
}
