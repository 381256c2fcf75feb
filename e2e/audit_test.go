package e2e

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// manyTenants writes the tenants of a simulation into the directory, all with
// one credential.
func (w *world) manyTenants() {
	w.tb.Helper()
	path := filepath.Join(w.dir, "tenants.csv")
	file, err := os.Create(path)
	if err != nil {
		w.tb.Fatal(err)
	}
	out := csv.NewWriter(file)
	records := [][]string{{"name", "tenant_id", "credential", "client_id", "cloud", "arm_endpoint", "arm_audience", "authority", "ca_file", "skip_instance_discovery"}}
	for _, t := range w.sim.Tenants() {
		records = append(records, []string{t.Name, t.TenantID, "app", w.sim.ClientID(), "custom", w.url, w.sim.Audience(), w.url + "/", w.caFile, "true"})
	}
	if err := out.WriteAll(records); err != nil {
		w.tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		w.tb.Fatal(err)
	}
	w.cli("vault", "init").must(w.tb)
	i := w.cli("tenants", "import", path, "--yes", "--secret-stdin")
	i.stdin = w.sim.ClientSecret()
	i.must(w.tb)
}

// linkReads counts the requests for links, by tenant.
func (w *world) linkReads() map[string]int {
	reads := map[string]int{}
	for _, r := range w.sim.Journal() {
		if r.Op == simulator.OpPartners {
			reads[r.TenantID]++
		}
	}
	return reads
}

// auditRows are the results that are stored of the newest audit.
func (w *world) auditRows() []answers.AuditRow {
	w.tb.Helper()
	var rows []answers.AuditRow
	for line := range strings.Lines(w.cli("audit", "show", "latest", "--format", "jsonl").must(w.tb).stdout) {
		var row answers.AuditRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			w.tb.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// A process that is killed during an audit loses at most what it had not stored
// yet, and resume requests only that.
func TestAuditSurvivesAKill(t *testing.T) {
	t.Parallel()
	const size = 120
	w := newWorld(t, simulator.Config{Tenants: size, Latency: 50 * time.Millisecond})
	w.manyTenants()
	running := w.cli("audit", "--concurrency", "3", "--label", "killed").start(t)
	testkit.WaitFor(t, "the audit reads links", func() bool { return len(w.linkReads()) >= size/2 }, running.errs)
	running.kill()
	stored, before := w.auditRows(), w.linkReads()
	if len(stored) == 0 || len(stored) >= size {
		t.Fatalf("%d rows were stored", len(stored))
	}
	listed := w.cli("audit", "list", "--json").must(t).stdout
	if half := w.cli("audit", "changes", "killed", "killed").must(t).both(); !strings.Contains(half, "without an answer") {
		t.Errorf("half an audit is compared without a word: %s", half)
	}
	if half := w.cli("audit", "show", "killed", "--format", "csv").must(t); !strings.Contains(half.both(), "without an answer yet") || strings.Contains(half.stdout, "without an answer yet") {
		t.Errorf("half an audit is reported without a word: %s", half.both())
	}
	out := w.cli("audit", "resume", "killed", "--all").must(t)
	if !strings.Contains(out.stdout, "finished, 120 of 120 answered") {
		t.Errorf("%s\nwas listed as %s", out.both(), listed)
	}
	after := w.linkReads()
	for _, row := range stored {
		if after[row.TenantID] != before[row.TenantID] {
			t.Errorf("%s had an answer and was asked again", row.Tenant)
		}
	}
	rows := w.auditRows()
	for _, row := range rows {
		truth := w.tenant(row.TenantID)
		if got := row.PartnerID; row.State == answers.RowUnknown || got != truth.PartnerID || after[row.TenantID] > 2 {
			t.Errorf("%s: %s %q, the truth is %q; asked %d times", row.Tenant, row.State, got, truth.PartnerID, after[row.TenantID])
		}
	}
	if len(rows) != size {
		t.Errorf("%d rows", len(rows))
	}
	w.verify()
}

// An audit interrupted at the terminal says how to resume it and loses nothing.
func TestAuditIsInterrupted(t *testing.T) {
	t.Parallel()
	const size = 60
	w := newWorld(t, simulator.Config{Tenants: size, Latency: 50 * time.Millisecond})
	w.manyTenants()
	running := w.cli("audit", "--concurrency", "2").start(t)
	testkit.WaitFor(t, "the audit reads links", func() bool { return len(w.linkReads()) >= size/3 }, running.errs)
	if err := running.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-running.ended
	if code := running.command.ProcessState.ExitCode(); code != 1 || !strings.Contains(running.errs.String(), "audit resume run_") {
		t.Errorf("it ended with %d and said %s", code, running.errs)
	}
	if out := w.cli("audit", "resume", "latest").must(t); !strings.Contains(out.stdout, "finished, 60 of 60 answered") {
		t.Error(out.both())
	}
	for tenant, n := range w.linkReads() {
		if n > 2 {
			t.Errorf("%s was asked %d times", tenant, n)
		}
	}
}
