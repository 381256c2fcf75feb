//go:build !windows

package cli

import (
	"strings"
	"testing"

	"mcp-partner/internal/exit"
)

// A run that writes is confirmed once, in words that name tenant and partner,
// and --yes is no confirmation.
func TestContractVerifyIsConfirmedAtTheTerminal(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]struct {
		code  int
		shown string
	}{
		"northwind 7654321\n": {exit.CodeDone, "a whole life of a link"},
		"7654321\n":           {exit.CodeRefused, "was not confirmed"},
		"yes\n":               {exit.CodeRefused, "was not confirmed"},
		"\x04":                {exit.CodeRefused, "was not confirmed"},
	} {
		t.Run(typed, func(t *testing.T) {
			t.Parallel()
			s := programAtTerminal(t, "contract-verify", nil, "--simulate", "--tenant", "northwind", "--with-partner-id", "7654321", "--yes", "--allow-writes", "--approval", "requester")
			s.expect("Make a link to partner ID 7654321 for identity")
			s.expect("Type the tenant's name and the partner ID")
			s.typeLine(typed)
			if code, shown := s.end(); code != want.code || !strings.Contains(shown, want.shown) {
				t.Errorf("exit code %d:\n%s", code, shown)
			}
		})
	}
}
