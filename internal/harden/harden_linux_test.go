package harden

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mcp-partner/internal/testkit"
)

// TestMain makes the test binary a process that hardens itself and tells what
// became of it: the tests themselves stay as they are.
func TestMain(m *testing.M) {
	if os.Getenv("HARDEN_CHILD") == "" {
		os.Exit(m.Run())
	}
	err := NoDumps()
	var limit unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Printf("err=%v cur=%d max=%d dumpable=%d\n", err, limit.Cur, limit.Max, dumpable)
	os.Exit(0)
}

func TestNoDumps(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Processes)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "HARDEN_CHILD=1")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), "err=<nil> cur=0 max=0 dumpable=0"; got != want {
		t.Errorf("a hardened process says %q, want %q", got, want)
	}
}
