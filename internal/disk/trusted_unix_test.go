//go:build unix

package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/disk"
)

// tree makes a directory with conf/config.yaml in it.
func tree(t *testing.T, mode os.FileMode) (dir, file string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "conf")
	file = filepath.Join(dir, "config.yaml")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.WriteFile(file, []byte("rules: []\n"), 0o600))
	must(t, os.Chmod(file, mode))
	return dir, file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatOthersCanChangeAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		trust   disk.Trust
		mode    os.FileMode
		spoil   func(t *testing.T, dir, file string) string
		what    string
		command string
	}{
		{name: "readable configuration", trust: disk.Unchanged, mode: 0o644},
		{name: "private secret", trust: disk.Secret, mode: 0o600},
		{name: "secret for our own group", trust: disk.Secret, mode: 0o440},
		{name: "writable by the group", trust: disk.Unchanged, mode: 0o664, what: "can be changed by other users", command: "chmod go-w"},
		{name: "writable by everybody", trust: disk.Unchanged, mode: 0o666, what: "can be changed by other users", command: "chmod go-w"},
		{name: "secret that everybody can read", trust: disk.Secret, mode: 0o644, what: "can be read by other users", command: "chmod 600"},
		{name: "secret that its group can write", trust: disk.Secret, mode: 0o660, what: "can be changed by other users", command: "chmod go-w"},
		{name: "writable directory", trust: disk.Unchanged, mode: 0o600, what: "is a directory that other users can write to", command: "chmod go-w",
			spoil: func(t *testing.T, dir, file string) string { must(t, os.Chmod(dir, 0o777)); return file }},
		{name: "writable sticky directory", trust: disk.Unchanged, mode: 0o600,
			spoil: func(t *testing.T, dir, file string) string { must(t, os.Chmod(dir, 0o777|os.ModeSticky)); return file }},
		{name: "writable directory further up", trust: disk.Unchanged, mode: 0o600, what: "is a directory that other users can write to",
			spoil: func(t *testing.T, dir, file string) string {
				must(t, os.Chmod(filepath.Dir(dir), 0o777))
				return file
			}},
		{name: "link to a file that others can change", trust: disk.Unchanged, mode: 0o666, what: "can be changed by other users",
			spoil: func(t *testing.T, dir, file string) string {
				link := filepath.Join(dir, "link.yaml")
				must(t, os.Symlink("config.yaml", link))
				return link
			}},
		{name: "link into a directory that others can write", trust: disk.Unchanged, mode: 0o600, what: "is a directory that other users can write to",
			spoil: func(t *testing.T, dir, file string) string {
				link := filepath.Join(t.TempDir(), "link.yaml")
				must(t, os.Symlink(file, link))
				must(t, os.Chmod(dir, 0o777))
				return link
			}},
		{name: "farm of links", trust: disk.Unchanged, mode: 0o644,
			spoil: func(t *testing.T, dir, file string) string {
				must(t, os.Symlink("conf", filepath.Join(filepath.Dir(dir), "..data")))
				link := filepath.Join(filepath.Dir(dir), "config.yaml")
				must(t, os.Symlink("..data/config.yaml", link))
				return link
			}},
		{name: "links in a circle", trust: disk.Unchanged, mode: 0o600, what: "too many symbolic links",
			spoil: func(t *testing.T, dir, _ string) string {
				must(t, os.Symlink("b", filepath.Join(dir, "a")))
				must(t, os.Symlink("a", filepath.Join(dir, "b")))
				return filepath.Join(dir, "a")
			}},
		{name: "directory in place of a file", trust: disk.Unchanged, mode: 0o600, what: "is a directory, not a file",
			spoil: func(_ *testing.T, dir, _ string) string { return dir }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, file := tree(t, test.mode)
			if test.spoil != nil {
				file = test.spoil(t, dir, file)
			}
			data, err := disk.ReadTrusted(file, test.trust, 100)
			var refused *disk.Untrusted
			switch {
			case test.what == "" && (err != nil || string(data) != "rules: []\n"):
				t.Errorf("%q, %v", data, err)
			case test.what == "":
			case !errors.As(err, &refused) || !strings.Contains(refused.What, test.what) || !strings.HasPrefix(refused.Command, test.command):
				t.Errorf("%q, %#v", data, err)
			}
		})
	}
}

func TestFilesOfOtherUsersAreRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir, file := tree(t, 0o644)
	must(t, os.Chown(file, 12345, -1))
	if _, err := disk.OpenTrusted(file, disk.Unchanged); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Error(err)
	}
	must(t, os.Chown(file, 0, 0))
	must(t, os.Chown(dir, 12345, -1))
	if _, err := disk.OpenTrusted(file, disk.Unchanged); err == nil || !strings.Contains(err.Error(), "is a directory of another user") {
		t.Error(err)
	}
	must(t, os.Chown(dir, 0, 0))
	must(t, os.Chmod(file, 0o440))
	must(t, os.Chown(file, 0, 54321))
	if _, err := disk.OpenTrusted(file, disk.Secret); err == nil || !strings.Contains(err.Error(), "a group that is not this process's") {
		t.Error(err)
	}
}

func TestFilesLargerThanTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	_, file := tree(t, 0o600)
	if _, err := disk.ReadTrusted(file, disk.Secret, 5); err == nil || !strings.Contains(err.Error(), "larger than 5 bytes") {
		t.Error(err)
	}
}

func TestMissingFilesAreNotExist(t *testing.T) {
	t.Parallel()
	if _, err := disk.OpenTrusted(filepath.Join(t.TempDir(), "none", "x"), disk.Secret); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
