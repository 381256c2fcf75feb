package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
)

// gate stands between the program and the links of Azure, and holds requests.
type gate struct {
	next http.Handler

	mu     sync.Mutex
	holds  []*hold
	writes []string
}

// hold is one request that is held: the next one of its method, before it is
// carried out or after.
type hold struct {
	method string
	after  bool
	// reached is closed when the request is there.
	reached chan struct{}
	// release lets it go; true carries out what was held before.
	release chan bool
}

// hold holds the next request of a method.
func (g *gate) hold(method string, after bool) *hold {
	h := &hold{method: method, after: after, reached: make(chan struct{}), release: make(chan bool, 1)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = append(g.holds, h)
	return h
}

// take returns the hold for a request, once. It counts writes.
func (g *gate) take(r *http.Request) *hold {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method != http.MethodGet {
		g.writes = append(g.writes, r.Method+" "+r.URL.Path)
	}
	for i, h := range g.holds {
		if h.method == r.Method {
			g.holds = append(g.holds[:i:i], g.holds[i+1:]...)
			return h
		}
	}
	return nil
}

// written is how many writes have arrived.
func (g *gate) written() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.writes)
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "/partners") {
		g.next.ServeHTTP(w, r)
		return
	}
	h := g.take(r)
	if h == nil {
		g.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	if h.after {
		g.next.ServeHTTP(answer, r)
	}
	close(h.reached)
	if carryOut := <-h.release; !h.after && carryOut {
		g.next.ServeHTTP(answer, r)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client may have disconnected
}

// await waits until the request is held.
func (h *hold) await(tb testing.TB) {
	tb.Helper()
	select {
	case <-h.reached:
	case <-time.After(patience):
		tb.Fatalf("no %s arrived", h.method)
	}
}

// line is an entry of the ledger, as far as these tests look into it.
type line struct {
	Seq, Of                                                        int64
	Time                                                           time.Time
	Kind, Caller, Tool, Tenant, Result, Approval, Approver, Detail string
	PartnerID                                                      string `json:"partner_id"`
}

// entries returns the record, oldest first, as the command line shows it.
func (w *world) entries() []line {
	w.tb.Helper()
	var list struct{ Entries []line }
	if err := json.Unmarshal([]byte(w.cli("ledger", "list", "--limit", "0", "--json").must(w.tb).stdout), &list); err != nil {
		w.tb.Fatal(err)
	}
	return list.Entries
}

// of returns the entries of a kind.
func of(entries []line, kind string) (found []line) {
	for _, e := range entries {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// verify fails the test if the record is not what was written.
func (w *world) verify() {
	w.tb.Helper()
	if o := w.cli("ledger", "verify", "--json").run(w.tb); o.code != 0 || !strings.Contains(o.stdout, `"whole":true`) && !strings.Contains(o.stdout, `"whole": true`) {
		w.tb.Errorf("ledger verify ended with %d: %s", o.code, o.both())
	}
}

// accounted fails the test unless every write that arrived has an intent of its
// own, and no ticket was spent twice.
func (w *world) accounted() {
	w.tb.Helper()
	entries := w.entries()
	if intents, writes := len(of(entries, "intent")), w.gate.written(); writes > intents {
		w.tb.Errorf("%d writes arrived, and the record has %d intents", writes, intents)
	}
	spent := map[string]int{}
	for _, e := range of(entries, "intent") {
		if spent[e.Approval]++; e.Approval != "" && spent[e.Approval] > 1 {
			w.tb.Errorf("ticket %s was spent %d times", e.Approval, spent[e.Approval])
		}
	}
}

// forms are the capabilities of a client that shows forms.
func clientForms() wiretest.Object {
	return wiretest.Object{"elicitation": wiretest.Object{"form": wiretest.Object{}}}
}

// proposal is one call of a writing tool by a client of 2026-07-28.
type proposal struct {
	tool      string
	arguments wiretest.Object
}

func registering(tenant, partnerID string) proposal {
	return proposal{schemas.ToolRegisterPartner, wiretest.Object{"tenant": tenant, "partner_id": partnerID}}
}

// call builds a tool call of the proposal, with additional parameters.
func (p proposal) call(id any, more wiretest.Object) string {
	params := wiretest.Object{"name": p.tool, "arguments": p.arguments}
	for name, value := range more {
		params[name] = value
	}
	return wiretest.Modern.Request(id, "tools/call", params, clientForms())
}

// answered are the parameters that carry a person's answer.
func answered(state any, action, typed string) wiretest.Object {
	return wiretest.Object{"requestState": state, "inputResponses": wiretest.Object{
		"confirm": wiretest.Object{"action": action, "content": wiretest.Object{"confirmation": typed}},
	}}
}

// status and problem are what an answer says.
func status(reply wiretest.Reply) any { return reply.Path("structuredContent", "status") }

func problem(reply wiretest.Reply) any { return reply.Path("structuredContent", "problem", "code") }
