package guard_test

import (
	"slices"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
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
		"the zero value reads nothing":     {access.Grant{}, schemas.ToolFindPartnerTool, "", "", problems.CodeInsufficientScope},
		"read":                             {access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: here}, schemas.ToolCheckPartnerLink, "contoso", "", ""},
		"read, no tenants":                 {access.Grant{Scopes: all}, schemas.ToolCheckPartnerLink, "contoso", "", problems.CodeUnknownTenant},
		"read, another tenant":             {access.Grant{Scopes: all, Tenants: here}, schemas.ToolCheckPartnerLink, "adatum", "", problems.CodeUnknownTenant},
		"a glob":                           {access.Grant{Scopes: all, Tenants: here}, schemas.ToolCheckPartnerLink, "Fabrikam", "", ""},
		"read is no write":                 {access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: here}, schemas.ToolRegisterPartner, "contoso", "1234567", problems.CodeInsufficientScope},
		"write is no change":               {access.Grant{Scopes: []access.Scope{access.ScopeWrite}, Tenants: here}, schemas.ToolUpdatePartner, "contoso", "1234567", problems.CodeInsufficientScope},
		"write is no read":                 {access.Grant{Scopes: []access.Scope{access.ScopeWrite}, Tenants: here}, schemas.ToolCheckPartnerLink, "contoso", "", problems.CodeInsufficientScope},
		"a writer asks for its approval":   {access.Grant{Scopes: []access.Scope{access.ScopeWrite}}, schemas.ToolGetApproval, "", "", ""},
		"an approver writes nothing":       {access.Grant{Scopes: []access.Scope{access.ScopeApprove}, Tenants: here}, schemas.ToolRegisterPartner, "contoso", "1234567", problems.CodeInsufficientScope},
		"change":                           {access.Grant{Scopes: []access.Scope{access.ScopeChange}, Tenants: here}, schemas.ToolRemovePartner, "contoso", "1234567", ""},
		"another tool":                     {access.Grant{Scopes: all, Tenants: here, Tools: []string{schemas.ToolListTenants}}, schemas.ToolCheckPartnerLink, "contoso", "", problems.CodeInsufficientScope},
		"a tool that no scope covers":      {access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: here, Tools: []string{schemas.ToolRegisterPartner}}, schemas.ToolRegisterPartner, "contoso", "1234567", problems.CodeInsufficientScope},
		"its partner ID":                   {access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolRegisterPartner, "contoso", "1234567", ""},
		"a stranger's partner ID":          {access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolRegisterPartner, "contoso", "7654321", problems.CodeInsufficientScope},
		"removing a stranger's partner ID": {access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolRemovePartner, "contoso", "7654321", problems.CodeInsufficientScope},
		"a read carries none":              {access.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolCheckPartnerLink, "contoso", "7654321", ""},
		"granted, out of bounds":           {access.Grant{Scopes: all, Tenants: []string{access.AllTenants}}, schemas.ToolCheckPartnerLink, "litware", "", problems.CodeNotAllowed},
	} {
		g := newGuard(t, guard.Options{AllowWrites: true, Bounds: access.Bounds{Tenants: []string{"contoso", "fabrikam", "adatum"}}})
		subject := access.Subject{Operation: operation(t, test.tool), By: access.Principal{Caller: "x", Grant: test.grant}, Tenant: schemas.Tenant{Name: test.tenant}, PartnerID: test.number}
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
