//go:build !windows

package e2e

import (
	"database/sql"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/answers"
)

// failoverTenants are those of a failover.
const failoverTenants = 2

// failover has PostgreSQL die and a standby promoted that lacks the last entries. What
// was approved and issued before is void at each of three servers, also what was spent
// in the entries that are lost.
func (c *cluster) failover() {
	c.tb.Helper()
	for _, r := range c.replicas {
		r.start()
	}
	spent, open := c.take(1)[0].Name, c.take(1)[0].Name
	p := registering(spent, ourID)
	answer := answered(c.question(c.replicas[0], p), "accept", ourID)
	approved := registering(open, ourID)
	waiting, err := c.main.call(c.replicas[1], wiretest.Legacy, approved, nil)
	if err != nil || waiting.Approval == nil {
		c.tb.Fatalf("no approval is waited for: %.300s %v", waiting.raw, err)
	}
	c.approve(waiting.Approval.ID)
	approved.arguments["approval_id"] = waiting.Approval.ID
	standby := c.standby()
	if s, err := c.main.call(c.replicas[2], wiretest.Modern, p, answer); err != nil || s.Status != answers.StatusDone {
		c.tb.Fatalf("the write whose entries are lost: %.400s %v", s.raw, err)
	}
	c.recovers() // each replica writes what will be lost
	c.db.kill()
	c.promote(standby)
	for _, r := range c.replicas {
		c.refusesToken(r)
	}
	c.token = c.issue("agent", chaosScopes)
	check(c.tb, c.sim.ClearLink(spent))
	before := c.gate.written()
	for _, r := range c.replicas {
		c.refusesEarlier(r, p, answer)
		c.refusesEarlier(r, approved, nil)
	}
	if wrote := c.gate.written() - before; wrote != 0 {
		c.tb.Errorf("%d writes by what was approved before", wrote)
	}
	c.recovers()
	if o := c.cli("ledger", "verify").run(c.tb); o.code != 1 || !strings.Contains(o.both(), " are missing: ") || len(of(c.entries(), "rollback")) == 0 {
		c.tb.Errorf("the lost entries are no gap; ledger verify ends with %d: %s", o.code, o.both())
	}
}

// standby starts a second PostgreSQL that has what was written until now, and nothing
// of what comes.
func (c *cluster) standby() *url.URL {
	c.tb.Helper()
	at, err := url.Parse(pgtest.Standby(c.tb))
	check(c.tb, err)
	at.RawQuery = c.db.url.RawQuery
	db, err := sql.Open("pgx", at.String())
	check(c.tb, err)
	defer db.Close()
	for _, statement := range []string{"ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"} {
		_, err := db.Exec(statement)
		check(c.tb, err)
	}
	testkit.WaitFor(c.tb, "the standby follows nobody", func() bool {
		var following int
		return db.QueryRow("SELECT count(*) FROM pg_stat_wal_receiver").Scan(&following) == nil && following == 0
	})
	return at
}

// promote makes the standby the server that everybody reaches.
func (c *cluster) promote(standby *url.URL) {
	c.tb.Helper()
	db, err := sql.Open("pgx", standby.String())
	check(c.tb, err)
	defer db.Close()
	_, err = db.Exec("SELECT pg_promote()")
	check(c.tb, err)
	for _, r := range c.replicas {
		r.path.lead(standby.Host)
	}
	c.write(filepath.Join(c.dir, "database-url"), standby.String()+"\n")
}

// refusesToken waits until a replica refuses a token that was issued before. Until
// then it may only say that it cannot know.
func (c *cluster) refusesToken(r *replica) {
	c.tb.Helper()
	var last attempted
	testkit.WaitFor(c.tb, r.name+" refuses the token", func() bool {
		last.said, last.err = c.main.read(r, c.watched)
		if last.err == nil && last.status == http.StatusOK && last.Status == answers.StatusDone {
			c.tb.Fatalf("%s takes a token of before: %s", r.name, last.raw)
		}
		return last.status == http.StatusUnauthorized
	}, &last)
}

// refusesEarlier fails the test unless a replica refuses what was approved before.
func (c *cluster) refusesEarlier(r *replica, p proposal, more wiretest.Object) {
	c.tb.Helper()
	s, err := c.main.call(r, wiretest.Modern, p, more)
	if err != nil || s.Status != answers.StatusRefused || !strings.HasPrefix(s.problem(), "approval_") {
		c.tb.Errorf("%s, approved before: %.400s %v", r.name, s.raw, err)
	}
}
