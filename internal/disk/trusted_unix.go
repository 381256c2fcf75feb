//go:build unix

package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the symbolic links on the way to one file, as Linux does.
const maxLinks = 40

// readOnlyFlag is ST_RDONLY of statfs(2) on Linux and MNT_RDONLY on BSD and
// macOS.
const readOnlyFlag = 1

// checkTrusted walks from the root to the file and looks at each step.
func checkTrusted(path string, trust Trust) (fs.FileInfo, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	w := walk{at: "/", rest: parts(absolute)}
	if err := checkDir("/"); err != nil {
		return nil, err
	}
	for len(w.rest) > 0 {
		if err := w.step(); err != nil {
			return nil, err
		}
	}
	if err := checkRegular(w.at, w.info); err != nil {
		return nil, err
	}
	return w.info, checkFile(w.at, w.info, trust)
}

// walk is the way to a file: where it has come to, and what is left of it.
type walk struct {
	at    string
	rest  []string
	info  fs.FileInfo
	links int
}

func parts(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" || part == "." })
}

func (w *walk) step() error {
	name := w.rest[0]
	w.rest = w.rest[1:]
	if name == ".." {
		w.at = filepath.Dir(w.at)
		return nil
	}
	next := filepath.Join(w.at, name)
	info, err := os.Lstat(next)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return w.follow(next, info)
	}
	w.at, w.info = next, info
	if len(w.rest) > 0 {
		return checkDir(next)
	}
	return nil
}

// follow puts the target of a link in front of what is left. Who owns a link
// decides where it leads.
func (w *walk) follow(link string, info fs.FileInfo) error {
	if !ownedByUs(info) {
		return notTrusted(link, "is a symbolic link of another user", "")
	}
	if w.links++; w.links > maxLinks {
		return notTrusted(link, "leads through too many symbolic links", "")
	}
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) {
		w.at = "/"
	}
	w.rest = append(parts(target), w.rest...)
	return nil
}

// checkDir refuses a directory in which others can put another file in place of
// ours. In a sticky one (/tmp) they cannot, and on a read-only mount nobody can.
func checkDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	switch {
	case !info.IsDir():
		return notTrusted(path, "is not a directory", "")
	case readOnly(path):
		return nil
	case !ownedByUs(info):
		return notTrusted(path, "is a directory of another user, who can replace what is in it", "")
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return notTrusted(path, "is a directory that other users can write to", "chmod go-w")
	}
	return nil
}

func checkFile(path string, info fs.FileInfo, trust Trust) error {
	perm := info.Mode().Perm()
	mount := readOnly(path)
	switch {
	case !ownedByUs(info) && !mount:
		return notTrusted(path, "belongs to another user", "")
	case perm&0o022 != 0 && !mount:
		return notTrusted(path, "can be changed by other users", "chmod go-w")
	case trust == Secret && perm&0o007 != 0:
		return notTrusted(path, "can be read by other users", "chmod 600")
	case trust == Secret && perm&0o070 != 0 && !groupOfOurs(info):
		return notTrusted(path, "can be read by a group that is not this process's", "chmod 600")
	}
	return nil
}

// ownedByUs reports a file of this user or of root.
func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (stat.Uid == 0 || stat.Uid == uint32(os.Geteuid()))
}

func groupOfOurs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	groups, err := os.Getgroups()
	return int(stat.Gid) == os.Getegid() || err == nil && slices.Contains(groups, int(stat.Gid))
}

// readOnly reports a read-only mount.
func readOnly(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && uint64(stat.Flags)&readOnlyFlag != 0
}
