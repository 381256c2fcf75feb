//go:build !windows

package e2e

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
)

const (
	replicas    = 3
	chaosScopes = "partner.read,partner.write,partner.change"
)

// cluster is three servers on one PostgreSQL, each with a network path of its own to
// it, before a crowd of tenants.
type cluster struct {
	*crowd
	db       *postgres
	ambush   *ambush
	replicas [replicas]*replica
	seed     uint64
	token    string
	// main is the client of the test itself.
	main *client
	// unused are the tenants that nobody has used.
	unused []simulator.Tenant
	// watched is a tenant whose link nobody touches, probes has one for each replica.
	watched string
	probes  [replicas]string
	// beside are calls that nobody waits for before the end.
	beside sync.WaitGroup

	mu sync.Mutex
	// done counts, by tenant, the writes that a client was told are done.
	done map[string]int
}

func newCluster(t *testing.T, seed uint64, tenants int) *cluster {
	t.Helper()
	t.Setenv(onPostgres, "1")
	c := &cluster{crowd: newCrowd(t, tenants), seed: seed, done: map[string]int{}}
	c.ambush = &ambush{next: c.trap.next, arrived: map[string]int{}}
	c.gate.next = c.ambush
	url, err := os.ReadFile(filepath.Join(c.dir, "database-url"))
	check(t, err)
	c.db = openDatabase(t, strings.TrimSpace(string(url)))
	c.appoint()
	c.token = c.issue("agent", chaosScopes)
	s := c.asking() // makes the keys that all replicas share
	s.asked(registering(c.sim.Tenants()[0].Name, ourID))
	s.rest()
	c.main, c.unused = c.newClient(0), c.sim.Tenants()
	c.watched = c.take(1)[0].Name
	check(t, c.sim.SetLink(c.watched, ourID))
	for i := range c.replicas {
		c.probes[i] = c.take(1)[0].Name
		c.replicas[i] = c.newReplica(i)
		c.replicas[i].start()
	}
	return c
}

// replica is one server.
type replica struct {
	c     *cluster
	name  string
	state string
	path  *networkPath

	mu   sync.Mutex
	proc *server
	url  string
}

