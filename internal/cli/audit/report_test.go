package audit

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/schemas/answers"
)

// What a report takes does not grow with its rows, in no format.
func TestReportsAreStreamed(t *testing.T) {
	const few, many = 1000, 31_000
	for _, format := range []auditreport.Format{formatTable, "csv", "jsonl", "markdown", "html"} {
		growth := int64(reportHeap(t, format, many)) - int64(reportHeap(t, format, few))
		if perRow := growth / (many - few); perRow > 16 {
			t.Errorf("%s holds %d bytes for each row", format, perRow)
		}
	}
}

// reportHeap writes a report to a file and returns how much was in use near its
// end.
func reportHeap(t *testing.T, format auditreport.Format, n int) (inUse uint64) {
	t.Helper()
	deps := &cmdutil.Deps{IO: &term.Streams{Out: io.Discard, Err: io.Discard, Env: func(string) (string, bool) { return "", false }}}
	rows := func(yield func(answers.AuditRow, error) bool) {
		for i := range n {
			if i == n-1 {
				var stats runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&stats)
				inUse = max(inUse, stats.HeapAlloc)
			}
			row := answers.AuditRow{Tenant: fmt.Sprintf("tenant-%05d", i), State: answers.RowNotLinked, Owner: "somebody"}
			if !yield(row, nil) {
				return
			}
		}
	}
	o := &reportOptions{format: format, output: cmdutil.OutputFlags{Path: filepath.Join(t.TempDir(), "report")}}
	o.table.All = true
	if err := deliverAudit(deps, auditreport.Report{Report: fleet.Report{Totals: map[string]int{"rows": n, "not_linked": n}}, Known: func(*answers.AuditRow) *fleet.Acknowledgement { return nil }}, auditreport.Rows(rows), o); err != nil {
		t.Fatal(err)
	}
	return inUse
}

// A pipeline must not pass on an audit that was cut off: what has no answer yet
// may be anything. A deleted link is a missing one.
func TestFailOnFailsForIncompleteAudit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on     cmdutil.List
		totals map[string]int
		fails  bool
	}{
		{on: cmdutil.List{"not_linked"}, totals: map[string]int{"rows": 2, "answered": 2, "linked": 2}},
		{on: cmdutil.List{"not_linked"}, totals: map[string]int{"rows": 2, "answered": 2, "unknown": 2}},
		{on: cmdutil.List{"not_linked"}, totals: map[string]int{"rows": 2, "answered": 1, "linked": 1, "pending": 1}, fails: true},
		{
			on: cmdutil.List{"other", "not_linked", "unknown"}, totals: map[string]int{"rows": 2, "answered": 2, "linked": 1, "deleted": 1},
			fails: true,
		},
		{on: cmdutil.List{"deleted"}, totals: map[string]int{"rows": 2, "answered": 2, "not_linked": 2}},
		{on: cmdutil.List{"other", "unknown"}, totals: map[string]int{"rows": 2, "answered": 2, "unknown": 1}, fails: true},
		{totals: map[string]int{"rows": 2, "answered": 1, "pending": 1}},
	} {
		if got := (&reportOptions{failOn: c.on}).fails(c.totals); got != c.fails {
			t.Errorf("--fail-on %v of %v: %v", c.on, c.totals, got)
		}
	}
}
