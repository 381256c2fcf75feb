package e2e

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// whims answers a question as it was drawn to.
type whims struct {
	tools.NoConfirmer
	reachable bool
	answer    func(guard.Question) guard.Answer
}

// Reachable implements tools.Person.
func (w whims) Reachable() bool { return w.reachable }

// Ask implements tools.Person.
func (w whims) Ask(_ context.Context, question guard.Question, _ guard.Seal) (guard.Answer, error) {
	return w.answer(question), nil
}

func drawPerson(rt *rapid.T) whims {
	kind := rapid.SampledFrom([]string{"yes", "yes", "yes", "yes", "no", "wrong", "nobody"}).Draw(rt, "person")
	return whims{reachable: kind != "nobody", answer: func(question guard.Question) guard.Answer {
		switch kind {
		case "yes":
			return guard.Answer{Action: guard.ActionAccept, Typed: question.Expect}
		case "wrong":
			return guard.Answer{Action: guard.ActionAccept, Typed: "yes"}
		}
		return guard.Answer{Action: guard.ActionDecline}
	}}
}

// drawFault places at most one fault. Those that would only cost waiting time
// are made quick.
func drawFault(rt *rapid.T, w *wiring, tenant string) (remove func()) {
	kind := rapid.SampledFrom([]simulator.FaultKind{
		"", "", "", simulator.FaultServerError, simulator.FaultHTML, simulator.FaultEmpty404, simulator.FaultNamespace404, simulator.FaultUnauthorized,
		simulator.FaultForbidden, simulator.FaultClaimsChallenge, simulator.FaultCutBody, simulator.FaultLostAnswer, simulator.FaultErrorAfterWrite,
		simulator.FaultSlowWrite, simulator.FaultOtherWriter, simulator.FaultOtherWriterBack, simulator.FaultOtherWriterLate,
		simulator.FaultThrottleLong, simulator.FaultWrongTenantToken, simulator.FaultOpaqueToken, simulator.FaultTokenHTML,
	}).Draw(rt, "fault")
	if kind == "" {
		return func() {}
	}
	return w.sim.Inject(simulator.Rule{
		TenantID: tenant, Kind: kind, Delay: time.Millisecond,
		Method: rapid.SampledFrom([]string{"", "GET", "PUT", "PATCH", "DELETE", "POST"}).Draw(rt, "on"),
		Times:  rapid.IntRange(0, 3).Draw(rt, "times"),
	})
}

// For any sequence of calls, answers of people and faults, what reaches Azure
// and is no GET is exactly what permits were spent for: one request each, and
// one more only after a claims challenge. And no answer claims a write that was
// not made, or calls a link missing that could not be read.
func TestWritesMatchSpentPermits(t *testing.T) {
	t.Parallel()
	w := newWiring(t, simulator.Config{Tenants: 40, Throttle: simulator.Throttle{
		Reads: simulator.Bucket{Size: 100_000, PerSecond: 100_000}, Writes: simulator.Bucket{Size: 100_000, PerSecond: 100_000},
	}})
	rapid.Check(t, func(rt *rapid.T) {
		tenant := rapid.SampledFrom(w.sim.Tenants()).Draw(rt, "tenant").Name
		for range rapid.IntRange(1, 6).Draw(rt, "calls") {
			w.step(rt, tenant)
		}
	})
	// About 25 in the mean; without any, the comparison would compare nothing.
	if w.spent.Load() < 5 {
		t.Errorf("only %d permits were spent; this shows little", w.spent.Load())
	}
}

func (w *wiring) step(rt *rapid.T, tenant string) {
	tool := rapid.SampledFrom([]string{
		schemas.ToolCheckPartnerLink, schemas.ToolCheckPartnerLink, schemas.ToolRegisterPartner, schemas.ToolUpdatePartner, schemas.ToolRemovePartner,
	}).Draw(rt, "tool")
	arguments := map[string]any{"tenant": tenant}
	if tool != schemas.ToolCheckPartnerLink {
		arguments["partner_id"] = rapid.SampledFrom([]string{ourID, otherID, "2345678"}).Draw(rt, "partner ID")
	}
	person := drawPerson(rt)
	remove := drawFault(rt, w, tenant)
	defer remove()
	spent, before, linked := w.spent.Load(), len(w.writes()), w.linked(tenant)
	envelope := w.call(tool, arguments, person)
	judge(rt, envelope, int(w.spent.Load()-spent), w.writes()[before:])
	if link := envelope.Link; link != nil && link.State == answers.LinkNotLinked && linked != "" {
		rt.Fatalf("not_linked, and %s is", linked)
	}
}

func (w *wiring) linked(tenant string) string {
	t, _ := w.sim.Tenant(tenant)
	return t.PartnerID
}

func judge(rt *rapid.T, envelope answers.Envelope, spent int, writes []simulator.Record) {
	challenges := 0
	for _, record := range writes[:max(0, len(writes)-1)] {
		if record.FaultKind == simulator.FaultClaimsChallenge {
			challenges++
		}
	}
	switch {
	case len(writes) != spent+challenges || challenges > 1:
		rt.Fatalf("%d permits spent, and %d writes arrived (%d challenges): %+v", spent, len(writes), challenges, writes)
	case envelope.Status == answers.StatusDone && spent != writesOf(envelope):
		rt.Fatalf("done with %d permits: %+v", spent, envelope)
	case notBegun(envelope.Status) && spent != 0:
		rt.Fatalf("%s, and a permit was spent: %+v", envelope.Status, envelope)
	}
}

// writesOf is how many writes a call that is done has made.
func writesOf(envelope answers.Envelope) int {
	if envelope.After == nil {
		return 0
	}
	return 1
}

func notBegun(status answers.Status) bool {
	return status == answers.StatusUnchanged || status == answers.StatusApprovalRequired
}
