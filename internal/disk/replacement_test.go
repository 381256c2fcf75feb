package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplacementIsAtomic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		end  func(*Replacement) error
		want string
	}{
		"aborted":                {func(r *Replacement) error { r.Abort(); return nil }, "old"},
		"committed":              {func(r *Replacement) error { return r.Commit(0o640) }, "new"},
		"aborted after a commit": {func(r *Replacement) error { err := r.Commit(0o640); r.Abort(); return err }, "new"},
	} {
		if err := ReplaceFile(path, "tmp-", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := Replace(path, "tmp-")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := next.Write([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if now, _ := os.ReadFile(path); string(now) != "old" {
			t.Errorf("%s: replaced before the end", name)
		}
		if err := test.end(next); err != nil {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != test.want {
			t.Errorf("%s: %q (%v), want %q", name, now, err, test.want)
		}
		if files, _ := os.ReadDir(dir); len(files) != 1 {
			t.Errorf("%s: %d files are left", name, len(files))
		}
	}
}
