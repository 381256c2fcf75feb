package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/user"
	"slices"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// OpenSession opens the state directory and its guard for the operator.
func (s *Settings) OpenSession(rules guard.Options) (*Session, error) {
	a, err := s.Open(nil)
	if err != nil {
		return nil, err
	}
	return s.NewSession(a, rules)
}

// TerminalCaller is who calls from this command line, for the record.
const TerminalCaller = "terminal"

// NotifyCaller is who audits with --notify. Its audits are compared with each other,
// so that one without --notify in between keeps no change from being alerted.
const NotifyCaller = TerminalCaller + ":notify"

// NeedsSecret reports whether a tool signs in, perhaps with a stored secret.
func (a *App) NeedsSecret(op schemas.Operation) bool {
	configs, err := a.Directory.Credentials()
	stored := func(config tenants.CredentialConfig) bool { return config.Kind.Stored() }
	return err == nil && op.InputSchema().Properties["tenant"] != nil && slices.ContainsFunc(configs, stored)
}

// Session is a house with what answers calls in it.
type Session struct {
	*App
	Guard   *guard.Guard
	Service *tools.Service
}

// NewSession puts guard and service into a house, which it closes if it cannot.
func (s *Settings) NewSession(a *App, rules guard.Options) (*Session, error) {
	decider, err := a.Guard(rules)
	if err != nil {
		a.Close()
		return nil, err
	}
	return &Session{a, decider, a.Service(decider)}, nil
}

// Trusted is somebody who runs the program, and may do what it may.
func Trusted(caller access.Caller) access.Principal {
	return access.Principal{Caller: caller, Grant: access.FullGrant()}
}

// Account names the operating-system account of this process, for the record:
// its name and its ID, because a name may be given to somebody else later.
func Account() string {
	now, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return now.Username + " (" + now.Uid + ")"
}

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
