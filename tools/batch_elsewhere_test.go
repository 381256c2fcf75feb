package tools_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// Behind a balancer a run is asked about at another process than the one that
// carries it out. What is being written there is no tenant that was left half done.
func TestRunOfAnotherProcessContinues(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, unasked)
	writing, goOn := make(chan struct{}, 2), make(chan struct{})
	h.http.Transport = roundTrip{h.http.Transport, func(r *http.Request) {
		if r.Method == http.MethodPut {
			writing <- struct{}{}
			<-goOn
		}
	}}
	ended := make(chan tools.Result)
	carrying := h.service
	go func() {
		ended <- carrying.Call(t.Context(), tools.Call{
			Tool: schemas.ToolEnsurePartnerLinks, Arguments: json.RawMessage(ensuring), Principal: trusted("test"), Confirmer: tools.NoConfirmer{},
		})
	}()
	<-writing
	<-writing
	runs, err := h.guard.OpenRuns(t.Context())
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	h.hurry(h.guard, 0) // another process
	asked := `{"run_id":"` + runs[0].ID + `"}`
	e := h.call(schemas.ToolEnsurePartnerLinks, asked)
	if e.Status != answers.StatusDone || e.Problem != nil || !strings.Contains(e.Summary, "Another process may be executing it") {
		t.Errorf("while it is carried out: %s, %+v, %s", e.Status, e.Problem, e.Summary)
	}
	close(goOn)
	<-ended
	if e = h.call(schemas.ToolEnsurePartnerLinks, asked); e.Status != answers.StatusDone || e.Totals["done"] != 2 || strings.Contains(e.Summary, "at work") {
		t.Errorf("afterwards: %s, %v, %s", e.Status, e.Totals, e.Summary)
	}
}
