package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// An agent that is refused in a loop leaves a few entries that tell of all of it,
// and one that is killed in the middle at least what it was refused first.
func TestRefusalLoopLeavesFewEntries(t *testing.T) {
	t.Parallel()
	const calls = 1000
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, oneTenant())
			w.settle("contoso")
			s := w.cli("serve", "--allow-writes", "--partner-ids", ourID, "--log-level", "error").start(t)
			s.greet(wiretest.Legacy)
			for i := range calls {
				reply := s.ask(wiretest.Legacy.Call(i, schemas.ToolRegisterPartner, wiretest.Object{"tenant": "contoso", "partner_id": strconv.Itoa(2000000 + i%2*i)}))
				if problem(reply) != string(problems.CodeNotAllowed) {
					t.Fatalf("%s", reply.Raw)
				}
			}
			if killed {
				s.kill()
			} else {
				s.rest()
			}
			refusals, told := of(w.entries(), "refusal"), 0
			for _, entry := range refusals {
				n := 1
				if entry.Detail != "" {
					if _, err := fmt.Sscanf(entry.Detail, "%d ", &n); err != nil {
						t.Fatal(entry)
					}
				}
				told += n
			}
			// Twenty different ones, the one that came again, and all others together.
			if want := map[bool]int{false: 22, true: 20}[killed]; len(refusals) != want || !killed && told != calls {
				t.Errorf("%d entries tell of %d refusals", len(refusals), told)
			}
			w.verify()
		})
	}
}
