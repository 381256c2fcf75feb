package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

// crowd is a world of many tenants that share one credential, and a trap
// between the program and their links.
type crowd struct {
	*world
	trap *trap
}

func newCrowd(tb testing.TB, tenants int) *crowd {
	tb.Helper()
	w := newWorld(tb, simulator.Config{Tenants: tenants, LinkedPercent: -1, Throttle: plenty()})
	c := &crowd{w, newTrap(w.gate.next)}
	w.gate.next = c.trap
	w.cli("vault", "init").must(tb)
	rows := []string{"name,tenant_id,cloud,arm_endpoint,arm_audience,authority,skip_instance_discovery"}
	for _, t := range w.sim.Tenants() {
		rows = append(rows, strings.Join([]string{t.Name, t.TenantID, "custom", w.url, w.sim.Audience(), w.url + "/", "true"}, ","))
	}
	list := filepath.Join(w.dir, "tenants.csv")
	w.write(list, strings.Join(rows, "\n")+"\n")
	i := w.cli("tenants", "import", list, "--credential", "app", "--client-id", w.sim.ClientID(), "--secret-stdin", "--ca-file", w.caFile, "--yes")
	i.stdin = w.sim.ClientSecret()
	i.must(tb)
	return c
}

func plenty() simulator.Throttle {
	return simulator.Throttle{Reads: simulator.Bucket{Size: 100_000, PerSecond: 100_000}, Writes: simulator.Bucket{Size: 100_000, PerSecond: 100_000}}
}

// trap counts what happens at the links: each request when it arrives and when
// it was carried out. At one of these points it springs, and that request gets
// no answer.
type trap struct {
	next http.Handler

	mu     sync.Mutex
	events int
	at     int
	spring func()
	active int
	idle   *sync.Cond // a sync.WaitGroup takes no request that arrives while somebody waits
}

func newTrap(next http.Handler) *trap {
	t := &trap{next: next}
	t.idle = sync.NewCond(&t.mu)
	return t
}

func (t *trap) come(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active += n
	t.idle.Broadcast()
}

// rest waits until no request is under way.
func (t *trap) rest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.active > 0 {
		t.idle.Wait()
	}
}

// set makes the trap spring at an event from now on; 0 is never.
func (t *trap) set(at int, spring func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events, t.at, t.spring = 0, at, spring
}

func (t *trap) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events
}

func (t *trap) event() {
	t.mu.Lock()
	t.events++
	spring := t.spring
	sprung := t.events == t.at
	t.mu.Unlock()
	if sprung {
		spring()
		panic(http.ErrAbortHandler)
	}
}

// ServeHTTP implements http.Handler.
func (t *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "/partners") {
		t.next.ServeHTTP(w, r)
		return
	}
	t.come(1)
	defer t.come(-1)
	t.event()
	answer := httptest.NewRecorder()
	t.next.ServeHTTP(answer, r)
	t.event()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client may have disconnected
}

// errand is a command that writes to all tenants, and what it should come to.
type errand struct {
	name  string
	args  []string
	tool  string
	links string // linked before, "" for nothing
	// writes are the methods that carry out one tenant, in order.
	writes []string
}

func errands() []errand {
	transition := []string{"transition", "--from", otherID, "--to", ourID}
	return []errand{
		{"ensure", []string{"ensure", "--partner-id", ourID}, schemas.ToolEnsurePartnerLinks, "", []string{"PUT"}},
		{"update", transition, schemas.ToolTransitionPartner, otherID, []string{"PATCH"}},
		{"remove-then-register", append(append([]string{}, transition...), "--strategy", "remove-then-register"), schemas.ToolTransitionPartner, otherID, []string{"DELETE", "PUT"}},
	}
}

// unasked lets a command write without a person, for IDs that are bounded.
func unasked() []string {
	return []string{"--allow-writes", "--approval", "none", "--partner-ids", ourID + "," + otherID}
}

