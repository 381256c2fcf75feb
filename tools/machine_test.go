package tools_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"pgregory.net/rapid"

	"mcp-partner/access"
	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/testkit"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// crashed is what a process that dies panics with.
type crashed struct{}

// The points at which a process dies.
var crashPoints = []string{
	"after the question", "before the ticket is spent", "after the ticket was spent",
	"before the write", "after the write", "before the outcome", "after the outcome",
}

// mortal is a ledger in a process that may die around each change.
type mortal struct {
	*ledger.Ledger
	m *machine
}

// PutTicket implements guard.Store.
func (s mortal) PutTicket(ctx context.Context, ticket guard.Ticket, limit int, asked guard.Event) (guard.Ticket, error) {
	stored, err := s.Ledger.PutTicket(ctx, ticket, limit, asked)
	s.m.point("after the question")
	return stored, err
}

// SpendTicket implements guard.Store.
func (s mortal) SpendTicket(ctx context.Context, id string, events ...guard.Event) (bool, int64, error) {
	s.m.point("before the ticket is spent")
	spent, last, err := s.Ledger.SpendTicket(ctx, id, events...)
	s.m.point("after the ticket was spent")
	return spent, last, err
}

// Append implements guard.Store.
func (s mortal) Append(ctx context.Context, events ...guard.Event) (int64, error) {
	if events[0].Kind != guard.KindOutcome {
		return s.Ledger.Append(ctx, events...)
	}
	s.m.point("before the outcome")
	last, err := s.Ledger.Append(ctx, events...)
	s.m.point("after the outcome")
	return last, err
}

// kept is a question that was asked, for answers that come later.
type kept struct {
	tool, tenant, partnerID string
	seal                    guard.Seal
	question                guard.Question
	id                      string
}

// machine is the call path over a ledger in a file, in a process that dies and
// starts again, with all that an onlooker knows of it.
type machine struct {
	*fixture
	rt      *rapid.T
	watch   *testkit.Clock
	safe    *safe
	dir     string
	sealer  *guard.Sealer
	records []*ledger.Ledger
	record  *ledger.Ledger
	decider *guard.Guard
	service *tools.Service
	// dies is the next point at which the process dies, or "".
	dies string

	asked    []kept
	deferred []kept
	// spent counts permits that reached the wire, used the intents behind them.
	spent int
	used  map[int64]bool
	// moves counts what changed a tenant's link; left says how many there were,
	// and whether the write was made, when an intent was left open.
	moves map[string]int
	left  map[int64]leftover
}

type leftover struct {
	tenant string
	moves  int
}

// newMachine makes a machine in the fixture; wrote is where its writes begin.
func newMachine(h *fixture, rt *rapid.T) *machine {
	dir, err := os.MkdirTemp("", "machine")
	if err != nil {
		rt.Fatal(err)
	}
	m := &machine{
		fixture: h, rt: rt, dir: dir, watch: testkit.NewSteppingClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Millisecond), safe: &safe{},
		sealer: guard.NewSealer([guard.KeySize]byte{1}), used: map[int64]bool{}, moves: map[string]int{}, left: map[int64]leftover{},
	}
	for _, tenant := range h.sim.Tenants() {
		if err := h.sim.ClearLink(tenant.TenantID); err != nil {
			rt.Fatal(err)
		}
	}
	m.start()
	m.appoint()
	return m
}

// start is a new process on the same files.
func (m *machine) start() {
	m.dies = ""
	m.record = ledger.Open(ledger.Options{Dir: disk.New(m.dir), Keys: m.safe, Now: m.watch.Now})
	m.records = append(m.records, m.record)
	var err error
	m.decider, err = guard.New(guard.Options{AllowWrites: true, Store: mortal{m.record, m}, Sealer: m.sealer, Account: "os", Now: m.watch.Now})
	if err != nil {
		m.rt.Fatal(err)
	}
	m.service = tools.NewService(tools.Deps{Directory: m.directory, Clients: m, Guard: m.decider, Now: m.watch.Now})
}

