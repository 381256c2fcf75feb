//go:build unix

package server_test

import (
	"syscall"
	"testing"
)

// idleConnections is how many connections a test may open, up to 10 000: both
// ends are in this process. It raises the limit as far as that is allowed.
func idleConnections(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Logf("the limit of files stays: %v", err)
	}
	// What the bound leaves open needs a file on the server's side, the client's
	// all need one.
	const ours, spare = 4096, 500
	return max(1, min(10_000, int(min(limit.Cur, 1<<20))-ours-spare))
}
