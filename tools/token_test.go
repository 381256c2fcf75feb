package tools_test

import (
	"testing"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

func TestEachCallUsesATokenUpByOne(t *testing.T) {
	t.Parallel()
	w := newWire(t, unasked)
	secret, token, err := w.guard.IssueToken(t.Context(), guard.TokenRequest{For: "nightly", Uses: 2, Grant: oneTenant(guard.ScopeRead)})
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
	if got := w.tool(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`); got.Status != schemas.StatusDone {
		t.Fatalf("%+v", got)
	}
	requests := len(w.sim.Journal())
	got := w.tool(schemas.ToolCheckPartnerLink, `{"tenant":"contoso"}`)
	if got.Status != schemas.StatusRefused || got.Problem.Code != schemas.CodeTokenRefused || len(w.sim.Journal()) != requests {
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
