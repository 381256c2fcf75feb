package cmdutil

import (
	"testing"
)

func TestSimulateCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"true": 10, "false": 0, "0": 0, "50": 50, "-1": -1, "x": -1, "": -1, "10000000": -1} {
		var count simulateCount
		err := count.Set(text)
		if (err == nil) != (want >= 0) || err == nil && int(count) != want {
			t.Errorf("%q gave %d, %v; want %d", text, count, err, want)
		}
	}
}
