package tools_test

import (
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

// rolesAt gives a tenant so many subscriptions, with a role in each.
func rolesAt(t *testing.T, sim *simulator.Simulator, tenant string, roles ...string) {
	t.Helper()
	var all simulator.Roles
	for i, role := range roles {
		id := fmt.Sprintf("10000000-0000-4000-8000-%012d", i+1)
		all.Subscriptions = append(all.Subscriptions, simulator.Subscription{ID: id, Name: fmt.Sprintf("Subscription %d", i+1)})
		all.Assignments = append(all.Assignments, simulator.RoleAssignment{RoleID: role, Scope: "/subscriptions/" + id})
	}
	if err := sim.SetRoles(tenant, all); err != nil {
		t.Fatal(err)
	}
}

func TestRolesAreCountedForATenant(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.link("contoso", "1234567")
	rolesAt(t, h.sim, "contoso", simulator.RoleOwner, simulator.RoleReader, simulator.RoleContributor)
	envelope := h.call(schemas.ToolCheckPECRoles, `{}`)
	want := "Linked to 1234567. This identity has an eligible role in 2 of 3 subscriptions (Owner). In Subscription 2 it has Reader only. Another identity or admin-on-behalf-of may still qualify them."
	if envelope.Status != answers.StatusDone || envelope.Summary != want {
		t.Errorf("%s %q\nwant %q", envelope.Status, envelope.Summary, want)
	}
	if v := envelope.PECRoles.Verdicts; v.Subscriptions != 3 || v.EligibleRole != 2 || v.NoEligibleRole != 1 {
		t.Errorf("%+v", v)
	}
}

func TestRolesComeInPages(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	rolesAt(t, h.sim, "contoso", simulator.RoleOwner, simulator.RoleReader, simulator.RoleContributor)
	first := h.call(schemas.ToolCheckPECRoles, `{"limit":2}`)
	if len(first.PECRoles.Rows) != 2 || first.NextCursor == "" || !strings.Contains(first.Summary, "1 more subscription not on this page") {
		t.Fatalf("%+v", first)
	}
	second := h.call(schemas.ToolCheckPECRoles, `{"limit":2,"cursor":"`+first.NextCursor+`"}`)
	if len(second.PECRoles.Rows) != 1 || second.NextCursor != "" || second.PECRoles.Rows[0].Name != "Subscription 3" {
		t.Errorf("%+v", second)
	}
}

func TestRolesRefuseWhatIsNoSubscriptionAndNoCursor(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	for arguments, says := range map[string]string{
		`{"subscriptions":["Sandbox"]}`: "subscriptions[0] is not a GUID",
		`{"cursor":"AAAA"}`:             "cursor is not valid: pass next_cursor of check_pec_roles",
	} {
		envelope := h.call(schemas.ToolCheckPECRoles, arguments)
		if envelope.Status != answers.StatusRefused || !strings.Contains(envelope.Summary, says) {
			t.Errorf("%s: %s %q", arguments, envelope.Status, envelope.Summary)
		}
	}
}

func TestRolesFailWhereSubscriptionsCannotBeListed(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	h.link("contoso", "1234567")
	h.sim.Inject(simulator.Rule{Kind: simulator.FaultForbidden, Path: simulator.OpSubscriptions})
	envelope := h.call(schemas.ToolCheckPECRoles, `{}`)
	if envelope.Status != answers.StatusFailed || envelope.Problem.Code != problems.CodeForbidden || envelope.Link.State != answers.LinkLinked || envelope.PECRoles.Reason != "forbidden" {
		t.Errorf("%+v", envelope)
	}
}

func TestIdentityWithoutSubscriptionsSeesNone(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, nil)
	rolesAt(t, h.sim, "contoso")
	envelope := h.call(schemas.ToolCheckPECRoles, `{}`)
	if envelope.Status != answers.StatusDone || !strings.Contains(envelope.Summary, "This identity sees no subscription") {
		t.Errorf("%s %q", envelope.Status, envelope.Summary)
	}
}

func TestRegisteredLinkComesWithItsRoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role, says string
		forbidden  bool
	}{
		"eligible":  {role: simulator.RoleOwner, says: "This identity has an eligible role in 1 of 1 subscription (Owner)."},
		"reader":    {role: simulator.RoleReader, says: "In Subscription 1 it has Reader only."},
		"forbidden": {role: simulator.RoleOwner, says: "Roles and earned credit were not checked.", forbidden: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, simulator.Config{Tenants: 1}, nil)
			rolesAt(t, h.sim, "contoso", c.role)
			if c.forbidden {
				h.sim.Inject(simulator.Rule{Kind: simulator.FaultForbidden, Path: simulator.OpSubscriptions})
			}
			envelope := h.ask(schemas.ToolRegisterPartner, `{"partner_id":"1234567"}`, types("1234567")).Envelope
			if envelope.Status != answers.StatusDone || !strings.Contains(envelope.Summary, c.says) || (envelope.PECRoles == nil) != c.forbidden {
				t.Errorf("%s %q %+v", envelope.Status, envelope.Summary, envelope.PECRoles)
			}
		})
	}
}

