package keychain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"mcp-partner/schemas/problems"
)

// variable asks for a test against the keychain of this session. The CI lane
// keychain sets it, inside of a session with a keyring of its own.
const variable = "KEYCHAIN_UNDER_TEST"

func TestRealKeychain(t *testing.T) {
	t.Parallel()
	if os.Getenv(variable) == "" {
		t.Skip("not asked for: bash .ci/run keychain starts a keyring and sets " + variable)
	}
	k := Keychain{ID: fmt.Sprintf("test-%d", os.Getpid())}
	t.Cleanup(func() {
		if err := keyring.Delete(service, k.ID); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			t.Error(err)
		}
	})
	if text, err := k.Read(t.Context()); err != nil || text != nil {
		t.Fatalf("before anything was written: %d bytes, %v", len(text), err)
	}
	for _, text := range []string{"first\nof two lines\n", strings.Repeat("x", MaxBytes)} {
		if err := k.Write(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Read(t.Context()); err != nil || string(got) != text {
			t.Fatalf("read back %d bytes of %d, %v", len(got), len(text), err)
		}
	}
	if err := keyring.Delete(service, k.ID); err != nil {
		t.Fatal(err)
	}
	if text, err := k.Read(t.Context()); err != nil || text != nil {
		t.Errorf("after the removal: %d bytes, %v", len(text), err)
	}
}

// TestFailuresHaveMessages has the system say things that may not come out.
func TestFailuresHaveMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code problems.Code
		word string
	}{
		{err: errors.New("dbus: CANARY"), code: problems.CodeVaultUnavailable, word: "locked"},
		{err: context.DeadlineExceeded, code: problems.CodeVaultUnavailable, word: "in time"},
		{err: keyring.ErrUnsupportedPlatform, code: problems.CodeVaultUnavailable, word: "no supported keychain"},
		{err: keyring.ErrSetDataTooBig, code: problems.CodeVaultUnavailable, word: "too large"},
	} {
		problem := problems.As(problem(t.Context(), c.err, "read"))
		if problem.Code != c.code || !strings.Contains(problem.Message, c.word) || strings.Contains(problem.Error()+problem.Hint, "CANARY") {
			t.Errorf("%v becomes %v", c.err, problem)
		}
	}
	if err := (Keychain{ID: "x"}).Write(t.Context(), make([]byte, MaxBytes+1)); problems.As(err).Code != problems.CodeVaultUnavailable {
		t.Errorf("a text that no keychain takes: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := problem(ctx, ctx.Err(), "read"); problems.As(err).Code != problems.CodeCancelled {
		t.Errorf("a caller that went away: %v", err)
	}
}
