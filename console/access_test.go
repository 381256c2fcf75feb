package console_test

import (
	"net/http"
	"strings"
	"testing"

	"mcp-partner/access"
	"mcp-partner/guard"
)

func TestAccessIsListedAndEndedByName(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, guard.Options{})
	secret, token, err := r.guard.IssueToken(t.Context(), guard.TokenRequest{For: "ci", Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"contoso"}}})
	if err != nil {
		t.Fatal(err)
	}
	reader, bob := r.browser("reader"), r.browser("bob")
	shown := bob.get("/console/access")
	shown.wantPage(t, http.StatusOK, "ci", "read in <bdi>contoso</bdi>", "any number", string(reader.caller()), "reader@example.com", "Signed in now")
	if strings.Contains(shown.text, secret) || strings.Contains(shown.text, secret[4:12]) {
		t.Error("a token is shown")
	}
	if got := reader.get("/console/"); strings.Contains(got.text, "/console/access") {
		t.Error("a reader is led to the page of access")
	}
	bob.post("/console/access", "/console/access", "end", "token", "id", token.ID).wantPage(t, http.StatusOK, "There are none.")
	if _, err := r.guard.AuthenticateToken(t.Context(), secret); err == nil {
		t.Error("a token that was revoked holds")
	}
	caller := string(reader.caller())
	bob.post("/console/access", "/console/access", "end", "person", "id", caller)
	reader.get("/console/").wantPage(t, http.StatusOK, "Sign in")
	shown = bob.get("/console/record")
	shown.wantPage(t, http.StatusOK, "revoked "+token.ID, "ended a session of "+caller)
	bob.post("/console/access", "/console/access", "end", "client", "id", "none").wantPage(t, http.StatusBadRequest, "There is no client")
}
