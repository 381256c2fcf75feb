package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/wiretest"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/tools"
	"mcp-partner/vault"
)

// asking starts a server that asks its client before it writes.
func (w *world) asking(more ...string) *server {
	w.tb.Helper()
	s := w.cli(append([]string{"serve", "--allow-writes", "--approval", "requester", "--log-level", "error"}, more...)...).start(w.tb)
	s.greet(wiretest.Modern)
	return s
}

// asked proposes a write and returns the state that goes with the question.
func (s *server) asked(p proposal) string {
	s.tb.Helper()
	reply := s.ask(p.call("ask", nil))
	state, _ := reply.Path("requestState").(string)
	if state == "" {
		s.tb.Fatalf("nobody was asked: %s", reply.Raw)
	}
	return state
}

// A process that is killed at any point of a write leaves a whole record, in
// which the write stands if it was made. The next start spends no ticket a
// second time, and what became of the write is found out by a read.
func TestKilledAtEachPointOfAWrite(t *testing.T) {
	t.Parallel()
	for name, point := range map[string]struct {
		// place says which request is held when the process dies.
		place func(*gate) *hold
		// intent says whether the ticket was spent by then, carriedOut whether the
		// write had happened.
		intent, carriedOut bool
	}{
		"while the plan is made again":       {place: func(g *gate) *hold { return g.hold(http.MethodGet, false) }},
		"before the write is carried out":    {place: func(g *gate) *hold { return g.hold(http.MethodPut, false) }, intent: true},
		"after the write was carried out":    {place: func(g *gate) *hold { return g.hold(http.MethodPut, true) }, intent: true, carriedOut: true},
		"while what was written is read":     {place: readBack(false), intent: true, carriedOut: true},
		"after what was written was read":    {place: readBack(true), intent: true, carriedOut: true},
		"between the question and the reply": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, oneTenant())
			w.settle("contoso")
			s := w.asking()
			state := s.asked(registering("contoso", ourID))
			confirmed := registering("contoso", ourID).call("confirm", answered(state, "accept", ourID))
			if point.place != nil {
				held := point.place(w.gate)
				s.send(confirmed)
				held.await(t)
				s.kill()
				held.release <- false
			} else {
				s.kill()
			}
			w.afterTheKill(point.intent, point.carriedOut)
			w.replay(confirmed, point.intent)
		})
	}
}

// readBack holds the read that follows a write: the second one after the
// answer, because the plan is made again first.
func readBack(after bool) func(*gate) *hold {
	return func(g *gate) *hold {
		g.hold(http.MethodGet, false).release <- true
		return g.hold(http.MethodGet, after)
	}
}

// afterTheKill judges the record that a killed process left.
func (w *world) afterTheKill(intent, carriedOut bool) {
	w.tb.Helper()
	w.verify()
	entries := w.entries()
	intents := of(entries, "intent")
	if (len(intents) == 1) != intent || len(of(entries, "outcome")) != 0 || len(of(entries, "asked")) != 1 {
		w.tb.Fatalf("the record: %+v", entries)
	}
	if linked := w.tenant("contoso").PartnerID == ourID; linked != carriedOut {
		w.tb.Fatalf("linked: %v", linked)
	}
	w.reconcile(intent)
	outcomes := of(w.entries(), "outcome")
	if !intent {
		return
	}
	want := map[bool]string{true: "applied", false: "not_applied"}[carriedOut]
	if len(outcomes) != 1 || outcomes[0].Of != intents[0].Seq || outcomes[0].Result != want {
		w.tb.Errorf("the record closes with %+v, want %s", outcomes, want)
	}
	w.verify()
}

// replay presents the same answer to the next process.
func (w *world) replay(confirmed string, intent bool) {
	w.tb.Helper()
	if err := w.sim.ClearLink("contoso"); err != nil {
		w.tb.Fatal(err)
	}
	before := w.gate.written()
	s := w.asking()
	reply := s.ask(confirmed)
	s.rest()
	wrote := w.gate.written() - before
	if intent && (problem(reply) != string(problems.CodeApprovalExpired) || wrote != 0) {
		w.tb.Errorf("a spent ticket: %d writes, %s", wrote, reply.Raw)
	}
	if !intent && (status(reply) != "done" || wrote != 1) {
		w.tb.Errorf("a ticket that outlived its process: %d writes, %s", wrote, reply.Raw)
	}
	w.accounted()
	w.verify()
}

