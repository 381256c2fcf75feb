package oauth

import (
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
)

func TestClientGetsTokensForWhatPersonAllows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.clientID()
	b := s.browser()
	page := b.start("entra:t:alice", s.request(client))
	for _, part := range []string{"127.0.0.1:33418", "Any program on this computer", "Read customers", "3 customers: contoso-1, contoso-2, contoso-3", "12 hours", "entra:t:alice"} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	answer := b.press(page, page.form("allow")).location()
	if answer.Query().Get("state") != "xyz" || answer.Query().Get("iss") != s.url || !strings.HasPrefix(answer.String(), localRedirect+"?") {
		t.Fatal(answer)
	}
	tokens := s.exchange(client, answer.Query().Get("code"))
	if tokens.text("token_type") != "Bearer" || tokens.json()["expires_in"] != 900.0 || tokens.text("scope") != "partner.read partner.write" || tokens.header.Get("Cache-Control") != "no-store" {
		t.Fatal(tokens)
	}
	p := s.mustWork(tokens.text("access_token"))
	if p.Caller != "entra:t:alice" || !p.Grant.Has(access.ScopeWrite) || p.Grant.Has(access.ScopeChange) || !p.Grant.AllowsTenant("contoso-1") || p.Grant.AllowsTenant("fabrikam") {
		t.Errorf("%+v", p)
	}
	s.clock.Advance(15 * time.Minute)
	s.mustFail(tokens.text("access_token"))
	again := s.refresh(client, tokens.text("refresh_token"))
	s.mustWork(again.text("access_token"))
	for _, what := range []string{"registered mpc_", "met mpc_", "given fm_", "issued tokens of fm_", "refreshed tokens of fm_"} {
		if len(s.entries(what)) != 1 {
			t.Errorf("%q stands %d times in the record", what, len(s.entries(what)))
		}
	}
}
