package clientfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var someDay = time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReplaceKeepsABackupAndTheMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mit Leerzeichen 設定", "mcp.json")
	backup, err := open(t, path).Replace([]byte("{}"), someDay)
	if err != nil || backup != "" || contents(t, path) != "{}" {
		t.Fatalf("a new file: %q, %v", backup, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	backup, err = open(t, path).Replace([]byte(`{"a":1}`), someDay)
	if err != nil || contents(t, backup) != "{}" || contents(t, path) != `{"a":1}` {
		t.Fatalf("backup %q, %v", backup, err)
	}
	for _, p := range []string{path, backup} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(path + ".new"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestLinksAreFollowedAndKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "dotfiles", "mcp.json"), filepath.Join(dir, "mcp.json")
	put(t, real, "{}", 0o600)
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, link).Replace([]byte("[]"), someDay); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || contents(t, real) != "[]" {
		t.Errorf("the link is %v, %v; the file %q", info.Mode(), err, contents(t, real))
	}
	if err := os.Remove(real); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(link); err == nil || !strings.Contains(err.Error(), "broken symbolic link") {
		t.Errorf("a link to nothing: %v", err)
	}
}

// TestReplaceFailsWhenFileChanged changes the file between reading and replacing.
func TestReplaceFailsWhenFileChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "mcp.json")
	put(t, path, "{}", 0o600)
	f := open(t, path)
	put(t, path, `{"theirs":1}`, 0o600)
	if _, err := f.Replace([]byte(`{"ours":1}`), someDay); err == nil || !strings.Contains(err.Error(), "changed it meanwhile") {
		t.Errorf("replaced: %v", err)
	}
	if got := contents(t, path); got != `{"theirs":1}` {
		t.Errorf("the file is %s", got)
	}
	fresh := open(t, filepath.Join(dir, "new.json"))
	put(t, fresh.Path, "theirs", 0o600)
	if _, err := fresh.Replace([]byte("ours"), someDay); err == nil || contents(t, fresh.Path) != "theirs" {
		t.Errorf("a file that came meanwhile was replaced: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	put(t, filepath.Join(dir, "plain"), "", 0o600)
	if _, err := open(t, filepath.Join(dir, "other.json")).Shared().Replace([]byte("{}"), someDay); err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(dir, "plain", "mcp.json")); err == nil {
		t.Error("a file as a folder was accepted")
	}
}
