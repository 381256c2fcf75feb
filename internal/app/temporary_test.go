package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
)

func TestTemporaryLedgerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	l := newTemporaryLedger()
	if _, err := os.Stat(l.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("folder before the first use: %v", err)
	}
	if err := l.makeFolder(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), guard.Event{Time: time.Now(), Kind: guard.KindPolicy}); err != nil {
		t.Fatal(err)
	}
	report, err := l.Verify(t.Context(), nil)
	if err != nil || !report.Whole() || report.Entries != 1 {
		t.Errorf("report %+v, %v", report, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder after Close: %v", err)
	}
}

func TestTemporaryLedgerNamesFolderThatCannotBeMade(t *testing.T) {
	t.Parallel()
	l := newTemporaryLedger()
	l.dir = filepath.Join(t.TempDir(), "missing", "ledger")
	if err := l.makeFolder(); err == nil || !strings.Contains(err.Error(), l.dir) {
		t.Errorf("error %v", err)
	}
}
