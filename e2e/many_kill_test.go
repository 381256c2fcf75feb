package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// The process is killed at each step of a run over 20 tenants, and the run is
// resumed by another: every tenant is moved once, none is left without a link,
// every write has its intent, and the record is whole.
func TestKilledAtEachStepOfARun(t *testing.T) {
	t.Parallel()
	tenants, some := 20, 5
	if raceFlags() != nil {
		some = 2
	}
	for _, e := range errands() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, tenants)
			c.stage(e)
			c.trap.set(0, nil)
			c.cli(append(e.args, unasked()...)...).must(t)
			events := c.trap.count()
			if least := tenants * 2 * (2 + 2*len(e.writes)); events < least {
				t.Fatalf("%d events are fewer than %d", events, least)
			}
			// The plan is the first event or two of each tenant; what matters comes behind.
			for _, at := range points(events, some) {
				c.killAndResume(e, at)
			}
		})
	}
}

func (c *crowd) killAndResume(e errand, at int) {
	c.tb.Helper()
	what := describe(e, at)
	c.stage(e)
	since := len(c.sim.Journal())
	if !c.killed(at, append(e.args, unasked()...)) {
		c.carriedOut(e, since, what)
		return
	}
	runs := c.openRuns(e.args[0])
	if len(runs) == 0 {
		if n := len(c.written(since)); n > 0 {
			c.tb.Errorf("%s: %d tenants were written to without a run", what, n)
		}
		return
	}
	c.reported(e, runs[0], what)
	r := c.do(append([]string{e.args[0], "--resume", runs[0], "--settled-after", "1ms"}, unasked()...)...)
	if r.Status != "done" || r.Totals["done"] != len(c.sim.Tenants()) {
		c.tb.Errorf("%s: resumed: %s %s %v", what, r.Status, r.Summary, r.Totals)
	}
	c.carriedOut(e, since, what)
	c.settledRecord(what)
}

// reported fails the test unless every tenant that has lost its link is named
// before anything is resumed.
func (c *crowd) reported(e errand, run, what string) {
	c.tb.Helper()
	r := c.do(e.args[0], "--run", run)
	for _, t := range c.sim.Tenants() {
		i := slices.IndexFunc(r.Changes, func(row answers.ChangeRow) bool { return row.Tenant == t.Name })
		if i < 0 || e.links != "" && t.PartnerID == "" && r.Changes[i].State != "unfinished" {
			c.tb.Errorf("%s: %s has no link, and the run says %+v", what, t.Name, r.Changes[max(i, 0)])
		}
	}
}

// A server that starts completes what has begun, and begins nothing else.
func TestStartCompletesBegunTenantsOnly(t *testing.T) {
	t.Parallel()
	e := errands()[2]
	c := newCrowd(t, 3)
	c.stage(e)
	since := len(c.sim.Journal())
	// Three links are read for the plan and one again; then the DELETE arrives,
	// and the process dies when it was carried out.
	if !c.killed(2*3+2+2, append(append(e.args, unasked()...), "--first", "1")) {
		t.Fatal("the process came to its end")
	}
	run := c.openRuns("transition")[0]
	c.reported(e, run, "before the next start")
	if o := c.cli("doctor", "--json").run(t); !strings.Contains(o.stdout, "The run "+run+" left 1 tenant unfinished.") {
		t.Errorf("the doctor does not say so: %s", o.both())
	}
	put := c.gate.hold(http.MethodPut, true)
	s := c.cli("serve", "--log-level", "error").start(t)
	s.greet(wiretest.Legacy)
	put.await(t)
	put.release <- true
	s.rest()
	by := c.written(since)
	if len(by) != 1 {
		t.Errorf("%d tenants were written to: %v", len(by), by)
	}
	for _, tenant := range c.sim.Tenants() {
		if want := map[bool]string{true: ourID, false: otherID}[len(by[tenant.TenantID]) > 0]; tenant.PartnerID != want {
			t.Errorf("%s is linked to %q, want %q", tenant.Name, tenant.PartnerID, want)
		}
	}
	if r := c.do("transition", "--run", run); r.Totals["done"] != 1 || r.Totals["beyond_first"] != 2 {
		t.Errorf("%v: %s", r.Totals, r.Summary)
	}
	c.settledRecord("after the next start")
}

// The new ID is refused for good: what was removed is put back, by the process
// that removed it or by the next one.
func TestKilledWhileRestoringOldLink(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 2)
	e := errands()[2]
	c.stage(e)
	name := c.sim.Tenants()[0].Name
	c.sim.Inject(simulator.Rule{TenantID: c.sim.Tenants()[0].TenantID, Kind: simulator.FaultForbidden, Method: http.MethodPut, Times: 1})
	first := c.gate.hold(http.MethodPut, true)
	second := c.gate.hold(http.MethodPut, false)
	command := c.cli(append(append(e.args, unasked()...), "--tenants", name)...).command(t.Context())
	check(t, command.Start())
	first.await(t)
	first.release <- true
	second.await(t) // the old ID is about to be put back
	check(t, command.Process.Kill())
	_ = command.Wait()
	second.release <- false
	run := c.openRuns("transition")[0]
	r := c.do(append([]string{"transition", "--resume", run, "--settled-after", "1ms"}, unasked()...)...)
	if r.Totals["restored"] != 1 || c.tenant(name).PartnerID != otherID {
		t.Errorf("%v, %s is linked: %s", r.Totals, c.tenant(name).PartnerID, r.Summary)
	}
	c.settledRecord("killed while putting back")
}