func (m *machine) end() {
	for _, record := range m.records {
		_ = record.Close() // those that died too, so that files are let go
	}
	_ = os.RemoveAll(m.dir)
}

// appoint sets an approver up whose key costs little to derive.
func (m *machine) appoint() {
	salt := []byte("0123456789abcdef")
	seed := argon2.IDKey(anna.Passphrase, salt, 1, 8, 1, ed25519.SeedSize)
	key := guard.PassphraseKey{Salt: salt, Time: 1, Memory: 8, Threads: 1, PublicKey: ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)}
	approver := guard.User{Name: anna.Name, Key: &key, Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}}
	err := m.record.ChangeStates(context.Background(), func(tx guard.StateTx) error {
		return tx.Put(guard.UserState, anna.Name, approver, guard.Event{Time: m.watch.Now(), Kind: guard.KindUser})
	})
	if err != nil {
		m.rt.Fatal(err)
	}
}

func (m *machine) point(name string) {
	if m.dies == name {
		m.dies = ""
		panic(crashed{})
	}
}

// alive does something in the process; if it dies of it, another one starts.
func (m *machine) alive(do func()) {
	defer func() {
		switch died := recover().(type) {
		case nil:
			m.dies = ""
		case crashed:
			m.start()
			m.leave()
		default:
			panic(died)
		}
	}()
	do()
}

// leave remembers the intents that a death left open.
func (m *machine) leave() {
	open, err := m.record.Unfinished(context.Background())
	if err != nil {
		m.rt.Fatal(err)
	}
	for _, event := range open {
		if _, known := m.left[event.Seq]; !known {
			m.left[event.Seq] = leftover{event.Intent.Identity.Tenant, m.moves[event.Intent.Identity.Tenant]}
		}
	}
}

// Client implements tools.Clients.
func (m *machine) Client(ctx context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	azure, err := m.fixture.Client(ctx, tenant, credential)
	return watched{azure, m, tenant.Name}, err
}

// watched looks at each write that is made under a permit.
type watched struct {
	tools.Azure
	m      *machine
	tenant string
}

// Apply implements tools.Azure.
func (a watched) Apply(ctx context.Context, permit guard.Permit, change armclient.Change) armclient.Outcome {
	a.m.point("before the write")
	a.m.intended(a.tenant, change.PartnerID)
	outcome := a.Azure.Apply(ctx, permit, change)
	if permit.Spent() {
		a.m.spent++
		a.m.moves[a.tenant]++
	}
	a.m.point("after the write")
	return outcome
}

// intended fails the test unless the record ends with an intent for the write
// that is about to be made, which no other write was made under.
func (m *machine) intended(tenant string, partnerID partnerid.ID) {
	last, err := m.record.List(context.Background(), ledger.Filter{Kind: guard.KindIntent, NewestFirst: true, Limit: 1})
	if err != nil || len(last) != 1 || m.used[last[0].Seq] || last[0].Intent.PartnerID != partnerID || last[0].Intent.Identity.Tenant != tenant {
		m.rt.Fatalf("a write to %s of %s without an intent of its own: %+v, %v", tenant, partnerID, last, err)
	}
	m.used[last[0].Seq] = true
}

// wirePerson answers as it was drawn to, or later.
type wirePerson struct {
	tools.NoConfirmer
	m      *machine
	kind   string
	resume *kept
	answer guard.Answer
	about  kept
}

// Resume implements tools.Person.
func (p *wirePerson) Resume() (guard.Seal, guard.Answer, bool) {
	if p.resume == nil {
		return "", guard.Answer{}, false
	}
	return p.resume.seal, p.answer, true
}

// Reachable implements tools.Person.
func (p *wirePerson) Reachable() bool { return p.kind != "nobody" }

