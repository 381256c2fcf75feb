package app

import (
	"os/user"
	"slices"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/tools"
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
