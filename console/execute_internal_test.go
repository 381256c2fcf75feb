package console

import (
	"testing"
	"time"

	"mcp-partner/schemas/answers"
)

// A run goes on after the call that began it has answered, and tells its steps.
func TestStepToldAfterTheEndDoesNotReopenAnExecution(t *testing.T) {
	t.Parallel()
	var all executions
	x, first := all.begin("ap_1", time.Now())
	if _, again := all.begin("ap_1", time.Now()); !first || again {
		t.Fatalf("first %v, again %v: want one at a time", first, again)
	}
	x.progress(1, 2, "Writing")
	if text, _ := x.now(); text != "Writing (1 of 2)" {
		t.Fatalf("under way it says %q", text)
	}
	x.end(answers.Envelope{Summary: "Begun."}, time.Now())
	x.progress(2, 2, "Writing")
	if text, result := x.now(); text != "" || result == nil || result.Summary != "Begun." {
		t.Errorf("after the end it says %q and %v", text, result)
	}
}
