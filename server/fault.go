package server

import (
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

// codeBusy is in the range that JSON-RPC leaves to implementations.
const codeBusy = -32000

// fault is a JSON-RPC error in our own words. A nil id is answered as null.
type fault struct {
	id   json.RawMessage
	code int
	text string
	data any
}

func (f *fault) withID(id json.RawMessage) *fault {
	f.id = id
	return f
}

// encode returns the error response as one line of JSON without a line end.
func (f *fault) encode() []byte {
	id := f.id
	if id == nil {
		id = json.RawMessage("null")
	}
	line, err := json.Marshal(struct {
		JSONRPC string                  `json:"jsonrpc"`
		ID      json.RawMessage         `json:"id"`
		Error   mcp.JSONRPCErrorDetails `json:"error"`
	}{mcp.JSONRPC_VERSION, id, mcp.NewJSONRPCErrorDetails(f.code, f.text, f.data)})
	if err != nil { // only data can fail, and an error without it still helps
		return (&fault{id: f.id, code: f.code, text: f.text}).encode()
	}
	return line
}

func parseFault(text string) *fault { return &fault{code: mcp.PARSE_ERROR, text: text} }

func invalidRequest(text string) *fault { return &fault{code: mcp.INVALID_REQUEST, text: text} }

func invalidParams(text string) *fault { return &fault{code: mcp.INVALID_PARAMS, text: text} }

func busy(text string) *fault { return &fault{code: codeBusy, text: text} }

func internalFault(method string) *fault {
	return &fault{
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
