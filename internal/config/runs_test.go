package config

import (
	"strings"
	"testing"
	"time"
)

func TestRunsSection(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		keep  time.Duration
		wrong string
	}{
		"runs:\n  keep: 30d\n":   {30 * 24 * time.Hour, ""},
		"runs:\n  keep: 3660d\n": {3660 * 24 * time.Hour, ""},
		"log-level: info\n":      {0, ""},
		"runs:\n  keep: 30\n":    {0, "400d"},
		"runs:\n  keep: 0d\n":    {0, "400d"},
		"runs:\n  keep: 9999d\n": {0, "400d"},
		"runs:\n  keep: 2h\n":    {0, "400d"},
		"runs:\n  kep: 30d\n":    {0, "did you mean keep"},
		"runs: 30d\n":            {0, "no mapping"},
	} {
		file := File{values: map[string]string{}}
		err := file.parse([]byte(text), []string{"log-level"})
		if want.wrong == "" && (err != nil || file.KeepRuns != want.keep) {
			t.Errorf("%q: %s, %v", text, file.KeepRuns, err)
		}
		if want.wrong != "" && (err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "not a mapping", "no mapping"), want.wrong)) {
			t.Errorf("%q: %v, want %s", text, err, want.wrong)
		}
	}
}
