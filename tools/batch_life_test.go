package tools_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// A stopping server begins no further tenant and completes those that have
// begun; the next one continues.
func TestStoppingServerCompletesBegunTenants(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 60, unasked)
	for _, name := range names(h) {
		h.link(name, oldID)
	}
	var once sync.Once
	var closing sync.WaitGroup
	ending := h.service
	h.http.Transport = roundTrip{h.http.Transport, func(r *http.Request) {
		if r.Method == http.MethodDelete {
			once.Do(func() { closing.Go(ending.Close) })
		}
	}}
	e := h.call(schemas.ToolTransitionPartner, replacing)
	closing.Wait()
	linked := map[string]int{}
	for _, name := range names(h) {
		linked[h.linked(name)]++
	}
	if linked[""] != 0 || linked[newID] == 0 || linked[oldID] == 0 || linked[newID]*2 != h.writes() {
		t.Errorf("%v are linked after %d writes: %s", linked, h.writes(), e.Summary)
	}
	h.hurry(h.guard, time.Nanosecond)
	if e = h.call(schemas.ToolTransitionPartner, `{"run_id":"`+e.RunID+`","resume":true}`); e.Status != answers.StatusDone || h.writes() != 2*60 {
		t.Errorf("%s, %d writes", e.Summary, h.writes())
	}
}

// A caller who hangs up gets no answer, and the run goes on.
func TestRunContinuesWhenCallerLeaves(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 40, unasked)
	ctx, cancel := context.WithCancel(t.Context())
	h.http.Transport = roundTrip{h.http.Transport, func(r *http.Request) {
		if r.Method == http.MethodPut {
			cancel()
		}
	}}
	e := h.service.Call(ctx, tools.Call{
		Tool: schemas.ToolEnsurePartnerLinks, Arguments: json.RawMessage(ensuring), Principal: trusted("test"), Confirmer: tools.NoConfirmer{},
	}).Envelope
	if e.RunID == "" {
		t.Fatalf("%+v", e)
	}
	if e = h.call(schemas.ToolEnsurePartnerLinks, `{"run_id":"`+e.RunID+`","resume":true}`); e.Status != answers.StatusDone || e.Totals["done"] != 40 || h.writes() != 40 {
		t.Errorf("%v, %d writes: %s", e.Totals, h.writes(), e.Summary)
	}
}

// The command line waits for its run. Interrupted, it completes what has begun
// and says that the run is incomplete; an unfinished plan is discarded.
func TestInterruptedCallerIsToldRunIsIncomplete(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]problems.Code{http.MethodGet: problems.CodeCancelled, http.MethodDelete: problems.CodeRunIncomplete} {
		h := fleetOf(t, 60, unasked)
		for _, name := range names(h) {
			h.link(name, oldID)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		h.http.Transport = roundTrip{h.http.Transport, func(r *http.Request) {
			if r.Method == method {
				interrupt()
			}
		}}
		e := h.service.Call(ctx, tools.Call{
			Tool: schemas.ToolTransitionPartner, Arguments: json.RawMessage(replacing), Principal: trusted("test"), Confirmer: tools.NoConfirmer{}, Patient: true,
		}).Envelope
		if e.Status != answers.StatusFailed || e.Problem.Code != want {
			t.Fatalf("at a %s: %s: %s", method, e.Status, e.Summary)
		}
		begun := 2 * e.Totals["done"]
		if e.Totals["unfinished"] != 0 || h.writes() != begun || method == http.MethodDelete && (begun == 0 || e.Totals["waiting"] == 0) {
			t.Errorf("%v, %d writes: %s", e.Totals, h.writes(), e.Summary)
		}
	}
}

