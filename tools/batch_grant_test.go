package tools_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// given calls a tool as the caller of call, who was given some tenants alone.
func (h *fixture) given(tenants []string, tool, arguments string) answers.Envelope {
	h.t.Helper()
	grant := access.FullGrant()
	grant.Tenants = tenants
	return h.service.Call(h.t.Context(), tools.Call{
		Tool: tool, Arguments: json.RawMessage(arguments), Principal: access.Principal{Caller: "test", Grant: grant}, Confirmer: tools.NoConfirmer{},
	}).Envelope
}

// A tenant in which a plan writes nothing is a tenant as well: a caller from
// whom it was taken sees neither plan, nor approval, nor run.
func TestPlanIsShownOnlyToCallersWhoMaySeeAllOfIt(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, person)
	h.approver()
	n := names(h)
	h.link(n[1], newID) // unchanged: listed, and not written
	asked := h.call(schemas.ToolEnsurePartnerLinks, ensuring)
	if asked.Approval == nil {
		t.Fatalf("%+v", asked)
	}
	id := asked.Approval.ID
	with := ensuring[:len(ensuring)-1] + `,"approval_id":"` + id + `"}`
	unseen := func(when, tool, arguments string) {
		t.Helper()
		got := h.given(n[:1], tool, arguments)
		if got.Problem == nil || got.Problem.Code != problems.CodeApprovalUnknown && got.Problem.Code != problems.CodeUnknownRun ||
			len(got.Changes) > 0 || got.Approval != nil {
			t.Errorf("%s, %s %s: %+v", when, tool, arguments, got)
		}
	}
	unseen("pending", schemas.ToolGetApproval, `{"approval_id":"`+id+`"}`)
	unseen("pending", schemas.ToolEnsurePartnerLinks, with)
	h.approve(id)
	unseen("approved", schemas.ToolEnsurePartnerLinks, with)
	run := h.call(schemas.ToolEnsurePartnerLinks, with)
	if run.RunID == "" || h.writes() != 1 {
		t.Fatalf("%+v", run)
	}
	unseen("used", schemas.ToolGetApproval, `{"approval_id":"`+id+`"}`)
	unseen("carried out", schemas.ToolEnsurePartnerLinks, `{"run_id":"`+run.RunID+`"}`)
	unseen("carried out", schemas.ToolEnsurePartnerLinks, `{"run_id":"`+run.RunID+`","resume":true}`)
}

// Two tokens of one name are one caller and may have been given different
// tenants: who has fewer does not come into the audit of who has more.
func TestJoinedAuditShowsOnlyGrantedTenants(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, nil)
	n := names(h)
	reached, goOn := make(chan struct{}, 2), make(chan struct{})
	h.http.Transport = roundTrip{h.http.Transport, func(r *http.Request) {
		if r.Method == http.MethodGet {
			reached <- struct{}{}
			<-goOn
		}
	}}
	whole := make(chan answers.Envelope)
	go func() { whole <- h.call(schemas.ToolAuditPartnerLinks, `{}`) }()
	<-reached
	joined := make(chan answers.Envelope)
	go func() { joined <- h.given(n[:1], schemas.ToolAuditPartnerLinks, `{}`) }()
	select {
	case e := <-joined:
		if e.Problem == nil || e.Problem.Code != problems.CodeRunInProgress || e.RunID != "" {
			t.Errorf("%+v", e)
		}
		close(goOn)
	case <-time.After(time.Minute):
		close(goOn)
		t.Errorf("joined: %+v", <-joined)
	}
	if e := <-whole; e.Totals["rows"] != 2 {
		t.Errorf("%+v", e)
	}
	if e := h.given(n[:1], schemas.ToolAuditPartnerLinks, `{}`); e.Totals["rows"] != 1 {
		t.Errorf("an audit of its own: %+v", e)
	}
}

