//go:build !windows

package e2e

import (
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// abandon records the intent of a write an hour ago, as a process that lost its
// power in the middle of it would have left it.
func (w *world) abandon() {
	w.tb.Helper()
	o := w.open(func() time.Time { return time.Now().Add(-time.Hour) })
	defer o.close()
	entry, err := o.directory.Get("contoso")
	check(w.tb, err)
	tenant := w.tenant("contoso")
	intent := guard.Intent{
		Caller: "stdio", Tool: schemas.ToolRegisterPartner, PartnerID: ourID, Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1},
		Identity: answers.Identity{
			TenantID: tenant.TenantID, Tenant: tenant.Name, ObjectID: tenant.ObjectID, Cloud: entry.Cloud.Name, Credential: entry.Credentials[0].Name,
		},
	}
	by := access.Principal{Caller: "stdio", Grant: access.FullGrant()}
	asked, ok := o.decider.Authorize(w.tb.Context(), by, intent, true).(guard.Asked)
	if !ok {
		w.tb.Fatal("nobody was asked")
	}
	accept := guard.Answer{Action: guard.ActionAccept, Typed: asked.Question.Expect}
	check(w.tb, guard.RefusalOf(o.decider.Answer(w.tb.Context(), by, intent, asked.Seal, accept)))
}

// The program looks, at its start, what became of a write that has no outcome,
// says so in the record, and says it once.
func TestStartReconcilesAbandonedWrites(t *testing.T) {
	t.Parallel()
	for want, linked := range map[string]string{"applied": ourID, "not_applied": "", "unknown": otherID} {
		for _, how := range []string{"serve", "call"} {
			t.Run(want+", "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, oneTenant())
				w.settle("contoso")
				w.abandon()
				if linked != "" {
					check(t, w.sim.SetLink("contoso", linked))
				}
				for range 2 {
					w.begin(how)
				}
				outcomes := of(w.entries(), "outcome")
				if len(outcomes) != 1 || outcomes[0].Of != of(w.entries(), "intent")[0].Seq || outcomes[0].Result != want {
					t.Errorf("closed with %+v, want %s", outcomes, want)
				}
				if n := w.gate.written(); n != 0 {
					t.Errorf("looking back made %d writes", n)
				}
				w.verify()
			})
		}
	}
}

// begin is a start that settles the record: of a server, which does it beside
// its calls, or of a call that writes, which does it before.
func (w *world) begin(how string) {
	w.tb.Helper()
	if how == "call" {
		w.cli("call", schemas.ToolRegisterPartner, "--tenant", "contoso", "--partner-id", ourID).run(w.tb)
		return
	}
	s := w.cli("serve").start(w.tb)
	s.greet(wiretest.Legacy)
	testkit.WaitFor(w.tb, "the abandoned write is looked into", func() bool { return len(of(w.entries(), "outcome")) > 0 }, s.errs)
	s.rest()
}

// A freeze is seen by a server that runs, at its next call, and so is its end.
func TestFreezeReachesRunningServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oneTenant())
	w.settle("contoso")
	w.appoint()
	s := w.asking()
	p := registering("contoso", ourID)
	state := s.asked(p)
	confirmed := p.call("confirm", answered(state, "accept", ourID))
	reading := proposal{schemas.ToolCheckPartnerLink, wiretest.Object{"tenant": "contoso"}}
	for _, step := range []struct {
		freeze []string
		read   string
	}{{[]string{"freeze", "--reason", "audit week"}, "done"}, {[]string{"freeze", "--reads", "--reason", "audit week"}, "refused"}} {
		w.cli(step.freeze...).must(t)
		for _, call := range []string{confirmed, p.call("ask", nil)} {
			if reply := s.ask(call); problem(reply) != string(problems.CodeFrozen) || !strings.Contains(string(reply.Raw), "audit week") {
				t.Errorf("%v: %s", step.freeze, reply.Raw)
			}
		}
		if reply := s.ask(reading.call("read", nil)); status(reply) != step.read {
			t.Errorf("%v, a read: %s", step.freeze, reply.Raw)
		}
	}
	if n := w.gate.written(); n != 0 {
		t.Errorf("%d writes in a freeze", n)
	}
	thaw := w.cli("unfreeze", "--approver", approver).atTerminal(t)
	thaw.answer("Passphrase of approver", passphrase)
	thaw.end()
	if reply := s.ask(confirmed); status(reply) != "done" || w.gate.written() != 1 {
		t.Errorf("after the freeze: %s", reply.Raw)
	}
	s.rest()
	w.verify()
}
