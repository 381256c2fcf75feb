package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

// A call answers within 45 s although ARM has its run wait; the same tool with
// run_id tells how the run ended. No write is sent before its time.
func TestLongRunAnswersInTime(t *testing.T) {
	t.Parallel()
	if !thorough() {
		t.Skip("takes a minute of waiting: E2E_FULL=1")
	}
	const wait = 45 * time.Second
	c := newCrowd(t, 2)
	c.sim.Inject(simulator.Rule{TenantID: c.sim.Tenants()[0].TenantID, Kind: simulator.FaultThrottleBurst, Method: http.MethodPut, Times: 1, RetryAfter: wait})
	s := c.cli(append([]string{"serve", "--log-level", "error"}, unasked()...)...).start(t)
	s.greet(wiretest.Legacy)
	began := time.Now()
	reply := s.ask(wiretest.Legacy.Call("long", schemas.ToolEnsurePartnerLinks, wiretest.Object{"partner_id": ourID}))
	took := time.Since(began)
	run, _ := reply.Path("structuredContent", "run_id").(string)
	summary := func() string {
		text, _ := reply.Path("structuredContent", "summary").(string)
		return text
	}
	t.Logf("answered after %s: %s", took, summary())
	if took > 45*time.Second || run == "" || !strings.HasPrefix(summary(), "The run continues") || status(reply) != "done" {
		t.Errorf("%s", reply.Raw)
	}
	testkit.WaitFor(t, "the run ends", func() bool {
		reply = s.ask(wiretest.Legacy.Call("look", schemas.ToolEnsurePartnerLinks, wiretest.Object{"run_id": run}))
		return !strings.HasPrefix(summary(), "The run continues")
	})
	if status(reply) != "done" || c.tenant(c.sim.Tenants()[0].Name).PartnerID != ourID {
		t.Errorf("%s", reply.Raw)
	}
	s.rest()
	var puts []time.Time
	for _, record := range c.sim.Journal() {
		if record.Method == http.MethodPut && record.TenantID == c.sim.Tenants()[0].TenantID {
			puts = append(puts, record.Time)
		}
	}
	if len(puts) != 2 || puts[1].Sub(puts[0]) < wait {
		t.Errorf("writes at %v", puts)
	}
}
