package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// audit calls the tool as a principal and checks the answer against its schema.
func (h *fixture) audit(ctx context.Context, p access.Principal, arguments string, progress tools.Progress) answers.Envelope {
	h.t.Helper()
	envelope := h.service.Call(ctx, tools.Call{
		Tool: schemas.ToolAuditPartnerLinks, Arguments: json.RawMessage(arguments), Principal: p, Confirmer: tools.NoConfirmer{}, Progress: progress,
	}).Envelope
	h.valid(schemas.ToolAuditPartnerLinks, envelope)
	return envelope
}

func everywhere(caller access.Caller) access.Principal {
	return access.Principal{Caller: caller, Grant: access.FullGrant()}
}

// TestAuditPages goes through all rows with the cursor: each stands there once,
// those that need attention first, and a page stays small.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	const size = 130
	h := build(t, simulator.Config{Tenants: size}, nil)
	for _, tenant := range h.sim.Tenants()[:40] {
		h.link(tenant.Name, "1234567")
	}
	h.link("contoso", "7654321")
	first := h.audit(t.Context(), everywhere("a"), `{"expected_partner_id":"1234567"}`, nil)
	if first.Status != answers.StatusDone || len(first.Rows) != 50 || first.Totals["rows"] != size || first.NextCursor == "" {
		t.Fatalf("%+v", first)
	}
	seen, states := map[string]bool{}, []answers.RowState{}
	for page := first; ; {
		if text, _ := json.Marshal(page); len(text) > 40_000 {
			t.Errorf("a page has %d bytes", len(text))
		}
		for _, row := range page.Rows {
			if seen[row.Tenant] {
				t.Errorf("%s stands there twice", row.Tenant)
			}
			seen[row.Tenant] = true
			states = append(states, row.State)
		}
		if page.NextCursor == "" {
			break
		}
		page = h.audit(t.Context(), everywhere("a"), fmt.Sprintf(`{"run_id":%q,"cursor":%q,"limit":33}`, first.RunID, page.NextCursor), nil)
	}
	if len(seen) != size || states[0] != answers.RowNotLinked || states[size-41] != answers.RowNotLinked || states[size-40] != answers.RowLinkedOther || states[size-1] != answers.RowLinkedExpected {
		t.Errorf("%d rows in the order %v", len(seen), states)
	}
	if n := h.writes(); n != 0 {
		t.Errorf("an audit wrote %d times", n)
	}
}

// An answer reveals nothing about tenants outside the caller's grant or about
// runs of other callers.
func TestAuditStaysInsideTheGrant(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 10}, func(o *guard.Options) { o.Bounds.Tenants = []string{"contoso", "fabrikam", "litware"} })
	few := access.Principal{Caller: "few", Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"contoso", "northwind"}}}
	own := h.audit(t.Context(), few, `{}`, nil)
	if len(own.Rows) != 1 || own.Rows[0].Tenant != "contoso" {
		t.Errorf("%+v", own.Rows)
	}
	all := h.audit(t.Context(), everywhere("all"), `{}`, nil)
	if all.Totals["rows"] != 3 {
		t.Errorf("the operator's bound: %+v", all.Totals)
	}
	for arguments, code := range map[string]problems.Code{
		`{"tenants":["fabrikam"]}`:                                        problems.CodeUnknownTenant, // of the operator's, not of the caller's
		`{"tenants":["northwind"]}`:                                       problems.CodeUnknownTenant, // the other way round
		`{"tenants":["fab*"]}`:                                            problems.CodeUnknownTenant,
		fmt.Sprintf(`{"run_id":%q}`, all.RunID):                           problems.CodeUnknownRun,
		`{"run_id":"run_000000000000000000"}`:                             problems.CodeUnknownRun,
		fmt.Sprintf(`{"run_id":%q,"limit":1}`, "../x"):                    problems.CodeUnknownRun,
		`{"cursor":"abc"}`:                                                problems.CodeInvalidArgument,
		`{"run_id":"run_0","labels":["x"]}`:                               problems.CodeInvalidArgument,
		`{"tenants":[""]}`:                                                problems.CodeInvalidArgument,
		`{"own_partner_ids":["1"]}`:                                       problems.CodeInvalidPartnerID,
		`{"expected_partner_id":"1234567","tenant":"a"}`:                  problems.CodeUnknownArgument,
		`{"expected_partner_id":"1234567","own_partner_ids":["7654321"]}`: problems.CodeInvalidArgument,
	} {
		if e := h.audit(t.Context(), few, arguments, nil); e.Problem == nil || e.Problem.Code != code || strings.Contains(e.Summary, "litware") {
			t.Errorf("%s: %+v, want %s", arguments, e.Problem, code)
		}
	}
	none := access.Principal{Caller: "none", Grant: access.Grant{Scopes: []access.Scope{access.ScopeWrite}, Tenants: []string{access.AllTenants}}}
	if e := h.audit(t.Context(), none, `{}`, nil); e.Status != answers.StatusRefused {
		t.Errorf("a caller without the scope to read: %+v", e)
	}
}

// A client that disconnects ends the run.
func TestAuditReportsProgress(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 12}, nil)
	var steps []int
	e := h.audit(t.Context(), everywhere("a"), `{}`, func(step, total int, _ string) {
		if steps = append(steps, step); total != 12 {
			t.Errorf("of %d", total)
		}
	})
	if len(steps) < 2 || steps[len(steps)-1] != 12 || e.Run.State != "finished" {
		t.Errorf("told %v, %+v", steps, e.Run)
	}
	gone, hangUp := context.WithCancel(t.Context())
	h.sim.Inject(simulator.Rule{Kind: simulator.FaultThrottleLong, TenantID: "contoso"})
	cancelled := h.audit(gone, everywhere("b"), `{}`, func(int, int, string) { hangUp() })
	if cancelled.Problem == nil || cancelled.Problem.Code != problems.CodeCancelled || cancelled.Run == nil {
		t.Fatalf("%+v", cancelled)
	}
	h.fleet.Close()
	if run, err := h.fleet.Run(t.Context(), "b", cancelled.RunID); err != nil || run.State != "cancelled" {
		t.Errorf("%+v, %v", run, err)
	}
}

// The plan describes the requests and sends none.
func TestAuditPlanSendsNothing(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 10}, nil)
	e := h.service.Call(t.Context(), tools.Call{Tool: schemas.ToolAuditPartnerLinks, Arguments: json.RawMessage(`{"tenants":["t*"]}`), Principal: everywhere("a"), Confirmer: tools.NoConfirmer{}, PlanOnly: true}).Envelope
	if e.Status != answers.StatusDone || len(e.Plan) != 1 || !strings.Contains(e.Plan[0].When, "1 identity") || len(h.sim.Journal()) != 0 {
		t.Errorf("%+v, %d requests", e, len(h.sim.Journal()))
	}
}
