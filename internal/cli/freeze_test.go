package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/exit"
)

// A freeze of reads does not end because the ledger cannot be opened.
func TestReadFreezeSurvivesLedgerLoss(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"damaged": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("no ledger ", 1000)), 0o600) },
		"removed": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := stateWithVault(t)
			inhabit(t, dir, startWorld(t))
			check := []string{"call", "check_partner_link", "--tenant", "contoso", "--json", "--state-dir", dir}
			if code, out, stderr := runHere(t, check...); code != exit.CodeDone {
				t.Fatalf("before: exit code %d: %s%s", code, out, stderr)
			}
			if code, out, stderr := runHere(t, "freeze", "--reads", "--reason", "a leak", "--state-dir", dir); code != exit.CodeDone {
				t.Fatalf("exit code %d: %s%s", code, out, stderr)
			}
			if err := spoil(filepath.Join(dir, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			if code, out, _ := runHere(t, check...); code != exit.CodeRefused || !strings.Contains(out, "Frozen by the operator") || !strings.Contains(out, "a leak") {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
}
