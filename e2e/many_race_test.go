//go:build !windows

package e2e

import (
	"sync"
	"testing"

	"mcp-partner/internal/wiretest"
)

// Of 64 resumptions of one run in two processes, nothing is done twice.
func TestManyResumptionsDoNothingTwice(t *testing.T) {
	t.Parallel()
	const each = 32
	for _, e := range errands() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, 8)
			c.stage(e)
			since := len(c.sim.Journal())
			start := func() *server {
				s := c.cli(append([]string{"serve", "--log-level", "error"}, unasked()...)...).start(t)
				s.greet(wiretest.Legacy)
				return s
			}
			processes := []*server{start(), start()}
			arguments := wiretest.Object{"partner_id": ourID, "first": 1}
			if e.links != "" {
				arguments = wiretest.Object{"from": []string{otherID}, "to": ourID, "first": 1}
			}
			if len(e.writes) > 1 {
				arguments["strategy"] = e.name
			}
			opened := processes[0].ask(wiretest.Legacy.Call("open", e.tool, arguments))
			run, _ := opened.Path("structuredContent", "run_id").(string)
			if run == "" {
				t.Fatalf("no run: %s", opened.Raw)
			}
			var racing sync.WaitGroup
			for _, s := range processes {
				racing.Go(func() {
					for i := range each {
						s.send(wiretest.Legacy.Call(i, e.tool, wiretest.Object{"run_id": run, "resume": true}))
					}
				})
			}
			racing.Wait()
			for _, s := range processes {
				for range each {
					s.reply()
				}
				s.rest()
			}
			c.do(append([]string{e.args[0], "--resume", run}, unasked()...)...) // whatever the others left to each other
			c.carriedOut(e, since, e.name)
			c.settledRecord(e.name)
		})
	}
}
