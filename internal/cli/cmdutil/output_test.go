package cmdutil

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A report that fails half-way leaves no file that looks like a whole one, and
// one that is there stays as it was.
func TestFailedReportLeavesFileUnchanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report")
	broken := errors.New("the rows end")
	half := func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	}
	for _, force := range []bool{false, true} {
		if err := StreamOutput(path, force, half); !errors.Is(err, broken) {
			t.Errorf("force %v: %v", force, err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
			t.Errorf("force %v: %v is left, %v", force, left, err)
		}
	}
	if err := WriteOutput(path, []byte("whole"), false); err != nil {
		t.Fatal(err)
	}
	if err := StreamOutput(path, true, half); !errors.Is(err, broken) {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "whole" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}
