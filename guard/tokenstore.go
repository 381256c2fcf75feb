package guard

import (
	"context"
	"fmt"

	"mcp-partner/schemas"
)

// TokenStore is what the guard needs to remember of invocation tokens. What
// holds for Store holds here.
type TokenStore interface {
	// PutToken adds a token with its event. It refuses with TooManyTokens when
	// limit tokens are open.
	PutToken(ctx context.Context, token Token, limit int, event Event) error
	// Token returns a token; ok is false if there is none.
	Token(ctx context.Context, id string) (token Token, ok bool, err error)
	// Tokens returns the tokens, newest first. Ones that ended long ago may be
	// gone.
	Tokens(ctx context.Context) ([]Token, error)
	// UseToken counts one use of a live token, with its event. used is false,
	// and nothing changes, if the token is not there or not live any more.
	UseToken(ctx context.Context, id string, event Event) (used bool, err error)
	// RevokeTokens voids the revocable tokens that are selected, each with the
	// event, whose Detail it words by RevokedDetail, and returns how many.
	RevokeTokens(ctx context.Context, which TokenSelection, event Event) (revoked int, err error)
}

// RevokedDetail words that a token was revoked.
func RevokedDetail(t Token) string { return "revoked " + t.ID + " for " + t.Name() }

// TooManyTokens is the refusal of a store in which n tokens are open.
func TooManyTokens(n int) error {
	return schemas.NewProblem(schemas.CodeInvalidArgument, fmt.Sprintf("There are already %d valid invocation tokens.", n),
		schemas.WithCommand("Revoke those that are not needed.", "mcp-partner token list"))
}
