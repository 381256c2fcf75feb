//go:build !windows

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	writers, readers = 3, 2
	// loadTenants are those that no round has: one that is only read, a probe for each
	// replica, and one for each writer.
	loadTenants = 1 + replicas + writers
	// callersOfWriter is as how many callers a writer calls. An answer that a fault loses
	// leaves a question that nobody confirms, of which a caller may have 100 in an hour.
	callersOfWriter = 3
	// loadPause bounds how often a client of the load calls.
	loadPause = 30 * time.Millisecond
)

// load has clients read and write at any replica until it is stopped.
func (c *cluster) load() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for n := range writers {
		client, tenant := c.newClient(uint64(10+n)), c.take(1)[0].Name
		callers := make([]string, callersOfWriter)
		for i := range callers {
			callers[i] = c.issue(fmt.Sprintf("writer-%d-%d", n, i), chaosScopes)
		}
		clients.Go(func() {
			client.repeat(ctx, func() {
				client.token = callers[client.random.IntN(len(callers))]
				_, _ = client.next(client.any(), client.any(), tenant)
			})
		})
	}
	for n := range readers {
		client := c.newClient(uint64(20 + n))
		clients.Go(func() { client.repeat(ctx, client.reads) })
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

func (c *client) repeat(ctx context.Context, do func()) {
	ticker := time.NewTicker(loadPause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// reads looks at a link that nobody touches: no failure makes it "not linked".
func (c *client) reads() {
	at := c.any()
	s, err := c.read(at, c.c.watched)
	if err == nil && s.Link != nil && s.Link.State != answers.LinkUnknown && (s.Link.State != answers.LinkLinked || s.Link.PartnerID != ourID) {
		c.c.tb.Errorf("%s says of an untouched link: %s", at.name, s.raw)
	}
}

// next makes the next write in a tenant: it is asked about at one replica and carried
// out at another. What was acknowledged is remembered.
func (c *client) next(asks, writes *replica, tenant string) (said, error) {
	s, err := c.read(asks, tenant)
	if err != nil || s.Link == nil || s.Link.State == answers.LinkUnknown {
		return s, err
	}
	p, typed := step(tenant, s.Link)
	s, err = c.write(asks, writes, p, typed)
	c.c.acknowledge(tenant, s)
	return s, err
}

// acknowledge remembers an answer that says that a write is done and recorded.
func (c *cluster) acknowledge(tenant string, s said) {
	if s.Status != answers.StatusDone || strings.Contains(s.Summary, "could not store the outcome") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[tenant]++
}

// probe writes in the tenant that a replica has for it.
func (c *cluster) probe(r *replica) (said, error) {
	return c.main.next(r, r, c.probes[slices.Index(c.replicas[:], r)])
}

// recovers waits until each replica writes.
func (c *cluster) recovers() {
	c.tb.Helper()
	for _, r := range c.replicas {
		var last attempted
		testkit.WaitFor(c.tb, r.name+" writes again", func() bool {
			last.said, last.err = c.probe(r)
			return last.Status == answers.StatusDone
		}, &last)
	}
}

// othersGoOn fails the test unless the other replicas write while one is out, for a
// time in which the server has to end what that one left. None waits longer than the
// time-outs.
func (c *cluster) othersGoOn(victim *replica, during time.Duration) {
	c.tb.Helper()
	for began, first := time.Now(), true; first || time.Since(began) < during; first = false {
		for _, r := range c.replicas {
			if r == victim {
				continue
			}
			c.within(lockTimeout+chaosMargin, "a write at "+r.name+" beside "+victim.name, func() {
				if s, err := c.probe(r); err != nil || s.Status != answers.StatusDone {
					c.tb.Errorf("%s does not write beside %s: %.400s %v", r.name, victim.name, s.raw, err)
				}
			})
		}
	}
}

// failsClosed fails the test unless a replica that cannot reach the database refuses a
// call in time, while the others go on.
func (c *cluster) failsClosed(victim *replica, during time.Duration) {
	c.tb.Helper()
	var others sync.WaitGroup
	others.Go(func() { c.othersGoOn(victim, during) })
	defer others.Wait()
	c.within(2*lockTimeout+chaosMargin, "a call at "+victim.name+" without a database", func() {
		s, err := c.probe(victim)
		if err != nil || s.status != http.StatusServiceUnavailable && s.problem() != string(problems.CodeVaultUnavailable) {
			c.tb.Errorf("%s answers without a database: %.400s %v", victim.name, s.raw, err)
		}
	})
}

// frozenEverywhere fails the test unless each replica refuses the next write, and
// ends the freeze.
func (c *cluster) frozenEverywhere() {
	c.tb.Helper()
	for _, r := range c.replicas {
		if s, err := c.probe(r); err != nil || s.problem() != string(problems.CodeFrozen) {
			c.tb.Errorf("%s does not know of the freeze: %.400s %v", r.name, s.raw, err)
		}
	}
	s := c.cli("unfreeze", "--approver", approver).atTerminal(c.tb)
	s.answer("Passphrase of approver", passphrase)
	s.end()
}

// terminate ends all connections of a replica and some of the others'.
func (c *cluster) terminate(victim *replica) {
	c.tb.Helper()
	for _, pid := range c.db.column(`SELECT pid::text FROM pg_stat_activity WHERE application_name LIKE 'replica-%' ORDER BY application_name = $1 DESC, pid`, victim.name) {
		if c.main.random.IntN(3) > 0 {
			c.db.column(`SELECT pg_terminate_backend($1::int)::text`, pid)
		}
	}
}

// heldLock says of the lock that writers wait for, if a replica has it, whether the
// server has waited for that replica so long that nothing is on its way.
const heldLock = `SELECT (state = 'idle in transaction' AND clock_timestamp() - state_change > interval '200 ms')::text
	FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND classid = 1886221424 AND granted AND application_name = $1`

// pauseInTransaction pauses a replica while it has the lock that writers wait for.
func (c *cluster) pauseInTransaction(victim *replica) {
	c.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	client, tenant := c.newClient(3), c.probes[slices.Index(c.replicas[:], victim)]
	busy.Go(func() {
		for ctx.Err() == nil {
			_, _ = client.next(victim, victim, tenant)
		}
	})
	testkit.WaitFor(c.tb, victim.name+" is paused in a transaction", func() bool {
		victim.pause()
		for began, held := time.Now(), true; held && time.Since(began) < pauseTime; {
			idle := c.db.column(heldLock, victim.name)
			if slices.Contains(idle, "true") {
				return true
			}
			held = len(idle) > 0
		}
		victim.resume()
		return false
	})
	cancel()
	c.beside.Go(busy.Wait) // its last call is answered once the replica continues
}

// approvedTwice has an approver approve a write in a tenant of its own, and returns
// what redeems it at all replicas at once.
func (c *cluster) approvedTwice(r *round) (redeem func()) {
	c.tb.Helper()
	if r.fault == "kill" || r.fault == "nothing" {
		return func() {}
	}
	tenant := c.take(1)[0].Name
	p := registering(tenant, ourID)
	waiting, err := c.main.call(c.main.any(), wiretest.Legacy, p, nil)
	if err != nil || waiting.Approval == nil {
		c.tb.Fatalf("no approval is waited for: %.300s %v", waiting.raw, err)
	}
	c.approve(waiting.Approval.ID)
	p.arguments["approval_id"] = waiting.Approval.ID
	return func() {
		for _, at := range c.replicas {
			client := c.newClient(4)
			c.beside.Go(func() {
				s, _ := client.call(at, wiretest.Legacy, p, nil) // one that was never answered says nothing
				c.acknowledge(tenant, s)
			})
		}
	}
}

// permitOpen fails the test unless a request that writes has an open permit when it
// arrives and when it was carried out, and one that reads for the plan has none.
func (c *cluster) permitOpen(r *round, h happening) {
	c.tb.Helper()
	open := len(c.db.column(`SELECT seq::text FROM events i WHERE kind = 'intent' AND tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM events o WHERE o.closes = i.seq)`, h.tenantID))
	if h.writes() && open != 1 || !h.writes() && !h.wrote && open != 0 {
		c.tb.Errorf("%s: %s has %d open permits", r, h, open)
	}
}

// head is the number of the newest entry.
func (c *cluster) head() string {
	return strings.Join(c.db.column(`SELECT max(seq)::text FROM events`), "")
}

// runSince is the run that was opened after an entry, "" for none.
func (c *cluster) runSince(seq string) string {
	return strings.Join(c.db.column(`SELECT body ->> 'run' FROM events WHERE kind = 'run opened' AND seq > $1::bigint`, seq), " ")
}
