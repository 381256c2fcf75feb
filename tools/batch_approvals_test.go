package tools_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/search"
	"mcp-partner/simulator"
	"mcp-partner/tools"
)

// An approver over the network sees a plan only whole: with every tenant of it
// in the grant, and with every row.
func TestPlanIsDecidedOverTheNetwork(t *testing.T) {
	t.Parallel()
	h := fleetOf(t, 3, person)
	n := names(h)
	h.link(n[2], newID)
	h.directory.tenants[0].Company, h.directory.tenants[0].Domains = "Contoso\u202e Ltd", []string{"contoso.example"}
	id := h.call(schemas.ToolEnsurePartnerLinks, ensuring).Approval.ID
	boss := func(change func(*access.Grant)) access.Principal {
		grant := access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}
		change(&grant)
		return access.Principal{Caller: "token:boss", Grant: grant}
	}
	for what, p := range map[string]access.Principal{
		"two of three tenants": boss(func(g *access.Grant) { g.Tenants = n[:2] }),
		"another partner ID":   boss(func(g *access.Grant) { g.PartnerIDs = []string{oldID} }),
		"another tool":         boss(func(g *access.Grant) { g.Tools = []string{schemas.ToolRegisterPartner} }),
	} {
		list, err := h.service.PendingApprovals(t.Context(), p)
		if err != nil || len(list) != 0 {
			t.Errorf("%s: %+v, %v", what, list, err)
		}
		if _, err := h.service.DecideApproval(t.Context(), p, id, guard.DecisionRequest{Approved: true}); err == nil {
			t.Errorf("%s: decided", what)
		}
	}
	p := boss(func(*access.Grant) {})
	shown, err := h.service.PendingApproval(t.Context(), p, id)
	if row := shown.Rows[0]; row.Company != "Contoso Ltd" || row.Domain != "contoso.example" {
		t.Errorf("%+v", row)
	}
	if err != nil || len(shown.Rows) != 3 || len(shown.Rows[0].Steps) != 1 || shown.Rows[2].State != answers.ChangeUnchanged || shown.Text == "" {
		t.Fatalf("%+v, %v", shown, err)
	}
	if _, err := h.service.DecideApproval(t.Context(), p, id, guard.DecisionRequest{Approved: true, Digest: "00"}); problems.As(err).Code != problems.CodeApprovalMismatch {
		t.Errorf("another digest: %v", err)
	}
	if _, err := h.service.DecideApproval(t.Context(), p, id, guard.DecisionRequest{Approved: true, Digest: shown.Digest}); err != nil {
		t.Fatal(err)
	}
	e := h.call(schemas.ToolEnsurePartnerLinks, `{"partner_id":"1234567","approval_id":"`+id+`"}`)
	if e.Status != answers.StatusDone || h.writes() != 2 {
		t.Errorf("%s, %d writes", e.Summary, h.writes())
	}
}

func TestDecisionIsLoggedWithApprovalToolAndTenant(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, person)
	var log bytes.Buffer
	h.service = tools.NewService(tools.Deps{Directory: h.directory, Clients: h, Guard: h.guard, Fleet: h.fleet,
		Search: search.New(schemas.Catalogue(), schemaOf), Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now})
	id := h.call(schemas.ToolRegisterPartner, `{"tenant":"contoso","partner_id":"1234567"}`).Approval.ID
	boss := access.Principal{Caller: "token:boss", Grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: []string{access.AllTenants}}}
	for _, step := range []struct {
		id   string
		said guard.DecisionRequest
		want string
	}{
		{id: "ap_none", said: guard.DecisionRequest{Reason: "no"}, want: "approval=ap_none status=approval_unknown\n"},
		{
			id: id, said: guard.DecisionRequest{Approved: true, Digest: "00"},
			want: "approval=" + id + " status=approval_mismatch tool=register_partner tenant=contoso\n",
		},
		{
			id: id, said: guard.DecisionRequest{Reason: "not theirs"},
			want: "approval=" + id + " status=denied tool=register_partner tenant=contoso\n",
		},
		{
			id: id, said: guard.DecisionRequest{Reason: "again"},
			want: "approval=" + id + " status=approval_expired tool=register_partner tenant=contoso\n",
		},
	} {
		log.Reset()
		_, _ = h.service.DecideApproval(t.Context(), boss, step.id, step.said)
		if !strings.Contains(log.String(), "msg=decision caller=token:boss "+step.want) {
			t.Errorf("want %q, the log says: %s", step.want, log.String())
		}
	}
}
