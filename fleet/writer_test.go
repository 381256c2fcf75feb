package fleet

import (
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
)

// A run that is resumed while in progress belongs to the resuming call from
// then on, whose token may end later. A start, which only completes what has
// begun, acts for no caller.
func TestResumptionTakesOverRun(t *testing.T) {
	t.Parallel()
	w := NewWriter(WriterOptions{})
	working := &Execution{OpenRun: guard.OpenRun{Run: runs.Run{ID: "run_1"}, By: access.Principal{Caller: "token:a", Token: "tk_1"}}, mode: Continue}
	w.active["run_1"] = working
	for _, step := range []struct {
		mode Mode
		by   access.Principal
		want string
	}{
		{mode: Complete, by: access.Principal{}, want: "tk_1"},
		{mode: Continue, by: access.Principal{Caller: "token:a", Token: "tk_2"}, want: "tk_2"},
	} {
		joined := w.Start(t.Context(), guard.OpenRun{Run: runs.Run{ID: "run_1"}, By: step.by}, step.mode, 0, nil)
		if joined != working || working.opened().By.Token != step.want {
			t.Errorf("mode %d: it is that of %q, want %q", step.mode, working.opened().By.Token, step.want)
		}
	}
}
