package guard_test

import (
	"slices"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

func TestAdmitEnforcesGrant(t *testing.T) {
	t.Parallel()
	all := access.Scopes()
	here := []string{"contoso", "fab*"}
	for name, test := range map[string]struct {
		grant          access.Grant
		tool           string
		tenant, number string
		code           problems.Code
	}{
		"the zero value reads nothing": {grant: access.Grant{}, tool: schemas.ToolFindPartnerTool, code: problems.CodeInsufficientScope},
		"read": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: here}, tool: schemas.ToolCheckPartnerLink,
			tenant: "contoso",
		},
		"read, no tenants": {
			grant: access.Grant{Scopes: all}, tool: schemas.ToolCheckPartnerLink, tenant: "contoso", code: problems.CodeUnknownTenant,
		},
		"read, another tenant": {
			grant: access.Grant{Scopes: all, Tenants: here}, tool: schemas.ToolCheckPartnerLink, tenant: "adatum",
			code: problems.CodeUnknownTenant,
		},
		"a glob": {
			grant: access.Grant{Scopes: all, Tenants: here}, tool: schemas.ToolCheckPartnerLink, tenant: "Fabrikam",
		},
		"read is no write": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: here}, tool: schemas.ToolRegisterPartner,
			tenant: "contoso", number: "1234567", code: problems.CodeInsufficientScope,
		},
		"write is no change": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeWrite}, Tenants: here}, tool: schemas.ToolUpdatePartner,
			tenant: "contoso", number: "1234567", code: problems.CodeInsufficientScope,
		},
		"write is no read": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeWrite}, Tenants: here}, tool: schemas.ToolCheckPartnerLink,
			tenant: "contoso", code: problems.CodeInsufficientScope,
		},
		"a writer asks for its approval": {grant: access.Grant{Scopes: []access.Scope{access.ScopeWrite}}, tool: schemas.ToolGetApproval},
		"an approver writes nothing": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: here}, tool: schemas.ToolRegisterPartner,
			tenant: "contoso", number: "1234567", code: problems.CodeInsufficientScope,
		},
		"change": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeChange}, Tenants: here}, tool: schemas.ToolRemovePartner,
			tenant: "contoso", number: "1234567",
		},
		"another tool": {
			grant: access.Grant{Scopes: all, Tenants: here, Tools: []string{schemas.ToolListTenants}}, tool: schemas.ToolCheckPartnerLink,
			tenant: "contoso", code: problems.CodeInsufficientScope,
		},
		"a tool that no scope covers": {
			grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: here, Tools: []string{schemas.ToolRegisterPartner}},
			tool:  schemas.ToolRegisterPartner, tenant: "contoso", number: "1234567", code: problems.CodeInsufficientScope,
		},
		"its partner ID": {
			grant: access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, tool: schemas.ToolRegisterPartner,
			tenant: "contoso", number: "1234567",
		},
		"a stranger's partner ID": {
			grant: access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, tool: schemas.ToolRegisterPartner,
			tenant: "contoso", number: "7654321", code: problems.CodeInsufficientScope,
		},
		"removing a stranger's partner ID": {
			grant: access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, tool: schemas.ToolRemovePartner,
			tenant: "contoso", number: "7654321", code: problems.CodeInsufficientScope,
		},
		"a read carries none": {
			grant: access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, tool: schemas.ToolCheckPartnerLink,
			tenant: "contoso", number: "7654321",
		},
		"granted, out of bounds": {
			grant: access.Grant{Scopes: all, Tenants: []string{access.AllTenants}}, tool: schemas.ToolCheckPartnerLink, tenant: "litware",
			code: problems.CodeNotAllowed,
		},
	} {
		g := newGuard(t, guard.Options{AllowWrites: true, Bounds: access.Bounds{Tenants: []string{"contoso", "fabrikam", "adatum"}}})
		subject := access.Subject{Operation: operation(t, test.tool), By: access.Principal{Caller: "x", Grant: test.grant}, Tenant: schemas.Tenant{Name: test.tenant}, PartnerID: partnerid.ID(test.number)}
		if got := admitted(g.Admit(t.Context(), subject)); got != test.code {
			t.Errorf("%s: %q, want %q", name, got, test.code)
		}
	}
}

// Nobody who runs the program may approve by that alone: the agent's session
// is of the same kind.
func TestFullGrantExcludesApproving(t *testing.T) {
	t.Parallel()
	full := access.FullGrant()
	for _, op := range schemas.Catalogue() {
		if !full.Allows(op) {
			t.Errorf("%s is missing", op.Name)
		}
	}
	if !full.AllowsTenant("any/thing") || !full.Everywhere() || !full.AllowsPartner("1234567") {
		t.Error("a full grant has a bound")
	}
	if !full.Has(access.ScopeMetrics) {
		t.Error("a full grant shows no figures")
	}
	if full.Has(access.ScopeApprove) || slices.Contains(full.Scopes, access.ScopeApprove) {
		t.Error("a full grant approves")
	}
}

func TestMissingScopeIsNamed(t *testing.T) {
	t.Parallel()
	err := access.Grant{Scopes: []access.Scope{access.ScopeRead}}.Check(operation(t, schemas.ToolRemovePartner))
	if problem := problems.As(err); problem == nil || problem.Code != problems.CodeInsufficientScope || !strings.Contains(problem.Message, string(access.ScopeChange)) {
		t.Errorf("%v", err)
	}
}
