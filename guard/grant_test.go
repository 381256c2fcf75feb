package guard_test

import (
	"slices"
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

func TestAdmitHoldsCallersToTheirGrant(t *testing.T) {
	t.Parallel()
	all := guard.Scopes()
	here := []string{"contoso", "fab*"}
	for name, test := range map[string]struct {
		grant          guard.Grant
		tool           string
		tenant, number string
		code           schemas.Code
	}{
		"the zero value reads nothing":     {guard.Grant{}, schemas.ToolFindPartnerTool, "", "", schemas.CodeInsufficientScope},
		"read":                             {guard.Grant{Scopes: []guard.Scope{guard.ScopeRead}, Tenants: here}, schemas.ToolCheckPartnerLink, "contoso", "", ""},
		"read, no tenants":                 {guard.Grant{Scopes: all}, schemas.ToolCheckPartnerLink, "contoso", "", schemas.CodeUnknownTenant},
		"read, another tenant":             {guard.Grant{Scopes: all, Tenants: here}, schemas.ToolCheckPartnerLink, "adatum", "", schemas.CodeUnknownTenant},
		"a glob":                           {guard.Grant{Scopes: all, Tenants: here}, schemas.ToolCheckPartnerLink, "Fabrikam", "", ""},
		"read is no write":                 {guard.Grant{Scopes: []guard.Scope{guard.ScopeRead}, Tenants: here}, schemas.ToolRegisterPartner, "contoso", "1234567", schemas.CodeInsufficientScope},
		"write is no change":               {guard.Grant{Scopes: []guard.Scope{guard.ScopeWrite}, Tenants: here}, schemas.ToolUpdatePartner, "contoso", "1234567", schemas.CodeInsufficientScope},
		"write is no read":                 {guard.Grant{Scopes: []guard.Scope{guard.ScopeWrite}, Tenants: here}, schemas.ToolCheckPartnerLink, "contoso", "", schemas.CodeInsufficientScope},
		"a writer asks for its approval":   {guard.Grant{Scopes: []guard.Scope{guard.ScopeWrite}}, schemas.ToolGetApproval, "", "", ""},
		"an approver writes nothing":       {guard.Grant{Scopes: []guard.Scope{guard.ScopeApprove}, Tenants: here}, schemas.ToolRegisterPartner, "contoso", "1234567", schemas.CodeInsufficientScope},
		"change":                           {guard.Grant{Scopes: []guard.Scope{guard.ScopeChange}, Tenants: here}, schemas.ToolRemovePartner, "contoso", "1234567", ""},
		"another tool":                     {guard.Grant{Scopes: all, Tenants: here, Tools: []string{schemas.ToolListTenants}}, schemas.ToolCheckPartnerLink, "contoso", "", schemas.CodeInsufficientScope},
		"a tool that no scope covers":      {guard.Grant{Scopes: []guard.Scope{guard.ScopeRead}, Tenants: here, Tools: []string{schemas.ToolRegisterPartner}}, schemas.ToolRegisterPartner, "contoso", "1234567", schemas.CodeInsufficientScope},
		"its partner ID":                   {guard.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolRegisterPartner, "contoso", "1234567", ""},
		"a stranger's partner ID":          {guard.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolRegisterPartner, "contoso", "7654321", schemas.CodeInsufficientScope},
		"removing a stranger's partner ID": {guard.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolRemovePartner, "contoso", "7654321", schemas.CodeInsufficientScope},
		"a read carries none":              {guard.Grant{Scopes: all, Tenants: here, PartnerIDs: []string{"1234567"}}, schemas.ToolCheckPartnerLink, "contoso", "7654321", ""},
		"granted, out of bounds":           {guard.Grant{Scopes: all, Tenants: []string{guard.AllTenants}}, schemas.ToolCheckPartnerLink, "litware", "", schemas.CodeNotAllowed},
	} {
		g := newGuard(t, guard.Options{AllowWrites: true, Bounds: guard.Bounds{Tenants: []string{"contoso", "fabrikam", "adatum"}}})
		subject := guard.Subject{Operation: operation(t, test.tool), By: guard.Principal{Caller: "x", Grant: test.grant}, Tenant: schemas.Tenant{Name: test.tenant}, PartnerID: test.number}
		if got := admitted(g.Admit(t.Context(), subject)); got != test.code {
			t.Errorf("%s: %q, want %q", name, got, test.code)
		}
	}
}

// Nobody who runs the program may approve by that alone: the agent's session
// is of the same kind.
func TestAFullGrantIsEverythingButApproving(t *testing.T) {
	t.Parallel()
	full := guard.FullGrant()
	for _, op := range schemas.Catalogue() {
		if !full.Allows(op) {
			t.Errorf("%s is missing", op.Name)
		}
	}
	if !full.AllowsTenant("any/thing") || !full.Everywhere() || !full.AllowsPartner("1234567") {
		t.Error("a full grant has a bound")
	}
	if !full.Has(guard.ScopeMetrics) {
		t.Error("a full grant shows no figures")
	}
	if full.Has(guard.ScopeApprove) || slices.Contains(full.Scopes, guard.ScopeApprove) {
		t.Error("a full grant approves")
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	err := guard.Grant{Scopes: []guard.Scope{guard.ScopeRead}}.Check(operation(t, schemas.ToolRemovePartner))
	if problem := schemas.AsProblem(err); problem == nil || problem.Code != schemas.CodeInsufficientScope || !strings.Contains(problem.Message, string(guard.ScopeChange)) {
		t.Errorf("%v", err)
	}
}
