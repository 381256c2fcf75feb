// Package memlimit says when the garbage collector has to work harder.
package memlimit

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

const (
	// base is plenty for one client and some thousand tenants. Without a limit the
	// heap would grow to five times of what is live.
	base = 96 << 20
	// forHTTP is for connections and the bodies of many calls at once.
	forHTTP = 160 << 20
	// spare is for what is not on the heap.
	spare = 24 << 20
)

// Set puts the least limit in force, unless GOMEMLIMIT sets one.
func Set() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit(false, 0, granted(os.DirFS("/"))))
	}
}

// Follow keeps the limit well above what is live from now on: one that is below
// costs time, and the directory decides how much an audit keeps. HTTP is set for a
// server with many clients.
func Follow(http bool) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	granted := granted(os.DirFS("/"))
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var afterCollection func(*[64]byte)
	afterCollection = func(*[64]byte) {
		metrics.Read(live)
		debug.SetMemoryLimit(limit(http, int64(live[0].Value.Uint64()), granted))
		runtime.SetFinalizer(new([64]byte), afterCollection) // the next collection finds it
	}
	afterCollection(nil)
}

// limit stays a tenth below what the system grants, which is 0 where it grants
// whatever there is.
func limit(http bool, live, granted int64) int64 {
	limit := max(base, live/2*3+spare)
	if http {
		limit = max(base+forHTTP, limit)
	}
	if most := granted / 10 * 9; most > 0 {
		limit = min(limit, most)
	}
	return limit
}

// granted is the lowest memory limit (memory.max of version 2) of the process's
// control groups, 0 without one. A container has its own at the root.
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
