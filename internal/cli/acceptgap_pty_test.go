//go:build !windows

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcp-partner/internal/exit"
)

// withGap restores an older ledger and goes on writing.
func (o *installation) withGap() (gap string) {
	o.t.Helper()
	path := filepath.Join(o.state, "ledger.db")
	o.must("freeze", "--reason", "before the backup")
	backup, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	o.must("freeze", "--reason", "lost with the restored backup")
	for _, old := range []string{path, path + "-wal", path + "-shm"} {
		_ = os.Remove(old) // not every file is there
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.must("freeze", "--reason", "after the backup was restored")
	code, out, stderr := o.run("ledger", "verify")
	found := regexp.MustCompile(`--accept-gap ([0-9]+-[0-9]+)`).FindStringSubmatch(out)
	if code != exit.CodeFailed || found == nil {
		o.t.Fatalf("a restored backup leaves no gap: exit code %d\n%s%s", code, out, stderr)
	}
	return found[1]
}

func TestGapIsAcceptedWithAnApproversPassphrase(t *testing.T) {
	t.Parallel()
	o := newInstallation(t)
	o.addAlice()
	gap := o.withGap()
	accept := []string{"ledger", "verify", "--accept-gap", gap, "--reason", "restored the backup of Monday"}
	if code, out, stderr := o.run(append(accept, "--approver", "alice")...); code != exit.CodeRefused || !strings.Contains(stderr, "must be typed on a terminal") {
		t.Errorf("without a terminal: exit code %d\n%s%s", code, out, stderr)
	}
	s := o.at(append(accept, "--approver", "alice")...)
	s.expect("Passphrase of approver alice")
	s.typeLine("not the passphrase\n")
	if code, shown := s.end(); code != exit.CodeRefused || !strings.Contains(shown, "not the passphrase") {
		t.Errorf("a wrong passphrase: exit code %d\n%s", code, shown)
	}
	if code, _, _ := o.run("ledger", "verify"); code != exit.CodeFailed {
		t.Errorf("the gap is accepted without a passphrase: exit code %d", code)
	}
	s = o.at(accept...)
	s.expect("Approver's name: ")
	s.typeLine("alice\n")
	s.expect("Passphrase of approver alice")
	s.typeLine(alicesPassphrase + "\n")
	code, shown := s.end()
	if code != exit.CodeDone || !strings.Contains(shown, "accepted by alice") || !strings.Contains(shown, "restored the backup of Monday") || strings.Contains(shown, "horse") {
		t.Errorf("exit code %d:\n%s", code, shown)
	}
	o.must("ledger", "verify")
}