// reconcile is what a start does with the record, at a time when writes of a
// process that died have settled.
func (w *world) reconcile(intent bool) {
	w.tb.Helper()
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	o := w.open(later)
	defer o.close()
	closed, err := o.service.Reconcile(w.tb.Context())
	if err != nil || (closed == 1) != intent {
		w.tb.Errorf("%d intents were closed, %v", closed, err)
	}
}

// opened is the call path over the state directory of a world, in the process
// of the test.
type opened struct {
	*wiring
	record  *ledger.Ledger
	decider *guard.Guard
	service *tools.Service
}

func (w *world) open(now func() time.Time) *opened {
	w.tb.Helper()
	files, server := w.places()
	directory, err := tenants.OpenDirectory(files)
	check(w.tb, err)
	secrets, err := vault.OpenVault(files, vault.KeySource{}, nil)
	check(w.tb, err)
	pool := httpclient.NewPool(httpclient.Options{})
	inside := &wiring{tb: w.tb, directory: directory, http: pool, source: signin.NewSource(signin.Options{Directory: directory, Store: secrets, HTTP: pool})}
	o := &opened{wiring: inside, record: ledger.Open(ledger.Options{Dir: disk.New(w.state), Server: server, Keys: secrets.Keyring(), Now: now})}
	o.decider, err = guard.New(guard.Options{AllowWrites: true, Store: o.record, Now: now})
	check(w.tb, err)
	o.service = tools.NewService(tools.Deps{Directory: wiredDirectory{directory}, Clients: named{inside}, Guard: o.decider, Now: now})
	return o
}

func (o *opened) close() {
	o.tb.Helper()
	check(o.tb, o.record.Close())
	o.source.Close()
	o.http.CloseIdle()
}

// The process dies at a time that nobody chose, many times over: no write ever
// arrives without its intent, and no ticket is spent twice.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	rounds := 16
	if raceFlags() != nil { // the binary is many times slower then
		rounds = 5
	}
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	took := w.timed()
	for round := range rounds {
		check(t, w.sim.ClearLink("contoso"))
		s := w.asking()
		state := s.asked(registering("contoso", ourID))
		confirmed := registering("contoso", ourID).call("confirm", answered(state, "accept", ourID))
		s.send(confirmed)
		time.Sleep(time.Duration(rand.Int64N(int64(took)))) // no point is waited for: any will do
		s.kill()
		before := w.gate.written()
		check(t, w.sim.ClearLink("contoso"))
		next := w.asking()
		reply := next.ask(confirmed)
		next.rest()
		t.Logf("round %d: %d writes before, then %v %v", round, before, status(reply), problem(reply))
	}
	w.verify()
	w.accounted()
	entries := w.entries()
	if intents := len(of(entries, "intent")); intents > rounds+1 || len(of(entries, "confirmed")) != intents {
		t.Errorf("%d intents of %d tickets, %d confirmations", intents, rounds+1, len(of(entries, "confirmed")))
	}
	unfinished := len(of(entries, "intent")) - len(of(entries, "outcome"))
	t.Logf("%d of %d intents were left without an outcome", unfinished, len(of(entries, "intent")))
}

// timed makes one write and returns how long it took from the answer on.
func (w *world) timed() time.Duration {
	w.tb.Helper()
	s := w.asking()
	state := s.asked(registering("contoso", ourID))
	began := time.Now()
	if reply := s.ask(registering("contoso", ourID).call("confirm", answered(state, "accept", ourID))); status(reply) != "done" {
		w.tb.Fatalf("%s", reply.Raw)
	}
	took := time.Since(began)
	s.rest()
	return max(took, time.Millisecond)
}

// named asks for the credential that the directory names.
type named struct{ *wiring }

// Client implements tools.Clients.
func (n named) Client(_ context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	return n.build(tenant.Name, credential)
}
