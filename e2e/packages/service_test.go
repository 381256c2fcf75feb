package packages

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	installed := strings.Replace(string(text), "ExecStart=mcp-partner", "ExecStart=/bin/true", 1)
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

// calls are the system calls that strace sees of a server that opens a vault and a
// ledger, as an ordinary user.
const calls = `accept4 access bind brk clock_gettime clone3 close connect epoll_create1 epoll_ctl epoll_pwait eventfd2
	execve exit_group fchmod fcntl flock fstat fsync ftruncate futex getdents64 geteuid getpid getrandom getsockname
	gettid getuid ioctl listen lseek lstat madvise mmap mprotect munmap nanosleep newfstatat open openat prctl pread64
	prlimit64 pwrite64 read readlinkat renameat rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield
	setsockopt sigaltstack socket stat statfs tgkill uname unlink write`

// TestServiceUnitAllowsWhatTheServerCalls goes through the unit's filters in order,
// as systemd does.
func TestServiceUnitAllowsWhatTheServerCalls(t *testing.T) {
	t.Parallel()
	analyze := os.Getenv("PACKAGES_SYSTEMD")
	if analyze == "" {
		t.Skip("PACKAGES_SYSTEMD is not set: bash .ci/run packages installs systemd-analyze and sets it")
	}
	sets, err := exec.Command(analyze, "syscall-filter").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "mcp-partner.service"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	set := func(name string, allow bool) {
		for _, call := range expand(sets, name) {
			allowed[call] = allow
		}
	}
	set("@default", true)
	for line := range strings.Lines(string(text)) {
		filter, found := strings.CutPrefix(line, "SystemCallFilter=")
		names, denied := strings.CutPrefix(filter, "~")
		for _, name := range strings.Fields(names) {
			if found {
				set(name, !denied)
			}
		}
	}
	for _, call := range strings.Fields(calls) {
		if !allowed[call] {
			t.Errorf("the unit does not allow %s", call)
		}
	}
	if allowed["reboot"] || allowed["setpriority"] {
		t.Error("the unit allows more than the server needs")
	}
}

// expand returns the calls in a set, and in the sets that it names; another name is
// that of a call.
func expand(sets []byte, name string) []string {
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	var calls []string
	_, rest, _ := bytes.Cut(append([]byte("\n"), sets...), []byte("\n"+name+"\n"))
	for line := range strings.Lines(string(rest)) {
		if member := strings.TrimSpace(line); strings.HasPrefix(line, "    ") && !strings.HasPrefix(member, "#") {
			calls = slices.Concat(calls, expand(sets, member))
		} else if !strings.HasPrefix(line, "    ") {
			break
		}
	}
	return calls
}
