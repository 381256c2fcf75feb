package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxExposure is the exposure that systemd may report for the service, times
// ten: 0 is closed, 100 open.
const maxExposure = "15"

// TestServiceUnit has systemd verify the unit and score its hardening.
func TestServiceUnit(t *testing.T) {
	t.Parallel()
	analyze := os.Getenv("PACKAGES_SYSTEMD")
	if analyze == "" {
		t.Skip("PACKAGES_SYSTEMD is not set: bash .ci/run packages installs systemd-analyze and sets it")
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "mcp-partner.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "mcp-partner.service")
	installed := strings.Replace(string(text), "ExecStart=/usr/local/bin/mcp-partner", "ExecStart=/bin/true", 1)
	if err := os.WriteFile(unit, []byte(installed), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", unit}, {"security", "--offline=true", "--threshold=" + maxExposure, unit}} {
		if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
	for _, line := range []string{"LoadCredential=", "ProtectSystem=strict", "TimeoutStopSec=45s"} {
		if !strings.Contains(string(text), "\n"+line) {
			t.Errorf("the unit has no %s", line)
		}
	}
}
