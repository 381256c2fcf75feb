package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
)

const (
	benchLatency  = 50 * time.Millisecond
	benchParallel = 64
)

// BenchmarkAudit measures an audit of a whole fleet: the program in its own
// process, against `mcp-partner simulate` in another one, 50 ms a request, 64
// tenants at a time. The ratio is to the ideal, which is requests x latency / 64:
// two requests a tenant cold, one warm. The figure "alone" is one tenant after
// the other, extrapolated from 20; its ratio to the latency is what this machine,
// busy as it is, adds to a single request. The state is in files and
// SQLite first, then in PostgreSQL. 10 000 tenants run where BENCH_FULL is set.
func BenchmarkAudit(b *testing.B) {
	for _, onServer := range []bool{false, true} {
		for _, size := range []int{100, 1000, 10_000} {
			b.Run(map[bool]string{false: "sqlite", true: "postgres"}[onServer]+"/"+strconv.Itoa(size), func(b *testing.B) {
				if size > 1000 && os.Getenv("BENCH_FULL") == "" {
					b.Skip("takes 40 seconds a round; set BENCH_FULL")
				}
				f := newBenchFleet(b, size, onServer)
				var sum measured
				for b.Loop() {
					sum.add(f.measure(b))
				}
				sum.report(b, size)
			})
		}
	}
}

// benchFleet is a simulate process and a state directory that leads to it.
type benchFleet struct {
	state     string
	simulator *exec.Cmd
}

func newBenchFleet(b *testing.B, size int, onServer bool) *benchFleet {
	b.Helper()
	return newBenchFleetOf(b, onServer, func(dir string) *exec.Cmd {
		simulate := exec.Command(binary, "simulate", "--listen", "127.0.0.1:0", "--tenants", strconv.Itoa(size), "--latency", benchLatency.String(),
			"--until-stdin-closes", "--tenants-out", filepath.Join(dir, "tenants.csv"), "--ca-out", filepath.Join(dir, "ca.pem"))
		simulate.Env = []string{}
		return simulate
	})
}

// newBenchFleetOf starts a simulator that writes ca.pem and tenants.csv into a
// directory.
func newBenchFleetOf(b *testing.B, onServer bool, command func(dir string) *exec.Cmd) *benchFleet {
	b.Helper()
	dir := b.TempDir()
	w := &world{tb: b, dir: dir, state: filepath.Join(dir, "state")}
	if onServer {
		w.keepOnServer()
	}
	f := &benchFleet{state: w.state, simulator: command(dir)}
	in, err := f.simulator.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := f.simulator.StdoutPipe()
	if err == nil {
		err = f.simulator.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = f.simulator.Wait() // nothing of it is needed any more
	})
	var announced struct {
		ClientSecret string `json:"client_secret"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &announced) != nil {
		b.Fatalf("simulate did not say where it is: %s, %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // it says nothing more
	invocation{args: []string{"vault", "init", "--state-dir", f.state}}.must(b)
	invocation{args: []string{"tenants", "import", filepath.Join(dir, "tenants.csv"), "--yes", "--secret-stdin", "--state-dir", f.state}, stdin: announced.ClientSecret}.must(b)
	return f
}

// measured are the figures of one round, or sums of them.
type measured struct {
	rounds                    int
	cold, warm, alone         time.Duration
	peakMB                    float64
	auditCPU, simCPU, overall time.Duration
}

func (m *measured) add(one measured) {
	m.rounds++
	m.cold += one.cold
	m.warm += one.warm
	m.alone = one.alone
	m.peakMB = max(m.peakMB, one.peakMB)
	m.auditCPU += one.auditCPU
	m.simCPU += one.simCPU
	m.overall += one.overall
}

func (m *measured) report(b *testing.B, size int) {
	ideal := time.Duration(size) * benchLatency / benchParallel
	n := time.Duration(m.rounds)
	b.ReportMetric(float64(m.cold)/float64(2*ideal*n), "cold-ratio")
	b.ReportMetric(float64(m.warm)/float64(ideal*n), "warm-ratio")
	b.ReportMetric((m.cold / n).Seconds(), "cold-s")
	b.ReportMetric((m.warm / n).Seconds(), "warm-s")
	b.ReportMetric(m.alone.Seconds()*float64(size)/20, "alone-s")
	b.ReportMetric(float64(m.alone)/float64(20*benchLatency), "alone-ratio")
	b.ReportMetric(m.peakMB, "peak-MB")
	cpus := float64(runtime.NumCPU()) * m.overall.Seconds()
	b.ReportMetric(100*m.auditCPU.Seconds()/cpus, "audit-cpu-%")
	b.ReportMetric(100*m.simCPU.Seconds()/cpus, "simulator-cpu-%")
	b.ReportMetric(0, "ns/op")
}

// measure runs a server, audits twice through it, cold and warm, and asks twenty
// tenants one after the other. What a run takes is what it says itself, so that
// neither the start of the program nor the paging counts.
func (f *benchFleet) measure(b *testing.B) measured {
	b.Helper()
	s := invocation{args: []string{"serve", "--state-dir", f.state, "--log-level", "error"}}.start(b)
	defer s.kill()
	s.greet(wiretest.Modern)
	var m measured
	simBefore := cpuOf(f.simulator.Process.Pid)
	began := time.Now()
	m.cold = s.timedAudit(b, wiretest.Object{})
	m.warm = s.timedAudit(b, wiretest.Object{})
	m.overall = time.Since(began)
	m.auditCPU, m.simCPU = cpuOf(s.command.Process.Pid), cpuOf(f.simulator.Process.Pid)-simBefore
	m.peakMB = statusKB(s.command.Process.Pid, "VmHWM:") / 1024
	began = time.Now()
	for i := range 20 {
		s.ask(wiretest.Modern.Request(1000+i, "tools/call", wiretest.Object{"name": "check_partner_link", "arguments": wiretest.Object{"tenant": fmt.Sprintf("tenant-%04d", 50+i)}}, nil))
	}
	m.alone = time.Since(began)
	return m
}

// timedAudit audits everything and returns how long it took from the call to the
// end of the run; a run that outlasts the call is waited for.
func (s *server) timedAudit(b *testing.B, arguments wiretest.Object) time.Duration {
	b.Helper()
	began := time.Now()
	arguments["limit"] = 1
	for {
		reply := s.ask(wiretest.Modern.Request(1, "tools/call", wiretest.Object{"name": "audit_partner_links", "arguments": arguments}, nil))
		state, _ := reply.Path("structuredContent", "run", "state").(string)
		switch state {
		case "finished":
			if reply.Path("structuredContent", "totals", "unknown") != float64(0) {
				b.Fatalf("rows are unknown: %s", reply.Raw)
			}
			return time.Since(began)
		case "running":
			arguments = wiretest.Object{"run_id": reply.Path("structuredContent", "run_id"), "limit": 1}
		default:
			b.Fatalf("the audit ended as %s: %s", state, reply.Raw)
		}
	}
}

// statusKB reads a figure of a process from Linux's /proc, in kB; 0 elsewhere.
func statusKB(pid int, name string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kB, _ := strconv.ParseFloat(fields[0], 64)
	return kB
}

// cpuOf is the time that a process has had on any processor, in the hundredths
// of a second of Linux's /proc; 0 elsewhere.
func cpuOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
