package tools_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// weighed are the clients of a fixture whose spent permits are counted, and held
// against the intents in the record.
type weighed struct {
	*fixture
	mu    sync.Mutex
	spent int
	early int
}

// Client implements tools.Clients.
func (w *weighed) Client(ctx context.Context, tenant schemas.Tenant, credential string) (tools.Azure, error) {
	client, err := w.fixture.Client(ctx, tenant, credential)
	return weighing{client, w}, err
}

type weighing struct {
	tools.Azure
	w *weighed
}

// Apply implements tools.Azure.
func (w weighing) Apply(ctx context.Context, permit guard.Permit, change armclient.Change) armclient.Outcome {
	intents := w.w.intents()
	outcome := w.Azure.Apply(ctx, permit, change)
	w.w.mu.Lock()
	defer w.w.mu.Unlock()
	if permit.Spent() {
		w.w.spent++
		if w.w.spent > intents+16 { // as many as may be under way at once
			w.w.early++
		}
	}
	return outcome
}

// For any mix of faults, whatever is asked for: each request that is no GET was
// sent for a permit of its own, each permit has an intent in the record, and no
// answer says of a link what is not so. A tenant that has lost its link is
// reported.
func TestRunsUnderFaults(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	const tenants = 6
	w := &weighed{fixture: build(t, simulator.Config{Tenants: tenants, Throttle: simulator.Throttle{
		Reads: simulator.Bucket{Size: 100_000, PerSecond: 100_000}, Writes: simulator.Bucket{Size: 100_000, PerSecond: 100_000},
	}}, unasked)}
	w.service = tools.NewService(tools.Deps{Directory: w.directory, Clients: w, Fleet: w.fleet, Guard: w.guard, Settled: time.Nanosecond, Pause: time.Microsecond})
	wrote := 0
	rapid.Check(t, func(rt *rapid.T) {
		spent, intents, since := w.spent, w.intents(), len(w.sim.Journal())
		linked := w.draw(rt)
		remove := w.drawFaults(rt)
		call := rapid.SampledFrom([]struct{ tool, arguments string }{
			{schemas.ToolEnsurePartnerLinks, ensuring}, {schemas.ToolTransitionPartner, moving}, {schemas.ToolTransitionPartner, replacing},
		}).Draw(rt, "call")
		e := w.call(call.tool, call.arguments)
		w.truthful(rt, e, linked)
		for _, fault := range remove {
			fault()
		}
		if e.RunID != "" {
			e = w.call(call.tool, `{"run_id":"`+e.RunID+`","resume":true}`)
			w.truthful(rt, e, linked)
		}
		// A permit is good for one request, and for one more after a challenge.
		used := w.spent - spent
		if sent, challenged := w.arrived(since); sent < used || sent > used+min(used, challenged) || w.intents()-intents < used || w.early > 0 {
			rt.Fatalf("%d writes arrived (%d challenged), %d permits were spent, %d intents", sent, challenged, used, w.intents()-intents)
		}
		wrote += w.spent - spent
	})
	if wrote < 50 {
		t.Errorf("only %d writes: this shows little", wrote)
	}
}

// arrived counts the writes since a place in the journal, and those of them that
// were sent back for a new token.
func (w *weighed) arrived(since int) (sent, challenged int) {
	for _, record := range w.sim.Journal()[since:] {
		if record.Op != simulator.OpPartner || record.Method == http.MethodGet {
			continue
		}
		if sent++; record.FaultKind == simulator.FaultClaimsChallenge {
			challenged++
		}
	}
	return sent, challenged
}

// draw sets what is linked where.
func (w *weighed) draw(rt *rapid.T) map[string]string {
	linked := map[string]string{}
	for _, tenant := range w.sim.Tenants() {
		id := rapid.SampledFrom([]string{"", oldID, oldID, newID, strangeID}).Draw(rt, tenant.Name)
		linked[tenant.Name] = id
		if id == "" {
			if err := w.sim.ClearLink(tenant.TenantID); err != nil {
				rt.Fatal(err)
			}
			continue
		}
		if err := w.sim.SetLink(tenant.TenantID, id); err != nil {
			rt.Fatal(err)
		}
	}
	return linked
}

func (w *weighed) drawFaults(rt *rapid.T) (remove []func()) {
	for range rapid.IntRange(0, 5).Draw(rt, "faults") {
		remove = append(remove, w.sim.Inject(simulator.Rule{
			TenantID: rapid.SampledFrom(w.sim.Tenants()).Draw(rt, "of").TenantID, Delay: time.Millisecond,
			Kind: rapid.SampledFrom([]simulator.FaultKind{
				simulator.FaultServerError, simulator.FaultHTML, simulator.FaultEmpty404, simulator.FaultNamespace404, simulator.FaultForbidden,
				simulator.FaultUnauthorized, simulator.FaultClaimsChallenge, simulator.FaultCutBody, simulator.FaultLostAnswer,
				simulator.FaultErrorAfterWrite, // not those that have a run wait as long as ARM says
			}).Draw(rt, "kind"),
			Method: rapid.SampledFrom([]string{"", "GET", "PUT", "PATCH", "DELETE"}).Draw(rt, "on"),
			Times:  rapid.IntRange(1, 4).Draw(rt, "times"),
		}))
	}
	return remove
}

// truthful holds each row against what is linked in truth.
func (w *weighed) truthful(rt *rapid.T, e answers.Envelope, before map[string]string) {
	for name, row := range states(e) {
		now, had := w.linked(name), before[name]
		switch {
		case row.State == answers.ChangeDone && now != newID,
			row.State == answers.ChangeRestored && now != had,
			row.State == answers.ChangeStranded && now != "",
			row.State == answers.ChangeNotLinked && had != "",
			row.State == answers.ChangeLinkedOther && now != had,
			row.State == answers.ChangeUnchanged && now != newID:
			rt.Fatalf("%s says %s, and %q is linked (before %q): %+v", name, row.State, now, had, row)
		case had != "" && now == "" && row.State != answers.ChangeStranded && row.State != answers.ChangeUnfinished:
			rt.Fatalf("%s has lost its link, and the row says %s: %+v", name, row.State, row)
		case had != "" && had != oldID && now != had:
			rt.Fatalf("%s was linked to %s, which nobody wanted to touch, and is to %q now", name, had, now)
		}
	}
}
