package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/server"
)

// prefixed knows one token that begins with its prefix.
type prefixed struct{ prefix, token string }

// Takes implements server.Authenticator.
func (p prefixed) Takes(token string) bool { return strings.HasPrefix(token, p.prefix) }

// Authenticate implements server.Authenticator.
func (p prefixed) Authenticate(_ context.Context, token string) (guard.Principal, error) {
	if token != p.token {
		return guard.Principal{}, errors.New("no")
	}
	return guard.Principal{Caller: guard.Caller(p.prefix)}, nil
}

func TestTheFirstAuthenticatorThatTakesATokenDecides(t *testing.T) {
	t.Parallel()
	chain := server.Authenticators{prefixed{"a_", "a_1"}, prefixed{"a", "a_2"}, prefixed{"b_", "b_1"}}
	for token, want := range map[string]guard.Caller{
		"a_1": "a_", "b_1": "b_",
		"a_2": "", // the second knows it, and the first has refused it
		"b_2": "", "c_1": "", "": "",
	} {
		got, err := chain.Authenticate(t.Context(), token)
		if got.Caller != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", token, got.Caller, err)
		}
	}
	if chain.Takes("c_1") || !chain.Takes("b_9") {
		t.Error("the chain takes what none of it takes, or the other way round")
	}
	if _, err := (server.Authenticators)(nil).Authenticate(t.Context(), "a_1"); err == nil {
		t.Error("nobody let somebody in")
	}
}
