//go:build !windows

package e2e

import (
	"maps"
	"net/http"
	"sync"
	"testing"

	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas/problems"
)

// elsewhere starts a server whose writes wait for an approver.
func (w *world) elsewhere() *server {
	w.tb.Helper()
	s := w.cli("serve", "--allow-writes", "--approval", "approver", "--log-level", "error").start(w.tb)
	s.greet(wiretest.Legacy)
	return s
}

// deferred proposes a write and returns the ID of the approval it waits for.
func (s *server) deferred(tool string, arguments wiretest.Object) string {
	s.tb.Helper()
	reply := s.ask(wiretest.Legacy.Call("defer", tool, arguments))
	id, _ := reply.Path("structuredContent", "approval", "id").(string)
	if id == "" || status(reply) != "approval_required" {
		s.tb.Fatalf("no approval is waited for: %s", reply.Raw)
	}
	return id
}

func with(arguments wiretest.Object, name string, value any) wiretest.Object {
	arguments = maps.Clone(arguments)
	arguments[name] = value
	return arguments
}

// Of 64 calls in two processes that race for one approval, one writes.
func TestConcurrentCallsRedeemApprovalOnce(t *testing.T) {
	t.Parallel()
	const each = 32
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	w.appoint()
	processes := []*server{w.elsewhere(), w.elsewhere()}
	p := registering("contoso", ourID)
	id := processes[0].deferred(p.tool, p.arguments)
	if again := processes[1].deferred(p.tool, p.arguments); again != id {
		t.Errorf("the same proposal waits for %s and for %s", id, again)
	}
	w.approve(id)
	// All plans are read before any is executed.
	var plans []*hold
	for range 2 * each {
		plans = append(plans, w.gate.hold(http.MethodGet, false))
	}
	var racing sync.WaitGroup
	for _, s := range processes {
		racing.Go(func() {
			for i := range each {
				s.send(wiretest.Legacy.Call(i, p.tool, with(p.arguments, "approval_id", id)))
			}
		})
	}
	for _, plan := range plans {
		plan.await(t)
	}
	for _, plan := range plans {
		plan.release <- true
	}
	racing.Wait()
	results := map[any]int{}
	for _, s := range processes {
		for range each {
			reply := s.reply()
			results[status(reply)]++
			if code := problem(reply); code != nil && code != string(problems.CodeApprovalExpired) {
				t.Errorf("%s", reply.Raw)
			}
		}
		s.rest()
	}
	if results["done"] != 1 || results["refused"] != 2*each-1 || w.gate.written() != 1 {
		t.Errorf("%v, %d writes", results, w.gate.written())
	}
	entries := w.entries()
	if len(of(entries, "intent")) != 1 || len(of(entries, "confirmed")) != 1 || len(of(entries, "outcome")) != 1 {
		t.Errorf("the record: %+v", entries)
	}
	w.verify()
}
