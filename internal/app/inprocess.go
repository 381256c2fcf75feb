package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"mcp-partner/guard"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// Exchange puts one request to the real server, as a client on stdio would, and returns its result as the bytes that the server wrote.
func (s *Settings) Exchange(ctx context.Context, method string, params any) (json.RawMessage, error) {
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	answer, err := s.converse(ctx, line)
	if err != nil {
		return nil, err
	}
	var response struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(answer, &response); err != nil || response.Result == nil {
		return nil, errors.New("the server did not answer " + method + ": " + string(response.Error))
	}
	return response.Result, nil
}

// converse sends one line to a server of its own, with an empty directory in
// memory: what it is asked for here does not depend on the state directory.
func (s *Settings) converse(ctx context.Context, line []byte) ([]byte, error) {
	directory, err := tenants.NewMemoryDirectory(nil, nil)
	if err != nil {
		return nil, err
	}
	a := s.newApp(directory, vault.NewMemoryStore(), tenants.MemoryHealth(), nil)
	defer a.Close()
	decider, err := guard.New(guard.Options{Store: a.GuardStore()})
	if err != nil {
		return nil, err
	}
	service := a.Service(decider)
	var answer bytes.Buffer
	err = s.ServeStdio(ctx, service, bytes.NewReader(append(line, '\n')), &answer)
	return answer.Bytes(), err
}

// ModernParams is what a request of the newest revision says about its sender.
func ModernParams() map[string]any {
	return map[string]any{"_meta": map[string]any{
		"io.modelcontextprotocol/protocolVersion":    newestProtocol,
		"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "mcp-partner", "version": BuildInfo().Version},
		"io.modelcontextprotocol/clientCapabilities": map[string]any{},
	}}
}

// newestProtocol is the revision in which the command line asks its own server.
const newestProtocol = "2026-07-28"