// A write whose answer was lost is not sent again: it is read back.
func TestLostAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.FaultKind{simulator.FaultLostAnswer, simulator.FaultErrorAfterWrite, simulator.FaultCutBody} {
		h := fleetOf(t, 2, unasked)
		for _, name := range names(h) {
			h.link(name, oldID)
			h.inject(name, simulator.Rule{Kind: kind, Method: http.MethodDelete, Times: 1})
			h.inject(name, simulator.Rule{Kind: kind, Method: http.MethodPut, Times: 1})
		}
		e := h.call(schemas.ToolTransitionPartner, replacing)
		if e.Status != answers.StatusDone || h.writes() != 4 {
			t.Errorf("%s: %s, %d writes", kind, e.Summary, h.writes())
		}
	}
}

// What goes away by itself is tried again, each time under a permit of its own.
func TestTransientFailureIsRetriedWithNewPermit(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 1, unasked)
	name := names(h)[0]
	h.link(name, oldID)
	h.inject(name, simulator.Rule{Kind: simulator.FaultServerError, Status: http.StatusServiceUnavailable, Method: http.MethodPut, Times: 2})
	e := h.call(schemas.ToolTransitionPartner, replacing)
	h.wantState(e, name, answers.ChangeDone, newID)
	if h.writes() != 4 || h.intents() != 4 {
		t.Errorf("%d writes, %d intents", h.writes(), h.intents())
	}
	h.inject(name, simulator.Rule{Kind: simulator.FaultServerError, Status: http.StatusServiceUnavailable, Method: http.MethodPut, Times: 3})
	h.link(name, oldID)
	e = h.call(schemas.ToolTransitionPartner, replacing)
	h.wantState(e, name, answers.ChangeRestored, oldID)
}

// A second identity of a tenant is a row of its own in a transition, and none
// where one link a tenant is wanted.
func TestIdentitiesOfATenant(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, unasked)
	n := names(h)
	if err := h.sim.AddPrincipal(n[0], "person-1", personCredential, personCredential); err != nil {
		t.Fatal(err)
	}
	// Two of the three credentials are one identity: its certificate and its secret.
	h.directory.tenants[0].Credentials = []string{"app", personCredential, "certificate"}
	for arguments, rows := range map[string]int{ensuring: 2, moving: 3, `{"from":["7654321"],"to":"1234567","credential":"person"}`: 1} {
		tool := schemas.ToolTransitionPartner
		if arguments == ensuring {
			tool = schemas.ToolEnsurePartnerLinks
		}
		if e := h.call(tool, arguments[:len(arguments)-1]+`,"plan":true}`); len(e.Changes) != rows {
			t.Errorf("%s: %d rows", arguments, len(e.Changes))
		}
	}
	h.link(n[0], oldID)
	e := h.call(schemas.ToolTransitionPartner, moving)
	if row := states(e)[n[0]]; e.Status != answers.StatusDone || e.Totals["done"] != 1 || h.writes() != 1 {
		t.Errorf("%s, %d writes: %+v", e.Summary, h.writes(), row)
	}
	if warned := e.Changes[len(e.Changes)-1]; warned.Credential != "app" || !strings.Contains(warned.Warning, "certificate is the same identity") {
		t.Errorf("%+v", warned)
	}
}

// What makes no sense is refused before anything is read.
func TestInvalidTransitionsAreRefused(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 1, unasked)
	for _, arguments := range []string{
		`{}`, `{"from":["7654321"]}`, `{"to":"1234567"}`, `{"from":["1234567"],"to":"1234567"}`, `{"from":["7654321"],"to":"1234567","strategy":"magic"}`,
		`{"from":[],"to":"1234567"}`, `{"from":"7654321","to":"1234567"}`, `{"from":["7654321"],"to":1234567}`,
	} {
		if e := h.call(schemas.ToolTransitionPartner, arguments); e.Status != answers.StatusRefused {
			t.Errorf("%s: %s", arguments, e.Summary)
		}
	}
	if stats := h.sim.Stats(); stats.ARMReads+stats.ARMWrites > 0 {
		t.Errorf("%+v", stats)
	}
}
