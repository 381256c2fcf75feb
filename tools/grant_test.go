package tools_test

import (
	"encoding/json"
	"fmt"
	"slices"
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

// as makes a wire's calls those of a caller who was given something.
func (w *wire) as(caller access.Caller, grant access.Grant) *wire {
	other := *w
	other.caller, other.grant = caller, &grant
	return &other
}

func (w *wire) tool(name, arguments string) answers.Envelope {
	w.t.Helper()
	a := w.send("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, name, arguments), noForms)
	if a.Error != nil {
		w.t.Fatalf("%s: %+v", name, a.Error)
	}
	return a.Result.StructuredContent
}

// oneTenant is the grant of a caller whose tenant is contoso.
func oneTenant(scopes ...access.Scope) access.Grant {
	return access.Grant{Scopes: scopes, Tenants: []string{"contoso"}}
}

// What another tenant is called must not be found anywhere by a caller who was
// not given it.
func TestCallersSeeOnlyTheirTenants(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked).as("reader", oneTenant(access.ScopeRead))
	// "Fabrikam" alone appears in the catalogue's fixed examples.
	others := []string{"adventure-works", w.tenant("adventure-works").TenantID, w.tenant("fabrikam").TenantID, w.tenant("fabrikam").Domain}
	var seen strings.Builder
	look := func(method, params string) answer {
		a := w.send(method, params, noForms)
		raw, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(raw)
		return a
	}
	for _, call := range []struct{ tool, arguments string }{
		{schemas.ToolListTenants, `{}`}, {schemas.ToolFindPartnerTool, `{"query":"register 1234567 at adventure works"}`},
		{schemas.ToolCheckPartnerLink, `{"tenant":"fabrikan"}`}, {schemas.ToolListProviderOperations, `{}`},
		{schemas.ToolCheckPartnerLink, `{"tenant":"adventure-work","partner_id":"1234567"}`},
	} {
		look("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, call.tool, call.arguments))
	}
	look("tools/call", `{"name":"list_tenants","arguments":{"discover":true}}`)
	look("resources/read", `{"uri":"partner://tenants"}`)
	look("completion/complete", `{"ref":{"type":"ref/prompt","name":"claim_tenant"},"argument":{"name":"tenant","value":""}}`)
	for _, other := range others {
		if strings.Contains(seen.String(), other) {
			t.Errorf("%s was shown:\n%s", other, seen.String())
		}
	}
	if !strings.Contains(seen.String(), "contoso") {
		t.Error("its own tenant was shown nowhere")
	}
	if got := w.tool(schemas.ToolCheckPartnerLink, `{}`); got.Status != answers.StatusDone || got.Identity.Tenant != "contoso" {
		t.Errorf("the only tenant it has is not taken for the one it means: %+v", got)
	}
	if none := w.as("nobody", access.Grant{Scopes: access.Scopes()}).tool(schemas.ToolListTenants, `{}`); len(none.Tenants) != 0 || strings.Contains(none.Summary, "tenants add") {
		t.Errorf("without tenants: %+v", none)
	}
}

// The answer for a tenant outside the grant is identical to that for one that
// does not exist, by any of its names and for every tool.
func TestTenantOutsideGrantLooksAbsent(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked).as("writer", oneTenant(access.Scopes()...))
	other := w.tenant("fabrikam")
	for _, tool := range []string{schemas.ToolCheckPartnerLink, schemas.ToolRegisterPartner, schemas.ToolRemovePartner} {
		ask := func(ref string) string {
			arguments := fmt.Sprintf(`{"tenant":%q}`, ref)
			if tool != schemas.ToolCheckPartnerLink {
				arguments = fmt.Sprintf(`{"tenant":%q,"partner_id":"1234567"}`, ref)
			}
			raw, err := json.Marshal(w.tool(tool, arguments))
			if err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(string(raw), ref, "REF")
		}
		for there, nowhere := range map[string]string{
			"fabrikam": "fabrikax", other.TenantID: "00000000-0000-4000-8000-000000000999", other.Domain: "fabrikax.example",
		} {
			if got, want := ask(there), ask(nowhere); got != want || !strings.Contains(got, string(problems.CodeUnknownTenant)) {
				t.Errorf("%s: %s gives\n%s\nand one that does not exist\n%s", tool, there, got, want)
			}
		}
	}
	if w.writes() != 0 || len(w.sim.Journal()) != 0 {
		t.Errorf("%d writes, %d requests", w.writes(), len(w.sim.Journal()))
	}
}

func TestUngrantedCallsAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grant           access.Grant
		tool, arguments string
		says            string
	}{
		"no scope": {
			grant: access.Grant{Tenants: []string{"contoso"}}, tool: schemas.ToolCheckPartnerLink, arguments: `{"tenant":"contoso"}`,
			says: "partner.read",
		},
		"a reader registers": {
			grant: oneTenant(access.ScopeRead), tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"contoso","partner_id":"1234567"}`,
			says: "partner.write",
		},
		"a writer removes": {
			grant: oneTenant(access.ScopeRead, access.ScopeWrite), tool: schemas.ToolRemovePartner,
			arguments: `{"tenant":"contoso","partner_id":"1234567"}`, says: "partner.change",
		},
		"wrong arguments": {
			grant: oneTenant(access.ScopeRead), tool: schemas.ToolRegisterPartner, arguments: `{"nonsense":1}`, says: "partner.write",
		},
		"another tool": {grant: access.Grant{Scopes: access.Scopes(), Tenants: []string{"contoso"}, Tools: []string{schemas.ToolListTenants}},
			tool: schemas.ToolCheckPartnerLink, arguments: `{"tenant":"contoso"}`, says: "lacks the tool"},
		"another partner ID": {grant: access.Grant{Scopes: access.Scopes(), Tenants: []string{"contoso"}, PartnerIDs: []string{"7654321"}},
			tool: schemas.ToolRegisterPartner, arguments: `{"tenant":"contoso","partner_id":"1234567"}`, says: "lacks the partner ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, unasked).as("caller", test.grant)
			got := w.tool(test.tool, test.arguments)
			if got.Status != answers.StatusRefused || got.Problem.Code != problems.CodeInsufficientScope || !strings.Contains(got.Problem.Message, test.says) {
				t.Errorf("%+v", got)
			}
			if w.writes() != 0 || len(w.sim.Journal()) != 0 {
				t.Errorf("%d writes, %d requests", w.writes(), len(w.sim.Journal()))
			}
			if op, _ := schemas.Lookup(test.tool); op.Effect.Writes() != w.recorded(problems.CodeInsufficientScope) {
				t.Errorf("a refused write is recorded, a read is not: %+v", w.store.Events())
			}
		})
	}
}

func (h *fixture) recorded(code problems.Code) bool {
	return slices.ContainsFunc(h.store.Events(), func(e guard.Event) bool { return e.Kind == guard.KindRefusal && e.Result == string(code) })
}

func TestSearchMarksToolsNotGranted(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked).as("reader", oneTenant(access.ScopeRead))
	if got := w.tool(schemas.ToolFindPartnerTool, `{"query":"remove the link at contoso"}`); !strings.Contains(got.Summary, "partner.change") {
		t.Errorf("%+v", got)
	}
	if got := w.tool(schemas.ToolFindPartnerTool, `{"query":"is contoso linked?"}`); strings.Contains(got.Summary, "scope") {
		t.Errorf("%+v", got)
	}
	a := w.send("completion/complete", `{"ref":{"type":"ref/resource","uri":"partner://schemas/{tool}"},"argument":{"name":"tool","value":""}}`, noForms)
	if slices.Contains(a.Result.Completion.Values, schemas.ToolRemovePartner) || !slices.Contains(a.Result.Completion.Values, schemas.ToolCheckPartnerLink) {
		t.Errorf("%+v", a)
	}
}

// A cursor belongs to who got it, and what it continues is made of what its
// caller may see now.
func TestCursorFitsOnlyItsCaller(t *testing.T) {
	t.Parallel()
	w := newWire(t, nil)
	mine := w.as("mine", access.FullGrant())
	first := mine.tool(schemas.ToolListTenants, `{"limit":1}`)
	if first.NextCursor == "" || len(first.Tenants) != 1 {
		t.Fatalf("%+v", first)
	}
	next := fmt.Sprintf(`{"limit":1,"cursor":%q}`, first.NextCursor)
	if got := mine.tool(schemas.ToolListTenants, next); got.Status != answers.StatusDone || len(got.Tenants) != 1 || got.Tenants[0].Name == first.Tenants[0].Name {
		t.Errorf("its own: %+v", got)
	}
	if got := w.as("other", access.FullGrant()).tool(schemas.ToolListTenants, next); got.Problem == nil || got.Problem.Code != problems.CodeInvalidArgument {
		t.Errorf("another's: %+v", got)
	}
	less := w.as("mine", access.Grant{Scopes: access.Scopes(), Tenants: []string{first.Tenants[0].Name}})
	if got := less.tool(schemas.ToolListTenants, next); len(got.Tenants) != 0 {
		t.Errorf("what was given has become less, and is shown: %+v", got)
	}
}

func TestApprovalsEndWithTheGrant(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, person)
	h.approver()
	id := h.call(schemas.ToolRegisterPartner, registering).Approval.ID
	h.approve(id)
	for _, call := range []tools.Call{
		{Tool: schemas.ToolGetApproval, Arguments: []byte(`{"approval_id":"` + id + `"}`)},
		{Tool: schemas.ToolRegisterPartner, Arguments: []byte(`{"tenant":"contoso","partner_id":"1234567","approval_id":"` + id + `"}`)},
	} {
		call.Confirmer = tools.NoConfirmer{}
		call.Principal = access.Principal{Caller: "test", Grant: access.Grant{Scopes: access.Scopes(), Tenants: []string{"fabrikam"}}}
		if got := h.service.Call(t.Context(), call).Envelope; got.Status != answers.StatusRefused {
			t.Errorf("%s: %+v", call.Tool, got)
		}
	}
	if h.writes() != 0 {
		t.Errorf("%d writes", h.writes())
	}
}

// A run belongs to who began it, and ends to be seen where a tenant of it is
// not the caller's any more.
func TestRunsAreVisibleOnlyToCaller(t *testing.T) {
	t.Parallel()
	w := newWire(t, nil)
	two := access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"contoso", "fabrikam"}}
	mine := w.as("mine", two)
	run := mine.tool(schemas.ToolAuditPartnerLinks, `{"limit":1}`)
	if run.RunID == "" || run.NextCursor == "" || run.Totals["rows"] != 2 {
		t.Fatalf("%+v", run)
	}
	follow, next := fmt.Sprintf(`{"run_id":%q}`, run.RunID), fmt.Sprintf(`{"run_id":%q,"cursor":%q}`, run.RunID, run.NextCursor)
	for _, arguments := range []string{follow, next} {
		if got := mine.tool(schemas.ToolAuditPartnerLinks, arguments); got.Status != answers.StatusDone || len(got.Rows) == 0 {
			t.Errorf("its own: %+v", got)
		}
		for name, other := range map[string]*wire{
			"another caller": w.as("other", two), "the operator": w.as("stdio", access.FullGrant()), "less was given since": w.as("mine", oneTenant(access.ScopeRead)),
		} {
			got := other.tool(schemas.ToolAuditPartnerLinks, arguments)
			raw, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != answers.StatusRefused || strings.Contains(string(raw), "fabrikam") {
				t.Errorf("%s: %s", name, raw)
			}
		}
	}
}
