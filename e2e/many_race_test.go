//go:build !windows

package e2e

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mcp-partner/internal/wiretest"
)

// pacedPolicy lets a run begin in one tenant; the others wait until the run is resumed.
const pacedPolicy = `policy:
  - name: slowly
    operations: [ensure_partner_links, transition_partner]
    tenants: ["*"]
    partner_ids: ["` + ourID + `", "` + otherID + `"]
    rate: 1 per 1h
    answer: allow
`

// Of 64 resumptions of one run in two processes, nothing is done twice.
func TestConcurrentResumptionsWriteOnce(t *testing.T) {
	t.Parallel()
	const each = 32
	for _, e := range errands() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, 8)
			c.stage(e)
			since := len(c.sim.Journal())
			start := func(flags ...string) *server {
				s := c.cli(append([]string{"serve", "--log-level", "error"}, flags...)...).start(t)
				s.greet(wiretest.Legacy)
				return s
			}
			config := filepath.Join(c.state, "config.yaml")
			check(t, os.WriteFile(config, []byte(pacedPolicy), 0o600))
			opener := start()
			arguments := wiretest.Object{"partner_id": ourID}
			if e.links != "" {
				arguments = wiretest.Object{"from": []string{otherID}, "to": ourID}
			}
			if len(e.writes) > 1 {
				arguments["strategy"] = e.name
			}
			opened := opener.ask(wiretest.Legacy.Call("open", e.tool, arguments))
			opener.rest()
			check(t, os.Remove(config))
			processes := []*server{start(unasked()...), start(unasked()...)}
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
