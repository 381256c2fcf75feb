package cli

import (
	"context"

	"mcp-partner/guard"
	"mcp-partner/server"
)

// invocationTokens lets in whoever has a token of `token issue`.
type invocationTokens struct{ decider *guard.Guard }

var _ server.Authenticator = invocationTokens{}

// Takes implements server.Authenticator.
func (invocationTokens) Takes(token string) bool { return guard.IsToken(token) }

// Authenticate implements server.Authenticator.
func (i invocationTokens) Authenticate(ctx context.Context, token string) (guard.Principal, error) {
	return i.decider.AuthenticateToken(ctx, token)
}
