package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"mcp-partner/internal/testkit"
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

// Commands hold secrets as well, some for long.
func TestCommandsLeaveNoDumps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneTenant())
	command := w.cli("tenants", "add", "late", "--tenant-id", "11111111-2222-3333-4444-555555555555", "--client-id", "11111111-2222-3333-4444-666666666666", "--secret-stdin").command(t.Context())
	input, err := command.StdinPipe() // it waits for the secret
	check(t, err)
	check(t, command.Start())
	defer func() {
		_ = input.Close()
		_ = command.Wait()
	}()
	testkit.WaitFor(t, "the command leaves no dump", func() bool {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", command.Process.Pid))
		check(t, err)
		_, core, _ := strings.Cut(string(limits), "Max core file size")
		fields := strings.Fields(core)
		return len(fields) > 1 && fields[0] == "0" && fields[1] == "0"
	})
}
