package tools_test

import (
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

func TestEachCallConsumesOneTokenUse(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked)
	secret, token, err := w.guard.IssueToken(t.Context(), guard.TokenRequest{For: "nightly", Uses: 2, Grant: oneTenant(access.ScopeRead)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.guard.AuthenticateToken(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	w.with = &p
	w.send("tools/list", `{}`, noForms) // counts for nothing
	if a := w.send("resources/read", `{"uri":"partner://tenants"}`, noForms); a.Error != nil {
		t.Fatalf("%+v", a)
	}
	if got := w.tool(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`); got.Status != answers.StatusDone {
		t.Fatalf("%+v", got)
	}
	requests := len(w.sim.Journal())
	got := w.tool(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`)
	if got.Status != answers.StatusRefused || got.Problem.Code != problems.CodeTokenRefused || len(w.sim.Journal()) != requests {
		t.Errorf("%+v", got)
	}
	if _, err := w.guard.AuthenticateToken(t.Context(), secret); err == nil {
		t.Error("a token that is used up lets in")
	}
	tokens, err := w.guard.Tokens(t.Context())
	if err != nil || tokens[0].ID != token.ID || tokens[0].Used != 2 {
		t.Errorf("%+v, %v", tokens, err)
	}
}

// What has not begun when a token ends does not begin: each tenant of a call is
// asked about on its own.
func TestRunStopsWhenTokenEnds(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked)
	secret, token, err := w.guard.IssueToken(t.Context(), guard.TokenRequest{For: "nightly", Uses: 1, Grant: access.Grant{
		Scopes: []access.Scope{access.ScopeRead, access.ScopeWrite}, Tenants: []string{"contoso", "fabrikam"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.guard.AuthenticateToken(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	subject := access.Subject{Operation: operationOf(schemas.ToolCheckPartnerLink), By: p, Tenant: schemas.Tenant{Name: "contoso"}}
	if err := w.guard.Use(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := w.guard.Admit(t.Context(), subject); err != nil {
		t.Errorf("the last use does not hold for its own call: %v", err)
	}
	if _, err := w.guard.RevokeTokens(t.Context(), guard.TokenSelection{All: true}); err != nil {
		t.Fatal(err)
	}
	if tokens, err := w.guard.Tokens(t.Context()); err != nil || tokens[0].ID != token.ID {
		t.Fatal(tokens, err)
	}
	unbound, _, err := w.guard.IssueToken(t.Context(), guard.TokenRequest{For: "nightly", Grant: p.Grant})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = w.guard.AuthenticateToken(t.Context(), unbound); err != nil {
		t.Fatal(err)
	}
	w.with = &p
	if _, err := w.guard.RevokeTokens(t.Context(), guard.TokenSelection{All: true}); err != nil {
		t.Fatal(err)
	}
	before := len(w.sim.Journal())
	for tool, arguments := range map[string]string{
		schemas.ToolCheckPartnerLink: `{"tenant":"contoso"}`, schemas.ToolListTenants: `{}`, schemas.ToolAuditPartnerLinks: `{}`,
		schemas.ToolRegisterPartner: `{"tenant":"contoso","partner_id":"1234567"}`,
	} {
		if got := w.tool(tool, arguments); got.Status != answers.StatusRefused || got.Problem.Code != problems.CodeTokenRefused {
			t.Errorf("%s: %+v", tool, got)
		}
	}
	if len(w.sim.Journal()) != before {
		t.Error("something reached Azure")
	}
}

func operationOf(tool string) schemas.Operation {
	op, _ := schemas.Lookup(tool)
	return op
}
