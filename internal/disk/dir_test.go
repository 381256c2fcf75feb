package disk

import (
	"os"
	"path/filepath"
	"testing"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestStateDirIsPrepared(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := New(dir).prepare(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != dirMode {
		t.Errorf("%v (%v)", info.Mode(), err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, New(file).prepare(), problems.CodeVaultUnavailable)
}
