package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestStateDirIsPrepared(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := New(dir).Prepare(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != dirMode {
		t.Errorf("%v (%v)", info.Mode(), err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, New(file).Prepare(), problems.CodeVaultUnavailable)
}

// A file that could not be read again would be lost.
func TestReplaceRefusesWhatReadWouldNotTake(t *testing.T) {
	t.Parallel()
	dir := New(filepath.Join(t.TempDir(), "state"))
	if err := errors.Join(dir.Prepare(), dir.Replace("file", []byte("kept"))); err != nil {
		t.Fatal(err)
	}
	err := dir.Replace("file", make([]byte, MaxFileBytes+1))
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
	if got, _, err := dir.Read("file"); err != nil || string(got) != "kept" {
		t.Errorf("the file holds %q (%v)", got, err)
	}
}