// Ask implements tools.Person. Every question is kept, so that it can be
// answered a second time.
func (p *wirePerson) Ask(_ context.Context, question guard.Question, seal guard.Seal) (guard.Answer, error) {
	p.about.seal, p.about.question = seal, question
	p.m.asked = append(p.m.asked, p.about)
	if p.kind == "later" {
		return guard.Answer{}, tools.ErrLater
	}
	return answerTo(p.kind, question), nil
}

func answerTo(kind string, question guard.Question) guard.Answer {
	switch kind {
	case "yes":
		return guard.Answer{Action: guard.ActionAccept, Typed: question.Expect}
	case "wrong":
		return guard.Answer{Action: guard.ActionAccept, Typed: "yes"}
	}
	return guard.Answer{Action: guard.ActionDecline, Typed: question.Expect}
}

// draw draws one of several.
func (m *machine) draw(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(m.rt, label)
}

// call makes one call, in a process that may die of it.
func (m *machine) call(k kept, person *wirePerson, caller access.Caller) {
	if rapid.IntRange(0, 2).Draw(m.rt, "dies") == 0 {
		m.dies = m.draw("point", crashPoints...)
	}
	arguments := fmt.Sprintf(`{"tenant":%q,"partner_id":%q`, k.tenant, k.partnerID)
	if k.id != "" {
		arguments += fmt.Sprintf(`,"approval_id":%q`, k.id)
	}
	m.alive(func() {
		who, before := m.principal(caller), m.spent
		envelope := m.service.Call(context.Background(), tools.Call{
			Tool: k.tool, Arguments: []byte(arguments + "}"), Principal: who, Confirmer: person,
		}).Envelope
		if op, _ := schemas.Lookup(k.tool); m.spent != before && (!who.Grant.Allows(op) || !who.Grant.AllowsTenant(k.tenant) || !who.Grant.AllowsPartner(partnerid.ID(k.partnerID))) {
			m.rt.Fatalf("%+v wrote %+v", who, k)
		}
		if envelope.Approval != nil && k.id == "" {
			k.id = envelope.Approval.ID
			m.deferred = append(m.deferred, k)
		}
	})
}

// proposal draws a call, mostly one that fits what is linked.
func (m *machine) proposal() kept {
	k := kept{
		tool:   m.draw("tool", schemas.ToolUpdatePartner, schemas.ToolRemovePartner, schemas.ToolRegisterPartner),
		tenant: m.draw("tenant", "contoso", "fabrikam"), partnerID: m.draw("partner ID", "1234567", "7654321"),
	}
	linked, fits := m.linked(k.tenant), rapid.IntRange(0, 5).Draw(m.rt, "fits") > 0
	switch {
	case fits && linked == "":
		k.tool = schemas.ToolRegisterPartner
	case fits && k.tool == schemas.ToolRemovePartner:
		k.partnerID = linked
	case fits:
		k.tool = schemas.ToolUpdatePartner
	}
	return k
}

// swapped changes an argument now and then.
func (m *machine) swapped(k kept) kept {
	switch m.draw("swap", "", "", "", "", "", "", "", "", "tenant", "partner ID", "tool") {
	case "tenant":
		k.tenant = map[string]string{"contoso": "fabrikam", "fabrikam": "contoso"}[k.tenant]
	case "partner ID":
		k.partnerID = map[string]string{"1234567": "7654321", "7654321": "1234567"}[k.partnerID]
	case "tool":
		k.tool = m.proposal().tool
	}
	return k
}

func (m *machine) caller() access.Caller {
	return access.Caller(m.draw("caller", "stdio", "stdio", "stdio", "other"))
}

func pick(m *machine, from []kept) (kept, bool) {
	if len(from) == 0 {
		return kept{}, false
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(m.rt, "which")], true
}

