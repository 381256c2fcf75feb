package server_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/internal/wiretest"
	"mcp-partner/server"
)

// prefixed knows one token that begins with its prefix.
type prefixed struct{ prefix, token string }

// Takes implements server.Authenticator.
func (p prefixed) Takes(token string) bool { return strings.HasPrefix(token, p.prefix) }

// Authenticate implements server.Authenticator.
func (p prefixed) Authenticate(_ context.Context, token string) (access.Principal, error) {
	if token != p.token {
		return access.Principal{}, errors.New("no")
	}
	return access.Principal{Caller: access.Caller(p.prefix)}, nil
}

func TestFirstMatchingAuthenticatorDecides(t *testing.T) {
	t.Parallel()
	chain := server.Authenticators{prefixed{"a_", "a_1"}, prefixed{"a", "a_2"}, prefixed{"b_", "b_1"}}
	for token, want := range map[string]access.Caller{
		"a_1": "a_", "b_1": "b_",
		"a_2": "", // the second knows it, and the first has refused it
		"b_2": "", "c_1": "", "": "",
	} {
		got, err := chain.Authenticate(t.Context(), token)
		if got.Caller != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", token, got.Caller, err)
		}
	}
	if _, err := (server.Authenticators)(nil).Authenticate(t.Context(), "a_1"); err == nil {
		t.Error("nobody let somebody in")
	}
}

// What is in the list depends on who asks and on nothing else, in both eras and
// over both transports; the tool itself stays callable, so that the call path
// refuses and records.
func TestToolsListShowsWhatTheCallerMayUse(t *testing.T) {
	t.Parallel()
	only := func(p access.Principal, tool string) error {
		if p.Caller == "tester-two" && tool != "echo" && tool != "whoami" {
			return errors.New("no")
		}
		return nil
	}
	o := server.Options{Name: "fixture", Version: "1", Registrar: newFixtures(), Authorize: only}
	for _, era := range wiretest.Eras() {
		list := func(name string) []string {
			stdio := serveStdio(t, server.New(o), tester(name))
			if era == wiretest.Legacy {
				stdio.Handshake(nil)
			}
			http := serveHTTP(t, server.New(o), httpOptions(), goodToken+name)
			over := toolNames(t, stdio.Ask(era.Request(1, "tools/list", nil, nil)))
			if got := toolNames(t, http.Post(era.Request(1, "tools/list", nil, nil)).Last(t)); !slices.Equal(got, over) {
				t.Errorf("%s: over stdio %v, over HTTP %v", era, over, got)
			}
			if got := http.Post(era.Call(2, "notify", wiretest.Object{"text": "x"})).Last(t); got.Code() == -32602 {
				t.Errorf("%s: the tool is gone for mcp-go: %s", era, got.Raw)
			}
			return over
		}
		if got := list("-two"); !slices.Equal(got, []string{"echo", "whoami"}) {
			t.Errorf("%s: %v", era, got)
		}
		if got := list("-one"); len(got) < 10 {
			t.Errorf("%s: %v", era, got)
		}
	}
}

func toolNames(t *testing.T, r wiretest.Reply) []string {
	t.Helper()
	list, _ := r.Path("tools").([]any)
	var names []string
	for _, tool := range list {
		names = append(names, tool.(map[string]any)["name"].(string))
	}
	if scope := r.Path("cacheScope"); scope != nil && scope != "private" {
		t.Errorf("the list may be shared: %v", scope)
	}
	return names
}
