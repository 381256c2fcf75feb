package testkit

import (
	"fmt"
	"testing"
	"time"
)

// patience is far longer than anything that is waited for takes, also on a
// machine that does ten other things.
const patience = time.Minute

// WaitFor asks again and again until something holds that no channel tells of,
// such as what another process has done. After a minute it fails with what was
// waited for and the details as they are then.
func WaitFor(tb testing.TB, what string, holds func() bool, details ...any) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("after %s still waiting: %s\n%s", patience, what, fmt.Sprint(details...))
		}
	}
}