// step does one thing that happens in the life of a server.
func (m *machine) step() {
	switch m.draw("step", "propose", "propose", "answer", "redeem", "redeem", "approve", "decide", "forge", "around") {
	case "propose":
		k := m.proposal()
		m.call(k, &wirePerson{m: m, about: k, kind: m.draw("person", "yes", "yes", "no", "wrong", "later", "nobody")}, m.caller())
	case "answer":
		if k, ok := pick(m, m.asked); ok {
			m.call(m.swapped(k), &wirePerson{m: m, resume: &k, answer: answerTo(m.draw("answer", "yes", "yes", "yes", "no", "wrong"), k.question)}, m.caller())
		}
	case "redeem":
		if k, ok := pick(m, m.deferred); ok {
			m.call(m.swapped(k), &wirePerson{m: m, kind: "nobody"}, m.caller())
		}
	case "approve":
		if k, ok := pick(m, m.deferred); ok {
			_, _ = m.decider.Approve(context.Background(), k.id, anna.Name, anna.Passphrase) // refused where it is not open any more
		}
	case "decide":
		if k, ok := pick(m, m.deferred); ok {
			m.decide(k)
		}
	case "forge":
		if k, ok := pick(m, m.deferred); ok {
			m.forge(k)
		}
	default:
		m.around()
	}
}

// around is what happens around the calls.
func (m *machine) around() {
	ctx := context.Background()
	k, asked := pick(m, m.deferred)
	switch m.draw("around", "deny", "wait", "die", "meddle", "reconcile", "freeze") {
	case "deny":
		if asked {
			_, _ = m.decider.Deny(ctx, k.id, "no")
		}
	case "wait":
		m.watch.Advance(rapid.SampledFrom([]time.Duration{time.Minute, 6 * time.Minute, 25 * time.Hour}).Draw(m.rt, "for"))
	case "die":
		m.start()
	case "meddle":
		tenant := m.draw("of", "contoso", "fabrikam")
		m.link(tenant, "9999999")
		m.moves[tenant]++
	case "reconcile":
		m.reconcile()
	case "freeze":
		m.freeze()
	}
}

// freeze freezes, tries to write, and thaws.
func (m *machine) freeze() {
	ctx, before := context.Background(), m.spent
	if err := m.decider.SetFreeze(ctx, false, "a drill"); err != nil {
		m.rt.Fatal(err)
	}
	if k, ok := pick(m, m.deferred); ok {
		m.call(k, &wirePerson{m: m, kind: "yes"}, "stdio")
	}
	if m.spent != before {
		m.rt.Fatal("a write in a freeze")
	}
	if err := m.decider.Unfreeze(ctx, anna); err != nil {
		m.rt.Fatal(err)
	}
}

// reconcile starts a process after writes have settled.
func (m *machine) reconcile() {
	m.start()
	m.watch.Advance(2 * time.Minute)
	if _, err := m.service.Reconcile(context.Background()); err != nil {
		m.rt.Fatal(err)
	}
}

// For any sequence of calls, answers, approvals, denials, times that pass,
// deaths of the process and replays: what reaches Azure and is no GET is what
// permits were spent for, each under an intent that stood in the record before,
// each intent behind one question that was answered with yes. The record stays
// whole, and no intent stays without an outcome.
func TestAnySequenceAccountsForEveryWrite(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	h := build(t, simulatorOfTwo(), nil)
	writes, reconciled := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		before := h.writes()
		m := newMachine(h, rt)
		defer m.end()
		for range rapid.IntRange(5, 25).Draw(rt, "steps") {
			m.step()
		}
		_, r := m.whole(before)
		writes, reconciled = writes+m.spent, reconciled+r
	})
	if writes < 20 || reconciled < 3 {
		t.Errorf("only %d writes, and %d intents that were left open: this shows little", writes, reconciled)
	}
	t.Logf("%d writes, %d intents that were left open", writes, reconciled)
}

func simulatorOfTwo() simulator.Config { return simulator.Config{Tenants: 2} }
