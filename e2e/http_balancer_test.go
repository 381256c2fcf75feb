//go:build !windows

package e2e

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

// pair is two processes behind a balancer that sends each request to the one whose
// turn it is, and a caller with a token. They share a state directory; with a
// database each has its own, and the second one nothing in it but its config file.
type pair struct {
	*world
	processes [2]*server
	web       connection
	// served counts what each process was sent.
	served [2]atomic.Int64
}

func newPair(t *testing.T, onServer bool) *pair {
	t.Helper()
	p := &pair{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1})}
	if onServer && os.Getenv(onPostgres) == "" {
		p.keepOnServer()
	}
	for _, tenant := range p.sim.Tenants() {
		check(t, p.sim.ClearLink(tenant.TenantID))
	}
	p.settle("contoso", "fabrikam")
	p.appoint()
	token := p.issue("agent", "partner.read,partner.write,partner.change")
	var behind [2]http.Handler
	for i := range p.processes {
		process := p.cli("serve", "--allow-writes", "--approval", "ask", "--http", "127.0.0.1:0", "--behind-proxy")
		if i == 1 && onServer {
			process.args = append(process.args[:len(process.args)-1], p.otherMachine(), "--identity-file", filepath.Join(p.state, "vault.key"))
		}
		p.processes[i] = process.start(t)
		target, err := url.Parse(strings.TrimSuffix(p.processes[i].address(), "/mcp"))
		check(t, err)
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.FlushInterval = -1
		// A transport of its own: others close connections of the default one.
		own := http.DefaultTransport.(*http.Transport).Clone()
		t.Cleanup(own.CloseIdleConnections)
		proxy.Transport = own
		behind[i] = proxy
	}
	var turn atomic.Int64
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := turn.Add(1) % 2
		p.served[i].Add(1)
		// net/http closes a body that is still being forwarded when the answer
		// begins, and the transport then drops the connection: read it first.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		behind[i].ServeHTTP(w, r)
	}))
	t.Cleanup(balancer.Close)
	p.web = connection{URL: balancer.URL + "/mcp", Token: token}
	return p
}

// otherMachine is another state directory for the same database.
func (p *pair) otherMachine() string {
	p.tb.Helper()
	dir := filepath.Join(p.dir, "other")
	check(p.tb, os.Mkdir(dir, 0o700))
	config, err := os.ReadFile(filepath.Join(p.state, "config.yaml"))
	check(p.tb, err)
	p.write(filepath.Join(dir, "config.yaml"), string(config))
	return dir
}

// TestTwoProcessesBehindABalancer has one caller work through a round-robin
// balancer: what one process begins the other one ends.
func TestTwoProcessesBehindABalancer(t *testing.T) {
	t.Parallel()
	t.Run("file", func(t *testing.T) { t.Parallel(); newPair(t, false).workedThrough(t) })
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, true)
		p.workedThrough(t)
		p.keepsItsPassword()
	})
}

func (p *pair) workedThrough(t *testing.T) {
	t.Helper()
	for _, version := range []string{"2025-03-26", "2025-06-18", string(wiretest.Legacy), string(wiretest.Modern)} {
		p.sameLists(version)
	}
	for _, era := range wiretest.Eras() {
		web := overHTTP{p.web, t, era}
		p.link(web, era)
		p.move(web, era)
		p.unlink(web, era)
	}
	if n := p.gate.written(); n != 6 {
		t.Errorf("%d writes arrived, want 6", n)
	}
	p.verify()
	p.accounted()
	a, b := p.served[0].Load(), p.served[1].Load()
	if a-b > 1 || b-a > 1 {
		t.Errorf("the processes served %d and %d requests", a, b)
	}
	for i, process := range p.processes {
		process.signal()
		if code := process.code(); code != 0 {
			t.Errorf("process %d ended with %d:\n%s", i, code, process.errs)
		}
		if log := process.errs.String(); !strings.Contains(log, "caller=token:agent") {
			t.Errorf("process %d was never asked:\n%s", i, log)
		}
	}
}

// keepsItsPassword looks at what the program says of its database, and where the
// ledger is not.
func (p *pair) keepsItsPassword() {
	p.tb.Helper()
	said := p.cli("doctor").run(p.tb).both()
	if !strings.Contains(said, "of PostgreSQL at 127.0.0.1:") {
		p.tb.Errorf("doctor does not say where the ledger is:\n%s", said)
	}
	for _, process := range p.processes {
		said += process.errs.String()
	}
	for _, args := range [][]string{{"ledger", "export", "--format", "jsonl"}, {"ledger", "head"}, {"config", "show"}} {
		said += p.cli(args...).run(p.tb).both()
	}
	if strings.Contains(said, pgtest.Password) {
		p.tb.Error("the password of the database is in the output")
	}
	if _, err := os.Stat(filepath.Join(p.state, "ledger.db")); !errors.Is(err, fs.ErrNotExist) {
		p.tb.Error("there is a ledger in the state directory too", err)
	}
}

