package memlimit

import (
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestLimitFollowsWhatIsConfigured(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		needs   Needs
		granted int64
		want    int64
	}{
		{name: "one client", want: 96 << 20},
		{name: "many clients", needs: Needs{HTTP: true}, want: 256 << 20},
		{name: "100 000 tenants", needs: Needs{Directory: 26 << 20}, want: 512 << 20},
		{name: "in a container with room", needs: Needs{HTTP: true}, granted: 1 << 30, want: 256 << 20},
		{name: "in a small container", needs: Needs{HTTP: true, Directory: 26 << 20}, granted: 100 << 20, want: 90 << 20},
	} {
		if got := test.needs.limit(test.granted); got != test.want {
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
func TestVariableGoesBeforeTheChoice(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1GiB")
	Set(Needs{})
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("set to %d although the variable is set", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	Set(Needs{})
	if got := debug.SetMemoryLimit(-1); got <= 0 || got > base {
		t.Errorf("set to %d", got)
	}
}
