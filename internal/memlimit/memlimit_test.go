package memlimit

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestLimitFollowsLiveHeap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		http    bool
		live    int64
		granted int64
		want    int64
	}{
		{name: "one client", want: 96 << 20},
		{name: "many clients", http: true, want: 256 << 20},
		{name: "100 000 tenants", live: 150 << 20, want: 249 << 20},
		{name: "in a container with room", http: true, granted: 1 << 30, want: 256 << 20},
		{name: "in a small container", http: true, live: 150 << 20, granted: 100 << 20, want: 90 << 20},
	} {
		if got := limit(test.http, test.live, test.granted); got != test.want {
			t.Errorf("%s: %d MiB, want %d", test.name, got>>20, test.want>>20)
		}
	}
}

func TestLeastLimitOfAllGroupsCounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{name: "no control groups", want: 0},
		{name: "no limit", files: map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, want: 0},
		{name: "a container", files: map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n"}, want: 1000},
		{name: "a service in a slice", files: map[string]string{"proc/self/cgroup": "1:name=x:/y\n0::/system.slice/partner.service\n",
			"sys/fs/cgroup/system.slice/partner.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/memory.max": "500\n"}, want: 500},
		{name: "both", files: map[string]string{"proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "700\n", "sys/fs/cgroup/a/memory.max": "500\n"}, want: 500},
		{name: "a path that leads out", files: map[string]string{"proc/self/cgroup": "0::/../../../etc\n", "etc/memory.max": "1\n"}, want: 0},
		{name: "not a number", files: map[string]string{"sys/fs/cgroup/memory.max": "-5\n"}, want: 0},
	} {
		root := fstest.MapFS{}
		for name, text := range test.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := granted(root); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// Not parallel: the limit is the process's.
func TestGOMEMLIMITOverridesDefault(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1GiB")
	Set()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("set to %d although the variable is set", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	Set()
	if got := debug.SetMemoryLimit(-1); got <= 0 || got > base {
		t.Errorf("set to %d", got)
	}
}

// Not parallel: the limit is the process's.
func TestLimitRisesAfterACollection(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	Follow(false)
	held := make([]byte, 256<<20)
	defer runtime.KeepAlive(held)
	for range 100 {
		runtime.GC()
		if debug.SetMemoryLimit(-1) > int64(len(held)) {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("the limit is %d with %d live", debug.SetMemoryLimit(-1), len(held))
}
