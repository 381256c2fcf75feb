package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"mcp-partner/internal/wiretest"
)

// A server leaves no core dump, and its files in /proc belong to root, which is
// how Linux shows that nobody else may attach to it. (Run by root, the latter is
// so in any case; internal/harden asks the kernel itself.)
func TestServersLeaveNoDumps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	s := w.cli("serve").start(t)
	s.greet(wiretest.Modern)
	s.ask(wiretest.Modern.Call(1, "list_tenants", nil))
	pid := s.command.Process.Pid
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && (fields[4] != "0" || fields[5] != "0") {
			t.Errorf("core dumps: %s", line)
		}
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("/proc/%d/environ belongs to %d: the process can be dumped", pid, owner)
	}
	s.rest()
}
