package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"mcp-partner/fleet"
	"mcp-partner/internal/auditreport"
	"mcp-partner/schemas"
)

// A report that fails half-way leaves no file that looks like a whole one, and
// one that is there stays as it was.
func TestAFileIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report")
	broken := errors.New("the rows end")
	half := func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	}
	for _, force := range []bool{false, true} {
		if err := streamOutput(path, force, half); !errors.Is(err, broken) {
			t.Errorf("force %v: %v", force, err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
			t.Errorf("force %v: %v is left, %v", force, left, err)
		}
	}
	if err := writeOutput(path, []byte("whole"), false); err != nil {
		t.Fatal(err)
	}
	if err := streamOutput(path, true, half); !errors.Is(err, broken) {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "whole" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// What a report takes does not grow with its rows, in no format.
func TestReportsAreNotHeldInMemory(t *testing.T) {
	const few, many = 1000, 31_000
	for _, format := range []string{formatTable, "csv", "jsonl", "markdown", "html"} {
		growth := int64(reportHeap(t, format, many)) - int64(reportHeap(t, format, few))
		if perRow := growth / (many - few); perRow > 16 {
			t.Errorf("%s holds %d bytes for each row", format, perRow)
		}
	}
}

// reportHeap writes a report to a file and returns how much was in use near its
// end.
func reportHeap(t *testing.T, format string, n int) (inUse uint64) {
	t.Helper()
	f := &Factory{IO: &Streams{Out: io.Discard, Err: io.Discard, Env: func(string) (string, bool) { return "", false }}}
	rows := func(yield func(schemas.AuditRow, error) bool) {
		for i := range n {
			if i == n-1 {
				var stats runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&stats)
				inUse = max(inUse, stats.HeapAlloc)
			}
			row := schemas.AuditRow{Tenant: fmt.Sprintf("tenant-%05d", i), State: schemas.RowNotLinked, Owner: "somebody"}
			if !yield(row, nil) {
				return
			}
		}
	}
	o := &reportOptions{format: format, output: filepath.Join(t.TempDir(), "report"), all: true}
	if err := f.deliverAudit(fleet.Report{Totals: map[string]int{"rows": n, "not_linked": n}}, auditreport.Rows(rows), o); err != nil {
		t.Fatal(err)
	}
	return inUse
}
