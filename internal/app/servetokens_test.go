package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

// tokenStore finds no token, or cannot look for one.
type tokenStore struct {
	guard.Store
	err error
}

func (s tokenStore) Token(context.Context, string) (guard.Token, bool, error) {
	return guard.Token{}, false, s.err
}

// A token that cannot be looked up is not refused: a client would discard a good one.
func TestTokenIsNotRefusedWithoutLedger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err   error
		later bool
	}{
		"a token that nobody issued":   {nil, false},
		"a database out of reach":      {problems.New(problems.CodeVaultUnavailable, "PostgreSQL at db.example cannot be reached."), true},
		"a defect of the store itself": {errors.New("of a kind that is not known"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decider, err := guard.New(guard.Options{Store: tokenStore{err: test.err}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = InvocationTokens{decider}.Authenticate(t.Context(), guard.TokenPrefix+strings.Repeat("A", 43))
			retry, later := errors.AsType[interface {
				error
				RetryAfter() time.Duration
			}](err)
			if err == nil || later != test.later || later && retry.RetryAfter() <= 0 {
				t.Errorf("refused with %v, later: %v", err, later)
			}
		})
	}
}

func TestDeclaringIssuersAreRemembered(t *testing.T) {
	t.Parallel()
	s := NewSettings(noEnv, nil)
	s.StateDir, s.Log = filepath.Join(t.TempDir(), "state"), slog.New(slog.NewTextHandler(t.Output(), nil))
	a := &App{settings: s, Files: s.Disk()}
	if got := a.DeclaringIssuers(); got != nil {
		t.Errorf("at first: %v", got)
	}
	for _, issuer := range []string{"https://a.example", "https://b.example", "https://a.example"} {
		a.KeepDeclaringIssuer(issuer)
	}
	if got := (&App{settings: s, Files: s.Disk()}).DeclaringIssuers(); !slices.Equal(got, []string{"https://a.example", "https://b.example"}) {
		t.Errorf("after a restart: %v", got)
	}
}
