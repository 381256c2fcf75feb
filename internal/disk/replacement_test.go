package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestReplacementIsAtomic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for name, test := range map[string]struct {
		failure error
		want    string
	}{
		"written":               {want: "new"},
		"what is written fails": {failure: errors.New("no more"), want: "old"},
	} {
		if err := Replace(path, "tmp-", 0o600, Whole([]byte("old"))); err != nil {
			t.Fatal(err)
		}
		err := Replace(path, "tmp-", 0o640, func(w io.Writer) error {
			if _, err := w.Write([]byte("new")); err != nil {
				t.Fatal(err)
			}
			if now, _ := os.ReadFile(path); string(now) != "old" {
				t.Errorf("%s: replaced before the end", name)
			}
			return test.failure
		})
		if !errors.Is(err, test.failure) {
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
