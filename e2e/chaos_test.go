//go:build !windows

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

const (
	// chaosVariable holds the seed, which the CI lane chaos sets.
	chaosVariable = "E2E_CHAOS"
	// chaosTenants is how many tenants a run has, which are those of one round.
	chaosTenants = 5
	// pauseTime is longer than the server lets a transaction stand still.
	pauseTime = 4 * time.Second
	// lockTimeout is how long a replica waits for another one's transaction, of which
	// the server ends one that stands still after 3 seconds.
	lockTimeout = 5 * time.Second
	// chaosMargin is what a busy machine adds to a time-out.
	chaosMargin = 5 * time.Second
)

// Three servers on one PostgreSQL carry out runs and single writes while one of them
// is killed or paused, connections end, PostgreSQL crashes, and networks fail. In the
// end each write stands in the record, and none was made twice.
func TestChaos(t *testing.T) {
	text := os.Getenv(chaosVariable)
	if text == "" {
		t.Skipf("%s is not set: bash .ci/run chaos sets it", chaosVariable)
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	check(t, err)
	t.Logf("%s=%d repeats these rounds", chaosVariable, seed)
	calm := calmRounds()
	c := newCluster(t, seed, loadTenants+failoverTenants+(1+chaosTenants)*(len(calm)+mostRounds(thorough())))
	c.play(calm)
	stop := c.load()
	rounds := chaosRounds(seed, calm)
	c.play(rounds)
	stop()
	c.settle(slices.Concat(calm, rounds))
	c.invariants()
	if thorough() {
		c.failover()
	}
}

// round is a run over tenants of its own, and what happens at one point of it.
type round struct {
	fault  string
	errand errand
	// at is the number of the event, of all or of the writes alone.
	at      int
	writes  bool
	victim  int
	tenants []simulator.Tenant
	// events are what a calm round counted.
	events, writing int
	run             string
}

func (r *round) String() string {
	what := "event"
	if r.writes {
		what = "write"
	}
	return fmt.Sprintf("%s, %s at %s %d of replica %d", r.errand.name, r.fault, what, r.at, r.victim)
}

// proposal is the call that opens the run, and what has to be typed for it.
func (r *round) proposal() (p proposal, typed string) {
	var names []string
	for _, t := range r.tenants {
		names = append(names, t.Name)
	}
	arguments := wiretest.Object{"tenants": names}
	if r.errand.links == "" {
		arguments["partner_id"] = ourID
		return proposal{r.errand.tool, arguments}, ourID
	}
	arguments["from"], arguments["to"] = []string{otherID}, ourID
	if len(r.errand.writes) > 1 {
		arguments["strategy"] = r.errand.name
	}
	return proposal{r.errand.tool, arguments}, ourID + " " + strconv.Itoa(len(names))
}

// calmRounds count the points of each errand.
func calmRounds() (all []*round) {
	for i, e := range errands() {
		all = append(all, &round{fault: "nothing", errand: e, victim: i % replicas})
	}
	return all
}

// faults are those that do not end the process.
func faults() []string {
	return []string{"pause", "pause in a transaction", "terminate connections", "crash PostgreSQL", "cut", "swallow", "delay", "freeze"}
}

// chaosRounds are chosen by the seed: kills at some points of each errand and each
// other fault once; with --full kills at every point, and each other fault with each
// errand. Which tenant is at a point is left to the scheduler.
func chaosRounds(seed uint64, calm []*round) (all []*round) {
	random := rand.New(rand.NewPCG(seed, 0))
	add := func(fault string, from *round, writes bool, at int) {
		all = append(all, &round{fault: fault, errand: from.errand, writes: writes, at: at, victim: random.IntN(replicas)})
	}
	for i, from := range calm {
		if thorough() {
			for at := range from.events {
				add("kill", from, false, at+1)
			}
		}
		add("kill", from, true, 1+random.IntN(from.writing))
		add("kill", from, false, 1+random.IntN(from.events))
		for j, fault := range faults() {
			if thorough() || j%len(calm) == i {
				add(fault, from, true, 1+random.IntN(from.writing))
			}
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// mostRounds bounds the rounds, before it is known how many points there are.
func mostRounds(thorough bool) int {
	const points = 2 * chaosTenants * 8 // a replacement has two writes, each with a read before, behind and between
	n := len(errands())*2 + len(faults())
	if thorough {
		n = len(errands()) * (points + 2 + len(faults()))
	}
	return n
}

func (c *cluster) play(rounds []*round) {
	for i, r := range rounds {
		began := time.Now()
		r.tenants = c.take(chaosTenants)
		for _, t := range r.tenants {
			if r.errand.links != "" {
				check(c.tb, c.sim.SetLink(t.TenantID, r.errand.links))
			}
		}
		c.round(r)
		c.tb.Logf("round %d: %s: %s, %s", i, r, time.Since(began).Round(time.Millisecond), r.run)
	}
}

// take takes tenants that nobody has used.
func (c *cluster) take(n int) []simulator.Tenant {
	if len(c.unused) < n {
		c.tb.Fatal("there are too few tenants for these rounds")
	}
	taken := c.unused[:n]
	c.unused = c.unused[n:]
	return taken
}

// attempted is a call that may never be answered.
type attempted struct {
	said
	err error
}

// String shows a test that waits what came last.
func (a *attempted) String() string { return fmt.Sprintf("%.1000s %v", a.raw, a.err) }

func (c *cluster) round(r *round) {
	c.tb.Helper()
	victim := c.replicas[r.victim]
	other := c.replicas[(r.victim+1)%replicas]
	before := c.head()
	p, typed := r.proposal()
	question := c.question(other, p)
	redeem := c.approvedTwice(r)
	reached, release := make(chan happening), make(chan bool)
	c.ambush.set(r.tenants, r.writes, r.at, func(h happening) bool {
		reached <- h
		return <-release
	})
	answer := make(chan attempted, 1)
	go func() {
		s, err := c.newClient(1).call(victim, wiretest.Modern, p, answered(question, "accept", typed))
		answer <- attempted{s, err}
	}()
	select {
	case h := <-reached:
		c.permitOpen(r, h)
		redeem()
		c.strike(r, victim, release)
	case a := <-answer:
		if r.at != 0 {
			c.tb.Errorf("%s: the run came to its end before: %.300s %v", r, a.raw, a.err)
		}
		answer <- a
	}
	r.events, r.writing = c.ambush.counted()
	if r.fault == "crash PostgreSQL" {
		c.db.start()
	}
	r.run = c.runSince(before)
	c.afterwards(r, victim, other, answer)
	if r.fault != "nothing" {
		r.run = c.runSince(before)
		c.resume(r, other)
	}
}

// strike does the harm and lets the request go on, or not.
func (c *cluster) strike(r *round, victim *replica, release chan<- bool) {
	c.tb.Helper()
	switch r.fault {
	case "kill":
		victim.kill()
		release <- false
		return
	case "pause":
		victim.pause()
	case "terminate connections":
		c.terminate(victim)
	case "crash PostgreSQL":
		c.db.kill()
	case "cut":
		victim.path.set(cuts)
	case "swallow":
		victim.path.set(swallows)
	case "delay":
		victim.path.set(delays)
	case "freeze":
		invocation{args: []string{"freeze", "--reason", "chaos", "--state-dir", victim.state}}.must(c.tb)
	case "pause in a transaction":
		release <- true
		c.pauseInTransaction(victim)
		return
	}
	release <- true
}

// afterwards looks at what the others make of it, undoes the harm, and has another
// replica resume the run.
func (c *cluster) afterwards(r *round, victim, other *replica, answer <-chan attempted) {
	c.tb.Helper()
	switch r.fault {
	case "kill":
		c.ambush.active.Wait()
		c.reported(r, other)
		c.resume(r, other)
		victim.start()
	case "pause", "pause in a transaction":
		c.othersGoOn(victim, pauseTime)
		c.resume(r, other)
		victim.resume()
	case "cut":
		c.failsClosed(victim, 0)
		victim.path.set(forwards)
	case "swallow":
		c.failsClosed(victim, pauseTime)
		victim.path.set(forwards)
	case "freeze":
		c.frozenEverywhere()
	}
	select {
	case a := <-answer:
		c.tb.Logf("  answered: %s %s %s, %v", a.Status, a.problem(), a.Summary, a.err)
	case <-time.After(2 * patience):
		c.tb.Errorf("%s: the call was never answered", r)
	}
	victim.path.set(forwards)
	c.recovers()
}

// question asks until there is one, as clients do after a failure.
func (c *cluster) question(at *replica, p proposal) (question string) {
	c.tb.Helper()
	var last attempted
	testkit.WaitFor(c.tb, "a question is asked", func() bool {
		last.said, last.err = c.main.call(at, wiretest.Modern, p, nil)
		return last.question != ""
	}, &last)
	return last.question
}

// resume has a replica resume a run beside everything else.
func (c *cluster) resume(r *round, at *replica) {
	if r.run == "" {
		return
	}
	client := c.newClient(2)
	c.beside.Go(func() {
		p := proposal{r.errand.tool, wiretest.Object{"run_id": r.run, "resume": true}}
		_, _ = client.call(at, wiretest.Modern, p, nil) // what came of it is seen in the end
	})
}

// reported fails the test unless each tenant that has lost its link is named by
// another replica, before anything is resumed.
func (c *cluster) reported(r *round, at *replica) {
	c.tb.Helper()
	if r.run == "" {
		for _, t := range r.tenants {
			if n := c.arrived(t.TenantID); n > 0 {
				c.tb.Errorf("%s: %s was written to without a run", r, t.Name)
			}
		}
		return
	}
	s, err := c.main.call(at, wiretest.Modern, proposal{r.errand.tool, wiretest.Object{"run_id": r.run}}, nil)
	if err != nil || s.Problem != nil && s.Changes == nil {
		c.tb.Errorf("%s: %s does not show the run: %.300s, %v", r, at.name, s.raw, err)
	}
	c.strandedReported(r, s.Changes)
}

func (c *cluster) strandedReported(r *round, rows []answers.ChangeRow) {
	c.tb.Helper()
	for _, t := range r.tenants {
		i := slices.IndexFunc(rows, func(row answers.ChangeRow) bool { return row.Tenant == t.Name })
		lost := r.errand.links != "" && c.tenant(t.Name).PartnerID == ""
		if i < 0 || lost && rows[i].State != answers.ChangeUnfinished && rows[i].State != answers.ChangeStranded {
			c.tb.Errorf("%s: %s has no link, and the run says %+v", r, t.Name, rows)
		}
	}
}
