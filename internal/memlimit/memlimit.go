// Package memlimit chooses from where on the garbage collector works harder to
// keep the process small.
package memlimit

import (
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// base is plenty for one client and some thousand tenants. Without a limit the
	// heap would grow to five times of what is live.
	base = 96 << 20
	// forHTTP is for connections and the bodies of many calls at once.
	forHTTP = 160 << 20
	// perDirectoryByte is how many bytes a long audit keeps for each byte of the
	// directory: 4 kB a tenant.
	perDirectoryByte = 16
)

// Needs are what decides how much the process may keep.
type Needs struct {
	// Directory is the size of the directory of tenants in bytes.
	Directory int64
	// HTTP is set for a server with many clients.
	HTTP bool
}

// SizeOf is the size of a file, 0 if there is none.
func SizeOf(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Set puts the limit in force, unless GOMEMLIMIT sets one. What needs more gets
// more: a limit that is below what is live costs time.
func Set(n Needs) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(n.limit(granted(os.DirFS("/"))))
	}
}

// limit stays a tenth below what the system grants, which is 0 where it grants
// whatever there is.
func (n Needs) limit(granted int64) int64 {
	limit := base + perDirectoryByte*n.Directory
	if n.HTTP {
		limit += forHTTP
	}
	if most := granted / 10 * 9; most > 0 {
		limit = min(limit, most)
	}
	return limit
}

// granted is the least of the limits of memory (memory.max of version 2) of the
// process's control groups, 0 if there is none. A container has its own at the
// root.
func granted(root fs.FS) int64 {
	const mount = "sys/fs/cgroup"
	group := mount
	if own, err := fs.ReadFile(root, "proc/self/cgroup"); err == nil {
		_, below, _ := strings.Cut(string(own), "0::/")
		below, _, _ = strings.Cut(below, "\n")
		group = path.Join(mount, below)
	}
	var least int64
	for ; strings.HasPrefix(group, mount); group = path.Dir(group) {
		text, err := fs.ReadFile(root, path.Join(group, "memory.max"))
		if err != nil {
			continue
		}
		most, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no number
		if err == nil && most > 0 && (least == 0 || most < least) {
			least = most
		}
	}
	return least
}
