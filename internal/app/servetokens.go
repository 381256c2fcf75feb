package app

import (
	"context"

	"mcp-partner/guard"
	"mcp-partner/server"
)

// InvocationTokens authenticates bearers of tokens made by `token issue`.
type InvocationTokens struct{ Decider *guard.Guard }

var _ server.Authenticator = InvocationTokens{}

// Takes implements server.Authenticator.
func (InvocationTokens) Takes(token string) bool { return guard.IsToken(token) }

// Authenticate implements server.Authenticator.
func (i InvocationTokens) Authenticate(ctx context.Context, token string) (guard.Principal, error) {
	return i.Decider.AuthenticateToken(ctx, token)
}
