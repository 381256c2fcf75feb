package app

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
)

func TestDeclaringIssuersAreRemembered(t *testing.T) {
	t.Parallel()
	s := NewSettings(noEnv, nil)
	s.StateDir, s.Log = filepath.Join(t.TempDir(), "state"), slog.New(slog.NewTextHandler(t.Output(), nil))
	a := &App{settings: s}
	if got := a.DeclaringIssuers(); got != nil {
		t.Errorf("at first: %v", got)
	}
	for _, issuer := range []string{"https://a.example", "https://b.example", "https://a.example"} {
		a.KeepDeclaringIssuer(issuer)
	}
	if got := (&App{settings: s}).DeclaringIssuers(); !slices.Equal(got, []string{"https://a.example", "https://b.example"}) {
		t.Errorf("after a restart: %v", got)
	}
}
