//go:build !windows

package e2e

import (
	"encoding/json"
	"strings"
	"time"

	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// settle ends the servers, whose runs stop at a point of rest, and has commands
// complete the runs and look back at the single writes, as a later start would.
func (c *cluster) settle(rounds []*round) {
	c.tb.Helper()
	for _, r := range c.replicas {
		proc, _ := r.running()
		proc.signal()
	}
	for _, r := range c.replicas {
		proc, _ := r.running()
		// A call that waits for a write which a killed process left may outlast the end.
		if code := proc.code(); code != 0 && !strings.HasSuffix(strings.TrimSpace(proc.errs.String()), "calls were still running after 30s and were canceled") {
			c.tb.Errorf("%s ended with %d:\n%s", r.name, code, proc.errs)
		}
	}
	c.beside.Wait()
	c.ambush.set(nil, false, 0, nil)
	for _, r := range rounds {
		c.complete(r)
	}
	o := c.open(func() time.Time { return time.Now().Add(2 * time.Minute) })
	defer o.close()
	_, err := o.service.Reconcile(c.tb.Context())
	check(c.tb, err)
}

// complete resumes the run of a round if it is not done, once it was seen that it hides
// nothing. Then each tenant was written to as the errand says, once.
func (c *cluster) complete(r *round) {
	c.tb.Helper()
	if r.run == "" {
		return
	}
	shown := c.do(r.errand.args[0], "--run", r.run)
	if shown.Totals["done"] != len(r.tenants) {
		c.strandedReported(r, shown.Changes)
		c.do(append([]string{r.errand.args[0], "--resume", r.run, "--settled-after", "1ms"}, unasked()...)...)
		shown = c.do(r.errand.args[0], "--run", r.run)
	}
	if shown.Totals["done"] != len(r.tenants) {
		c.tb.Errorf("%s: completed: %s %s %v", r, shown.Status, shown.Summary, shown.Totals)
	}
	by := c.written(0)
	for _, t := range r.tenants {
		if writes, linked := strings.Join(by[t.TenantID], " "), c.tenant(t.Name).PartnerID; writes != strings.Join(r.errand.writes, " ") || linked != ourID {
			c.tb.Errorf("%s: %s was written to by %q, and %q is linked", r, t.Name, writes, linked)
		}
	}
}

// arrived is how many requests that write have arrived for a tenant.
func (c *cluster) arrived(tenantID string) (n int) {
	c.ambush.mu.Lock()
	defer c.ambush.mu.Unlock()
	return c.ambush.arrived[tenantID]
}

// recorded is an entry of the record, as the database has it.
type recorded struct {
	Seq, Of                     int64
	Kind, Result, Approval, Run string
	TenantID                    string `json:"tenant_id"`
}

// record returns the entries in their order.
func (c *cluster) record() (all []recorded) {
	c.tb.Helper()
	for _, text := range c.db.column(`SELECT (body::jsonb || jsonb_build_object('seq', seq))::text FROM events ORDER BY seq`) {
		var e recorded
		check(c.tb, json.Unmarshal([]byte(text), &e))
		all = append(all, e)
	}
	return all
}

// balance compares what arrived for one tenant with what the record has of it.
type balance struct{ intents, open, done, unknown, arrived, carriedOut, acknowledged int }

// explained reports whether each request had a permit of its own, and each permit
// became a request unless the record says otherwise.
func (b balance) explained() bool {
	nothing := b.intents - b.done - b.unknown
	return b.open == 0 && b.arrived <= b.intents && b.intents-b.arrived <= nothing+b.unknown &&
		b.done <= b.carriedOut && b.carriedOut <= b.done+b.unknown && b.acknowledged <= b.done
}

// invariants are what holds whatever happened.
func (c *cluster) invariants() {
	c.tb.Helper()
	c.verify()
	entries := c.record()
	balances, writes := c.balances(entries), c.written(0)
	total := balance{}
	for _, t := range c.sim.Tenants() {
		b := balances[t.TenantID]
		b.arrived, b.carriedOut, b.acknowledged = c.arrived(t.TenantID), len(writes[t.TenantID]), c.done[t.Name]
		if !b.explained() {
			c.tb.Errorf("%s: the requests are not those that were permitted: %+v", t.Name, b)
		}
		total.intents, total.done, total.unknown = total.intents+b.intents, total.done+b.done, total.unknown+b.unknown
		total.arrived, total.carriedOut, total.acknowledged = total.arrived+b.arrived, total.carriedOut+b.carriedOut, total.acknowledged+b.acknowledged
	}
	c.tb.Logf("%d entries, %+v", len(entries), total)
	if all := c.gate.written(); all != total.arrived {
		c.tb.Errorf("%d requests that write arrived, %d of them for a tenant", all, total.arrived)
	}
	c.spentOnce(entries)
	c.freezesHeld(entries)
}

// balances counts the permits of each tenant by what became of them.
func (c *cluster) balances(entries []recorded) map[string]balance {
	closed := map[int64]string{}
	for _, e := range entries {
		if e.Kind == "outcome" {
			closed[e.Of] = e.Result
		}
	}
	all := map[string]balance{}
	for _, e := range entries {
		if e.Kind != "intent" {
			continue
		}
		b := all[e.TenantID]
		b.intents++
		switch result, ok := closed[e.Seq]; {
		case !ok:
			b.open++
		case result == string(answers.StatusDone), result == "applied":
			b.done++
		case result == "unknown", result == string(problems.CodeWriteUnconfirmed):
			b.unknown++
		}
		all[e.TenantID] = b
	}
	return all
}

// spentOnce fails the test if an approval of a single write has two permits.
func (c *cluster) spentOnce(entries []recorded) {
	c.tb.Helper()
	spent := map[string]int{}
	for _, e := range entries {
		if e.Kind == "intent" && e.Approval != "" && e.Run == "" {
			spent[e.Approval]++
		}
		if spent[e.Approval] > 1 {
			c.tb.Errorf("approval %s was spent twice", e.Approval)
		}
	}
}

// freezesHeld fails the test if anything began in a freeze. What had begun may be
// completed.
func (c *cluster) freezesHeld(entries []recorded) {
	c.tb.Helper()
	begun, frozen, freezes := map[string]bool{}, false, 0
	for _, e := range entries {
		tenant := e.Run + e.TenantID
		switch e.Kind {
		case "freeze":
			frozen = true
			freezes++
		case "unfreeze":
			frozen = false
		case "intent":
			if frozen && (e.Run == "" || !begun[tenant]) {
				c.tb.Errorf("entry %d permits a write in a freeze", e.Seq)
			}
			begun[tenant] = true
		}
	}
	if freezes == 0 {
		c.tb.Error("nothing was ever frozen")
	}
}
