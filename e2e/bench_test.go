package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
)

// BenchmarkStartToToolsList measures from the start of the process to its first
// answer to tools/list, beside the least server that mcp-go makes possible, in
// turn and in the same run: only the ratio means something. ns/op is both.
func BenchmarkStartToToolsList(b *testing.B) {
	bare := filepath.Join(b.TempDir(), "baremcp")
	if err := build(bare, "mcp-partner/e2e/baremcp"); err != nil {
		b.Fatal(err)
	}
	state := filepath.Join(b.TempDir(), "state")
	ours := sample{start: invocation{args: []string{"serve", "--state-dir", state, "--log-level", "error"}}}
	theirs := sample{start: invocation{path: bare}}
	for b.Loop() {
		ours.take(b)
		theirs.take(b)
	}
	n := float64(b.N)
	b.ReportMetric(ours.took.Seconds()*1000/n, "partner-ms")
	b.ReportMetric(theirs.took.Seconds()*1000/n, "bare-ms")
	b.ReportMetric(ours.took.Seconds()/theirs.took.Seconds(), "ratio")
	if ours.resident > 0 {
		b.ReportMetric(ours.resident/n/1024, "partner-MB")
		b.ReportMetric(theirs.resident/n/1024, "bare-MB")
	}
}

// sample sums up what starts of one program took.
type sample struct {
	start invocation
	took  time.Duration
	// resident is in kB, 0 where the system does not tell.
	resident float64
}

func (s *sample) take(b *testing.B) {
	b.Helper()
	began := time.Now()
	running := s.start.start(b)
	running.greet(wiretest.Legacy)
	if reply := running.ask(wiretest.Legacy.Request(1, "tools/list", nil, nil)); reply.Path("tools") == nil {
		b.Fatalf("tools/list: %s", reply.Raw)
	}
	s.took += time.Since(began)
	b.StopTimer()
	s.resident += resident(running.command.Process.Pid)
	running.rest()
	b.StartTimer()
}

// resident is the memory of an idle process in kB, from Linux's /proc.
func resident(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kB, _ := strconv.ParseFloat(fields[0], 64)
	return kB
}
