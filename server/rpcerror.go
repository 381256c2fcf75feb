package server

import (
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

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
	id := e.id
	if id == nil {
		id = json.RawMessage("null")
	}
	line, err := json.Marshal(struct {
		JSONRPC string                  `json:"jsonrpc"`
		ID      json.RawMessage         `json:"id"`
		Error   mcp.JSONRPCErrorDetails `json:"error"`
	}{mcp.JSONRPC_VERSION, id, mcp.NewJSONRPCErrorDetails(e.code, e.text, e.data)})
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
