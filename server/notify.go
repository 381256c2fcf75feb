package server

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
)

// errAnswered is returned to a handler that notifies after its request has
// been answered: there is no stream left that the notification belongs to.
var errAnswered = errors.New("the request has been answered; its notifications can no longer be sent")

// encodeNotification returns a notification as JSON without a line end, or nil
// where it is a log message the client did not ask for.
func encodeNotification(method string, params any, asked mcp.LoggingLevel) ([]byte, error) {
	body, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("notification %s: %w", method, err)
	}
	if method == string(mcp.MethodNotificationMessage) && !wanted(body, asked) {
		return nil, nil
	}
	return json.Marshal(struct {
		JSONRPC string          `json:"jsonrpc"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}{mcp.JSONRPC_VERSION, method, body})
}

func wanted(params []byte, asked mcp.LoggingLevel) bool {
	var entry struct {
		Level mcp.LoggingLevel `json:"level"`
	}
	return json.Unmarshal(params, &entry) == nil && entry.Level.ShouldSendTo(asked)
}

// askedLevel is the log level in force for a message: since 2026-07-28 the one
// in its _meta, before that what logging/setLevel said last.
func askedLevel(m *message, remembered levels) mcp.LoggingLevel {
	if m.modern() {
		return m.meta.LogLevel()
	}
	return remembered.Level()
}