// A stranded tenant rests. To try it again is a write that somebody begins, so it
// takes what every beginning takes, freeze and time included.
func TestStrandedTenantIsRetriedOnlyWhenWritesMayBegin(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]struct {
		do   func(h *fixture, late *time.Duration)
		code problems.Code
	}{
		"frozen": {func(h *fixture, _ *time.Duration) {
			if err := h.guard.SetFreeze(h.t.Context(), false, "enough"); err != nil {
				h.t.Fatal(err)
			}
		}, problems.CodeFrozen},
		"late": {func(_ *fixture, late *time.Duration) { *late = runs.Life }, problems.CodeApprovalExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var late time.Duration
			h := fleetOf(t, 1, func(o *guard.Options) {
				unasked(o)
				o.Now = func() time.Time { return time.Now().Add(late) }
			})
			n := names(h)
			h.link(n[0], oldID)
			refusing := h.sim.Inject(simulator.Rule{TenantID: h.tenant(n[0]).TenantID, Kind: simulator.FaultForbidden, Method: http.MethodPut})
			e := h.call(schemas.ToolTransitionPartner, replacing)
			h.wantState(e, n[0], answers.ChangeStranded, "")
			refusing()
			before := h.writes()
			stop.do(h, &late)
			e = h.call(schemas.ToolTransitionPartner, `{"run_id":"`+e.RunID+`","resume":true}`)
			if h.writes() != before {
				t.Errorf("%d writes, %s", h.writes()-before, e.Summary)
			}
		})
	}
}

// Where an entry's requests and sign-ins go is part of what was approved: the
// same tenant and object IDs exist wherever somebody says so.
func TestChangedEndpointStopsApprovedWrite(t *testing.T) {
	t.Parallel()
	for name, repoint := range map[string]func(*schemas.Tenant){
		"endpoint":  func(t *schemas.Tenant) { t.ARMEndpoint = strings.Replace(t.ARMEndpoint, "127.0.0.1", "localhost", 1) },
		"authority": func(t *schemas.Tenant) { t.Authority = "https://login.elsewhere.example/" },
	} {
		h := fleetOf(t, 2, nil)
		n := names(h)
		e := h.ask(schemas.ToolEnsurePartnerLinks, ensuring, afterThePlan{do: func() {
			h.directory.mu.Lock()
			defer h.directory.mu.Unlock()
			repoint(&h.directory.tenants[0])
		}}).Envelope
		h.wantState(e, n[0], answers.ChangeSkipped, "")
		h.wantState(e, n[1], answers.ChangeDone, newID)
		if row := states(e)[n[0]]; row.Problem != problems.CodeApprovalMismatch {
			t.Errorf("%s: %s", name, row.Problem)
		}
	}
}

// The same holds for a single write that waits for an approver.
func TestApprovedWriteUsesApprovedEndpoint(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 1, person)
	h.approver()
	asked := `{"tenant":"` + names(h)[0] + `","partner_id":"1234567"}`
	id := h.call(schemas.ToolRegisterPartner, asked).Approval.ID
	h.approve(id)
	entry := &h.directory.tenants[0]
	was := entry.ARMEndpoint
	entry.ARMEndpoint = strings.Replace(was, "127.0.0.1", "localhost", 1)
	with := asked[:len(asked)-1] + `,"approval_id":"` + id + `"}`
	if e := h.call(schemas.ToolRegisterPartner, with); e.Problem == nil || e.Problem.Code != problems.CodeApprovalMismatch || h.writes() != 0 {
		t.Errorf("elsewhere: %+v, %d writes", e, h.writes())
	}
	entry.ARMEndpoint = was
	if e := h.call(schemas.ToolRegisterPartner, with); e.Status != answers.StatusDone || h.writes() != 1 {
		t.Errorf("where it was asked for: %s, %d writes", e.Summary, h.writes())
	}
}

// What a run keeps of its call is bounded: calls that differ in nothing else must
// not fill the disk.
func TestLongSelectionIsRefused(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 1, unasked)
	long := `["` + strings.TrimSuffix(strings.Repeat(names(h)[0]+strings.Repeat("*", 200)+`","`, 400), `","`) + `"]`
	for tool, arguments := range map[string]string{
		schemas.ToolAuditPartnerLinks: `{"tenants":` + long + `}`, schemas.ToolEnsurePartnerLinks: `{"partner_id":"1234567","tenants":` + long + `}`,
		schemas.ToolTransitionPartner: `{"from":["7654321"],"to":"1234567","tenants":` + long + `}`,
	} {
		if e := h.call(tool, arguments); e.Problem == nil || e.Problem.Code != problems.CodeInvalidArgument {
			t.Errorf("%s: %s", tool, e.Summary)
		}
	}
	if stats := h.sim.Stats(); stats.ARMReads+stats.ARMWrites > 0 {
		t.Errorf("%+v", stats)
	}
}