func (c *crowd) stage(e errand) {
	c.tb.Helper()
	for _, t := range c.sim.Tenants() {
		if e.links == "" {
			check(c.tb, c.sim.ClearLink(t.TenantID))
		} else {
			check(c.tb, c.sim.SetLink(t.TenantID, e.links))
		}
	}
}

// report is what a command says of a run.
type report struct {
	Status  string              `json:"status"`
	Summary string              `json:"summary"`
	RunID   string              `json:"run_id"`
	Totals  map[string]int      `json:"totals"`
	Changes []answers.ChangeRow `json:"changes"`
}

func (c *crowd) do(args ...string) report {
	c.tb.Helper()
	o := c.cli(append(args, "--json")...).run(c.tb)
	var r report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		c.tb.Fatalf("%v ended with %d: %s", args, o.code, o.both())
	}
	return r
}

// openRuns are the runs of a command that have not ended, newest first.
func (c *crowd) openRuns(command string) (ids []string) {
	c.tb.Helper()
	var list struct {
		Runs []struct {
			ID    string `json:"run_id"`
			State string `json:"state"`
		} `json:"runs"`
	}
	check(c.tb, json.Unmarshal([]byte(c.cli(command, "--list", "--json").must(c.tb).stdout), &list))
	for _, r := range list.Runs {
		if r.State == "open" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// killed runs a command and kills its process at an event; it returns false if
// the command came to its end before.
func (c *crowd) killed(at int, args []string) bool {
	c.tb.Helper()
	s := c.cli(args...)
	command := s.command(c.tb.Context())
	started, ended := make(chan struct{}), make(chan struct{})
	var died atomic.Bool
	c.trap.set(at, func() {
		died.Store(true)
		<-started // its first request may come before Start has returned
		_ = command.Process.Kill()
		<-ended
	})
	check(c.tb, command.Start())
	close(started)
	_ = command.Wait() // its state is not asked for
	close(ended)
	c.trap.rest()
	c.trap.set(0, nil)
	return died.Load()
}

// written are the writes that changed links since a place in the journal, by
// tenant and in order.
func (c *crowd) written(since int) map[string][]string {
	by := map[string][]string{}
	for _, record := range c.sim.Journal()[since:] {
		if record.Written {
			by[record.TenantID] = append(by[record.TenantID], record.Method)
		}
	}
	return by
}

// carriedOut fails the test unless every tenant was written to exactly as the
// errand says, once.
func (c *crowd) carriedOut(e errand, since int, what string) {
	c.tb.Helper()
	by := c.written(since)
	for _, t := range c.sim.Tenants() {
		if got := strings.Join(by[t.TenantID], " "); got != strings.Join(e.writes, " ") || t.PartnerID != ourID {
			c.tb.Errorf("%s: %s was written to by %q, and %q is linked", what, t.Name, got, t.PartnerID)
		}
	}
}

// settledRecord fails the test unless the record is whole, every write that
// arrived has an intent before it, and every intent an outcome.
func (c *crowd) settledRecord(what string) {
	c.tb.Helper()
	c.verify()
	entries := c.entries()
	intents, outcomes := of(entries, "intent"), of(entries, "outcome")
	if len(intents) != len(outcomes) || c.gate.written() > len(intents) {
		c.tb.Errorf("%s: %d writes arrived, %d intents, %d outcomes", what, c.gate.written(), len(intents), len(outcomes))
	}
}

// thorough says whether long variants are to be run, as bash .ci/run --full does.
func thorough() bool { return os.Getenv("E2E_FULL") != "" }

// points are the events at which a process is killed: all of them, or some that
// are spread over the run.
func points(events, some int) (at []int) {
	step := max(1, events/some)
	if thorough() {
		step = 1
	}
	for n := 1; n <= events; n += step {
		at = append(at, n)
	}
	return at
}

func describe(e errand, at int) string { return fmt.Sprintf("%s, killed at event %d", e.name, at) }
