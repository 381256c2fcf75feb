package app

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
)

// InvocationTokens authenticates bearers of tokens made by `token issue`.
type InvocationTokens struct{ Decider *guard.Guard }

var _ server.Authenticator = InvocationTokens{}

// Takes implements server.Authenticator.
func (InvocationTokens) Takes(token string) bool { return guard.IsToken(token) }

// Authenticate implements server.Authenticator.
func (i InvocationTokens) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	p, err := i.Decider.AuthenticateToken(ctx, token)
	if problem := problems.As(err); problem != nil && problem.Code != problems.CodeTokenRefused {
		err = unverified{problem}
	}
	return p, err
}

// unverified says that a token could not be looked up. It may be a good one, so that a
// client must not discard it.
type unverified struct{ error }

// Description is for clients that have proved nothing.
func (unverified) Description() string { return "the ledger cannot be read" }

// RetryAfter makes it no refusal of the token.
func (unverified) RetryAfter() time.Duration { return time.Second }

// issuersFile names the issuers that were seen to declare their access tokens.
const issuersFile = "issuers.json"

// DeclaringIssuers are those that were seen before this start. A file that cannot
// be read counts as empty: what it holds is learned again.
func (a *App) DeclaringIssuers() []string {
	if a.Simulated != nil {
		return nil
	}
	text, _, err := a.Files.Read(issuersFile)
	var issuers []string
	if err != nil || json.Unmarshal(text, &issuers) != nil {
		return nil
	}
	return issuers
}

// KeepDeclaringIssuer remembers one for the next start.
func (a *App) KeepDeclaringIssuer(issuer string) {
	if a.Simulated != nil {
		return
	}
	if err := a.addDeclaringIssuer(issuer); err != nil {
		a.settings.Log.Warn("an issuer that declares its access tokens could not be remembered", "reason", err.Error())
	}
}

func (a *App) addDeclaringIssuer(issuer string) error {
	unlock, err := a.Files.Lock(context.Background(), "issuers.lock")
	if err != nil {
		return err
	}
	defer unlock()
	known := a.DeclaringIssuers()
	if slices.Contains(known, issuer) {
		return nil
	}
	text, err := json.Marshal(append(known, issuer))
	if err != nil {
		return err
	}
	return a.Files.Write(issuersFile, text)
}
