package server

import (
	"context"
	"errors"

	"mcp-partner/guard"
)

// Authenticator tells who a bearer token belongs to.
type Authenticator interface {
	// Takes reports by its form alone whether a token is of the kind that this
	// authenticator knows. It proves nothing.
	Takes(token string) bool
	// Authenticate returns who the token belongs to and what that caller was
	// given. It must take the same time for every wrong token of a form. An
	// error is a 401; its text is not passed on.
	Authenticate(ctx context.Context, token string) (guard.Principal, error)
}

// Authenticators are tried by the form of the token: the first that takes it
// decides alone, so that what one refuses cannot be let in by another.
type Authenticators []Authenticator

var errNoToken = errors.New("a token of no known form")

// Takes implements Authenticator.
func (a Authenticators) Takes(token string) bool {
	return a.of(token) != nil
}

// Authenticate implements Authenticator.
func (a Authenticators) Authenticate(ctx context.Context, token string) (guard.Principal, error) {
	if one := a.of(token); one != nil {
		return one.Authenticate(ctx, token)
	}
	return guard.Principal{}, errNoToken
}

func (a Authenticators) of(token string) Authenticator {
	for _, one := range a {
		if one.Takes(token) {
			return one
		}
	}
	return nil
}