// sameLists does the handshake at one process and lists at the other, both ways.
func (p *pair) sameLists(version string) {
	p.tb.Helper()
	era := wiretest.Era(version)
	web := overHTTP{p.web, p.tb, era}
	for range 3 { // an odd number of requests, so that roles change
		if era != wiretest.Modern {
			hello := web.say(wiretest.Initialize(version, nil))
			if got := hello.Path("protocolVersion"); got != version {
				p.tb.Errorf("%s: the handshake was answered with %v", version, got)
			}
		}
		list, _ := web.say(era.Request(1, "tools/list", nil, nil)).Path("tools").([]any)
		reply := web.say(era.Call(2, schemas.ToolListTenants, nil))
		if len(list) == 0 || status(reply) != "done" {
			p.tb.Errorf("%s: %d tools, %.300s", version, len(list), reply.Raw)
		}
	}
}

// link registers: a client of 2026-07-28 is asked by one process and answers the
// other; an older one cannot be asked, and an approver is.
func (p *pair) link(web overHTTP, era wiretest.Era) {
	p.tb.Helper()
	wanted := registering("contoso", ourID)
	if era == wiretest.Legacy {
		p.approved(web, era, wanted)
		return
	}
	asked := web.say(wanted.call(1, nil))
	state, _ := asked.Path("requestState").(string)
	if asked.Path("resultType") != "input_required" || state == "" {
		p.tb.Fatalf("nobody was asked: %s", asked.Raw)
	}
	answer := answered(state, "accept", ourID)
	if reply := web.say(wanted.call(2, answer)); status(reply) != "done" {
		p.tb.Errorf("the answer at the other process: %s", reply.Raw)
	}
	for range 2 { // at both, it is spent
		check(p.tb, p.sim.ClearLink("contoso"))
		if reply := web.say(wanted.call(3, answer)); status(reply) != "refused" {
			p.tb.Errorf("the answer once more: %s", reply.Raw)
		}
	}
	check(p.tb, p.sim.SetLink("contoso", ourID))
}

func (p *pair) move(web overHTTP, era wiretest.Era) {
	p.tb.Helper()
	p.approved(web, era, proposal{schemas.ToolUpdatePartner, wiretest.Object{"tenant": "contoso", "partner_id": otherID}})
}

func (p *pair) unlink(web overHTTP, era wiretest.Era) {
	p.tb.Helper()
	p.approved(web, era, proposal{schemas.ToolRemovePartner, wiretest.Object{"tenant": "contoso", "partner_id": otherID}})
}

// approved has a question asked at one process, approved at a terminal, told at
// the other, redeemed at the first, and refused as spent at both.
func (p *pair) approved(web overHTTP, era wiretest.Era, wanted proposal) {
	p.tb.Helper()
	say := func(arguments wiretest.Object) wiretest.Reply {
		return web.say(callIn(era, "a", wanted.tool, arguments, nil))
	}
	waiting := say(wanted.arguments)
	id, _ := waiting.Path("structuredContent", "approval", "id").(string)
	if status(waiting) != "approval_required" || id == "" {
		p.tb.Fatalf("%s %s: %s", era, wanted.tool, waiting.Raw)
	}
	before := p.served[0].Load()
	p.approve(id)
	told := web.say(callIn(era, "b", schemas.ToolGetApproval, wiretest.Object{"approval_id": id}, nil))
	if told.Path("structuredContent", "approval", "state") != "approved" {
		p.tb.Errorf("%s: the other process says %s", era, told.Raw)
	}
	web.say(callIn(era, "c", schemas.ToolListTenants, nil, nil)) // so that the one that asked is not the one that redeems
	if reply := say(with(wanted.arguments, "approval_id", id)); status(reply) != "done" {
		p.tb.Errorf("%s %s: redeemed at the other process: %s", era, wanted.tool, reply.Raw)
	}
	if served := p.served[0].Load() - before; served != 1 && served != 2 {
		p.tb.Errorf("%d of three requests went to one process", served)
	}
	for range 2 {
		if reply := say(with(wanted.arguments, "approval_id", id)); status(reply) != "unchanged" && status(reply) != "refused" {
			p.tb.Errorf("%s: the approval once more: %s", era, reply.Raw)
		}
	}
}
