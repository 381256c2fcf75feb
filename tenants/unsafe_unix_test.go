//go:build unix

package tenants

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestUnsafeDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"folder": func(dir string) error { return os.Chmod(dir, 0o750) },
		"file":   func(dir string) error { return os.Chmod(filepath.Join(dir, DirectoryFile), 0o644) },
		"previous": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, DirectoryFile+disk.PreviousMark), nil, 0o644)
		},
		"link": func(dir string) error { return roomtest.MoveBehindLink(dir, DirectoryFile) },
	} {
		dir, d := newDirectoryAt(t)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := OpenDirectory(disk.New(dir))
		problem := roomtest.WantCode(t, err, problems.CodeVaultUnavailable)
		if problem.Retryable || problem.Hint == "" || name != "link" && !strings.Contains(problem.Command, "chmod") {
			t.Errorf("%s: hint %q", name, problem.Hint)
		}
		roomtest.WantCode(t, d.Add(context.Background(), testEntry(3, "x")), problems.CodeVaultUnavailable)
	}
	dir, d := newDirectoryAt(t)
	target := filepath.Join(t.TempDir(), "victim")
	if err := errors.Join(os.Remove(filepath.Join(dir, directoryLock)), os.Symlink(target, filepath.Join(dir, directoryLock))); err != nil {
		t.Fatal(err)
	}
	roomtest.WantCode(t, d.Add(context.Background(), testEntry(3, "x")), problems.CodeVaultUnavailable)
	if _, err := os.Lstat(target); err == nil {
		t.Error("the lock was made through a symbolic link")
	}
}