func TestAuditReadsNoRolesWhereARuleDeniesIt(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, func(o *guard.Options) {
		o.Rules = []access.Rule{{Name: "not here", Operations: []string{schemas.ToolCheckPECRoles}, Tenants: []string{"fabrikam"}, Ruling: access.RulingDeny}}
	})
	for _, tenant := range []string{"contoso", "fabrikam"} {
		h.link(tenant, "1234567")
		rolesAt(t, h.sim, tenant, simulator.RoleOwner)
	}
	envelope := h.call(schemas.ToolAuditPartnerLinks, `{"include_roles":true,"expected_partner_id":"1234567"}`)
	for _, row := range envelope.Rows {
		if want := map[string]string{"fabrikam": "policy_denied"}[row.Tenant]; row.PECRoles.Reason != want || (row.PECRoles.Verdicts.EligibleRole == 1) != (want == "") {
			t.Errorf("%s: %+v", row.Tenant, row.PECRoles)
		}
	}
	if len(envelope.Rows) != 2 || envelope.Totals[answers.PECRolesUnknown] != 1 {
		t.Errorf("%+v", envelope.Totals)
	}
}

func TestEnsureSaysWhichRolesItsIdentitiesHave(t *testing.T) {
	t.Parallel()
	const owner = "This identity has an eligible role in 1 of 1 subscription (Owner)."
	for name, c := range map[string]struct {
		tenants   int
		arguments string
		rows      int
		says      string
	}{
		"one tenant":              {tenants: 1, arguments: `{"partner_id":"1234567"}`, rows: 1, says: owner},
		"one tenant, refused":     {tenants: 1, arguments: `{"partner_id":"1234567","include_roles":false}`},
		"one tenant, only a plan": {tenants: 1, arguments: `{"partner_id":"1234567","plan":true}`},
		"many tenants":            {tenants: 3, arguments: `{"partner_id":"1234567"}`},
		"many tenants, asked for": {
			tenants: 3, arguments: `{"partner_id":"1234567","include_roles":true}`, rows: 3,
			says: "Roles for partner earned credit: 2 linked, eligible role in none; 1 linked, eligible role in all subscriptions.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, simulator.Config{Tenants: c.tenants}, unasked)
			for _, tenant := range h.sim.Tenants() {
				rolesAt(t, h.sim, tenant.Name, simulator.RoleReader)
			}
			rolesAt(t, h.sim, "contoso", simulator.RoleOwner)
			for _, again := range []answers.Status{answers.StatusDone, answers.StatusUnchanged} {
				if again == answers.StatusUnchanged && strings.Contains(c.arguments, "plan") {
					continue
				}
				envelope := h.call(schemas.ToolEnsurePartnerLinks, c.arguments)
				read := 0
				for _, row := range envelope.Changes {
					if row.PECRoles != nil {
						read++
					}
				}
				if envelope.Status != again || read != c.rows || !strings.HasSuffix(envelope.Summary, c.says) {
					t.Errorf("%s: %d rows with roles, %q", envelope.Status, read, envelope.Summary)
				}
			}
		})
	}
}

func TestEnsureRefusesRolesToACallerWhoMayNotReadThem(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 1}, unasked)
	rolesAt(t, h.sim, "contoso", simulator.RoleOwner)
	p := trusted("few")
	p.Grant.Tools = []string{schemas.ToolEnsurePartnerLinks}
	for arguments, want := range map[string]answers.Status{
		`{"partner_id":"1234567","include_roles":true}`: answers.StatusRefused, `{"partner_id":"1234567"}`: answers.StatusDone,
	} {
		envelope := h.service.Call(t.Context(), tools.Call{Tool: schemas.ToolEnsurePartnerLinks, Arguments: []byte(arguments), Principal: p, Confirmer: tools.NoConfirmer{}}).Envelope
		if envelope.Status != want || (want == answers.StatusDone) != (h.linked("contoso") != "") || strings.Contains(envelope.Summary, "eligible") {
			t.Errorf("%s: %s %q", arguments, envelope.Status, envelope.Summary)
		}
		h.sim.ClearLink("contoso")
	}
}