// newReplica makes the state directory of a replica: a copy of the one that the
// commands use, except for the way to the database.
func (c *cluster) newReplica(n int) *replica {
	c.tb.Helper()
	name := fmt.Sprintf("replica-%d", n)
	r := &replica{c: c, name: name, state: filepath.Join(c.dir, name), path: newNetworkPath(c.tb, c.db.url.Host)}
	check(c.tb, filepath.WalkDir(c.state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := r.state + strings.TrimPrefix(path, c.state)
		if entry.IsDir() {
			return os.Mkdir(to, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	}))
	file := filepath.Join(c.dir, name+"-url")
	c.write(file, c.db.through(r.path.address(), name)+"\n")
	c.write(filepath.Join(r.state, "config.yaml"), "database-url-file: "+file+"\n")
	return r
}

// start starts the server and waits until it listens.
func (r *replica) start() {
	r.c.tb.Helper()
	serve := []string{"serve", "--allow-writes", "--approval", "requester", "--http", "127.0.0.1:0", "--behind-proxy", "--state-dir", r.state}
	proc := invocation{args: serve}.start(r.c.tb)
	url := proc.address()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proc, r.url = proc, url
}

func (r *replica) running() (*server, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proc, r.url
}

func (r *replica) kill() {
	proc, _ := r.running()
	proc.kill()
}

// pause stops the process as it stands, and resume lets it continue.
func (r *replica) pause()  { r.deliver(syscall.SIGSTOP) }
func (r *replica) resume() { r.deliver(syscall.SIGCONT) }

func (r *replica) deliver(signal syscall.Signal) {
	proc, _ := r.running()
	if err := proc.command.Process.Signal(signal); err != nil {
		r.c.tb.Errorf("%s gets no %v: %v", r.name, signal, err)
	}
}

// client calls tools, each call at the replica that it names.
type client struct {
	c      *cluster
	random *rand.Rand
	http   *http.Transport
	// token is that of this client alone, "" for that of the test.
	token string
}

// newClient is a client whose choices come from the seed and its number.
func (c *cluster) newClient(n uint64) *client {
	transport := &http.Transport{}
	c.tb.Cleanup(transport.CloseIdleConnections)
	return &client{c: c, random: rand.New(rand.NewPCG(c.seed, n)), http: transport}
}

// any is one of the replicas.
func (c *client) any() *replica { return c.c.replicas[c.random.IntN(replicas)] }

// said is what a server answers to a call of a tool.
type said struct {
	answers.Envelope
	// question goes back with the answer, where the client is asked.
	question string
	status   int
	raw      string
}

func (s said) problem() string {
	if s.Problem == nil {
		return ""
	}
	return string(s.Problem.Code)
}

// call calls a tool. An error means that no answer came.
func (c *client) call(r *replica, era wiretest.Era, p proposal, more wiretest.Object) (said, error) {
	_, url := r.running()
	body := callIn(era, 1, p.tool, p.arguments, more)
	h := wiretest.HTTPAt(c.c.tb, url, cmp.Or(c.token, c.c.token), c.http)
	request := h.NewRequest(body)
	request.Header.Set("Mcp-Protocol-Version", string(era))
	answer, err := h.Try(request)
	if err != nil {
		return said{}, err
	}
	var reply struct {
		Result struct {
			RequestState string           `json:"requestState"`
			Content      answers.Envelope `json:"structuredContent"`
		}
	}
	if err := json.Unmarshal(lastMessage(answer.Body), &reply); err != nil {
		return said{}, fmt.Errorf("%d %.200s: %w", answer.Status, answer.Body, err)
	}
	return said{reply.Result.Content, reply.Result.RequestState, answer.Status, string(answer.Body)}, nil
}

// read asks what is linked in a tenant.
func (c *client) read(r *replica, tenant string) (said, error) {
	return c.call(r, wiretest.Modern, proposal{"check_partner_link", wiretest.Object{"tenant": tenant}}, nil)
}

// write has a question asked by one replica, and its answer carried out by another.
func (c *client) write(asks, writes *replica, p proposal, typed string) (said, error) {
	asked, err := c.call(asks, wiretest.Modern, p, nil)
	if err != nil || asked.question == "" {
		return asked, err
	}
	return c.call(writes, wiretest.Modern, p, answered(asked.question, "accept", typed))
}

// step is the next write in a tenant that is not linked, linked to ourID, linked to
// otherID, and so on, and what has to be typed for it.
func step(tenant string, link *answers.Link) (p proposal, typed string) {
	switch {
	case link.State.Absent():
		return proposal{"register_partner", wiretest.Object{"tenant": tenant, "partner_id": ourID}}, ourID
	case link.PartnerID == ourID:
		return proposal{"update_partner", wiretest.Object{"tenant": tenant, "partner_id": otherID}}, otherID
	default:
		return proposal{"remove_partner", wiretest.Object{"tenant": tenant, "partner_id": otherID}}, tenant
	}
}

// happening is a request for a link when it arrives, or when it was carried out.
type happening struct {
	tenantID, method string
	after            bool
	// wrote says that an earlier request wrote in this tenant.
	wrote bool
}

func (h happening) writes() bool { return h.method != http.MethodGet }

func (h happening) String() string {
	return fmt.Sprintf("%s, carried out: %v", h.method, h.after)
}

// ambush is a trap that counts for some tenants alone, or their writes alone.
type ambush struct {
	next http.Handler

	mu      sync.Mutex
	watched map[string]bool
	writes  bool
	// events are those so far, writing the writes among them.
	events  int
	writing int
	at      int
	wrote   map[string]bool
	// spring says whether the request gets an answer.
	spring func(happening) bool
	active sync.WaitGroup
	// arrived counts the requests that write, by tenant.
	arrived map[string]int
}

// set lies in wait for the event with a number from now on; 0 is never.
func (a *ambush) set(tenants []simulator.Tenant, writes bool, at int, spring func(happening) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watched, a.wrote, a.writes, a.events, a.writing, a.at, a.spring = map[string]bool{}, map[string]bool{}, writes, 0, 0, at, spring
	for _, t := range tenants {
		a.watched[t.TenantID] = true
	}
}

// counted are the events so far, and the writes among them.
func (a *ambush) counted() (events, writing int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.events, a.writing
}

func (a *ambush) event(h happening) {
	a.mu.Lock()
	h.wrote = a.wrote[h.tenantID]
	a.events++
	number := a.events
	if h.writes() {
		a.wrote[h.tenantID] = true
		a.writing++
	}
	if a.writes {
		number = a.writing
	}
	sprung := number == a.at && (h.writes() || !a.writes)
	spring := a.spring
	a.mu.Unlock()
	if sprung && !spring(h) {
		panic(http.ErrAbortHandler)
	}
}

// ServeHTTP implements http.Handler.
func (a *ambush) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant := tenantOf(r)
	a.mu.Lock()
	watched := a.watched[tenant] && strings.Contains(r.URL.Path, "/partners")
	if r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/partners") {
		a.arrived[tenant]++
	}
	if watched {
		a.active.Add(1)
	}
	a.mu.Unlock()
	if !watched {
		a.next.ServeHTTP(w, r)
		return
	}
	defer a.active.Done()
	a.event(happening{tenantID: tenant, method: r.Method})
	answer := httptest.NewRecorder()
	a.next.ServeHTTP(answer, r)
	a.event(happening{tenantID: tenant, method: r.Method, after: true})
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client may have disconnected
}

// tenantOf is the tenant of a request's token.
func tenantOf(r *http.Request) string {
	parts := strings.Split(r.Header.Get("Authorization"), ".")
	if len(parts) != 3 {
		return ""
	}
	body, _ := base64.RawURLEncoding.DecodeString(parts[1]) // not a token: no tenant
	var claims struct {
		Tenant string `json:"tid"`
	}
	_ = json.Unmarshal(body, &claims)
	return claims.Tenant
}

// within fails the test if something takes longer than it may.
func (c *cluster) within(limit time.Duration, what string, do func()) {
	c.tb.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > limit {
		c.tb.Errorf("%s took %s, more than %s", what, took.Round(time.Millisecond), limit)
	}
}
