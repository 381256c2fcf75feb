package tools_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/tools"
)

// TestNothingOutsideTheBoundsIsShown asks by every kind of reference for tenants
// that a server with narrower bounds over the same store must not show.
func TestNothingOutsideTheBoundsIsShown(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, person)
	h.approver()
	n := names(h)
	outside := h.directory.tenants[0]
	audit := h.call(schemas.ToolAuditPartnerLinks, `{"limit":1}`)
	plan := h.call(schemas.ToolEnsurePartnerLinks, ensuring)
	one := h.call(schemas.ToolRegisterPartner, `{"tenant":"`+n[0]+`","partner_id":"1234567"}`)
	if audit.NextCursor == "" || plan.Approval == nil || one.Approval == nil {
		t.Fatalf("%+v\n%+v\n%+v", audit, plan, one)
	}
	h.with(guard.Options{AllowWrites: true, Bounds: access.Bounds{Tenants: n[1:]}})
	for _, call := range []struct{ tool, arguments string }{
		{schemas.ToolListTenants, `{}`},
		{schemas.ToolListTenants, `{"discover":true,"tenant":"` + n[1] + `"}`},
		{schemas.ToolCheckPartnerLink, `{"tenant":"` + outside.TenantID + `"}`},
		{schemas.ToolCheckPartnerLink, `{"tenant":"` + outside.Domains[0] + `"}`},
		{schemas.ToolCheckPartnerLink, `{"tenant":"` + n[0][:len(n[0])-1] + `"}`},
		{schemas.ToolListProviderOperations, `{"tenant":"` + outside.TenantID + `"}`},
		{schemas.ToolFindPartnerTool, `{"query":"is our link in place at ` + outside.Domains[0] + `"}`},
		{schemas.ToolAuditPartnerLinks, `{"run_id":"` + audit.RunID + `"}`},
		{schemas.ToolAuditPartnerLinks, `{"run_id":"` + audit.RunID + `","cursor":"` + audit.NextCursor + `"}`},
		{schemas.ToolAuditPartnerLinks, `{"tenants":["` + outside.TenantID + `"]}`},
		{schemas.ToolAuditPartnerLinks, `{"tenants":["*"]}`},
		{schemas.ToolGetApproval, `{"approval_id":"` + plan.Approval.ID + `"}`},
		{schemas.ToolGetApproval, `{"approval_id":"` + one.Approval.ID + `"}`},
		{schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","approval_id":"` + plan.Approval.ID + `"}`},
		{schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","plan":true}`},
		{schemas.ToolTransitionPartner, `{"from":["7654321"],"to":"1234567","tenants":["` + outside.Domains[0] + `"],"plan":true}`},
		{schemas.ToolRegisterPartner, `{"tenant":"` + outside.TenantID + `","partner_id":"1234567"}`},
	} {
		text, err := json.Marshal(h.call(call.tool, call.arguments))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"`+n[0]+`"`) || strings.Contains(string(text), n[0]+" ") && !strings.Contains(call.arguments, n[0]) {
			t.Errorf("%s %s tells of %s: %s", call.tool, call.arguments, n[0], text)
		}
	}
	if h.writes() != 0 {
		t.Errorf("%d writes", h.writes())
	}
	approver := access.Principal{Caller: "oidc:somebody", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}}
	if shown, err := h.service.PendingApprovals(t.Context(), approver); err != nil || len(shown) != 0 {
		t.Errorf("approvals outside the bounds are shown: %+v, %v", shown, err)
	}
}

func TestCompletionStaysInsideFreezeAndBounds(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 2, nil)
	complete := func(name string) []string {
		ctx := tools.WithRequest(t.Context(), tools.Request{Principal: trusted("test")})
		done, err := h.service.CompletePromptArgument(ctx, "", mcp.CompleteArgument{Name: name}, mcp.CompleteContext{})
		if err != nil {
			t.Fatal(err)
		}
		return done.Values
	}
	if len(complete("tenant")) != 2 || len(complete("tool")) != len(schemas.Catalogue()) {
		t.Fatalf("%v, %v", complete("tenant"), complete("tool"))
	}
	h.with(guard.Options{Bounds: access.Bounds{Tools: []string{schemas.ToolCheckPartnerLink}}})
	if tools := complete("tool"); len(complete("tenant")) != 0 || len(tools) != 1 {
		t.Errorf("without list_tenants %v, %v", complete("tenant"), tools)
	}
	h.with(guard.Options{})
	if err := h.guard.SetFreeze(context.Background(), true, "enough"); err != nil {
		t.Fatal(err)
	}
	if len(complete("tenant"))+len(complete("tool")) != 0 {
		t.Errorf("while reads are frozen: %v, %v", complete("tenant"), complete("tool"))
	}
}
