package auth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/schemas/problems"
)

func (h *fixture) grants(tenants ...string) Mapping {
	return Mapping{Grants: []CallerGrant{{Issuer: h.issuer.URL(), Subject: "alice", Tenants: tenants}}}
}

func (h *fixture) remap(m Mapping) {
	h.t.Helper()
	if err := h.Remap(m); err != nil {
		h.t.Fatal(err)
	}
}

// Another mapping counts at once: for tokens that are remembered, and for what
// was called before and has not begun.
func TestMappingChangeAppliesAtOnce(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	h.remap(h.grants("contoso", "fabrikam"))
	h.accepts(h.issuer.Token(h.claims())) // loads the keys
	token := h.issuer.Token(h.claims())
	before := h.accepts(token)
	want := func(when string, p access.Principal, tenants ...string) {
		t.Helper()
		grant, err := p.Revalidate()
		if err != nil || !slices.Equal(grant.Tenants, tenants) || !slices.Equal(h.accepts(token).Grant.Tenants, tenants) {
			t.Errorf("%s: %v and %v, %v", when, grant.Tenants, h.accepts(token).Grant.Tenants, err)
		}
	}
	want("before", before, "contoso", "fabrikam")
	h.remap(h.grants("contoso"))
	want("a tenant less", before, "contoso")
	h.remap(Mapping{})
	want("no grant", before)
	h.remap(Mapping{Scopes: map[string][]access.Scope{"other": {access.ScopeRead}}, Grants: h.grants("contoso").Grants})
	if grant, err := before.Revalidate(); err != nil || len(grant.Scopes) != 0 || len(h.accepts(token).Grant.Scopes) != 0 {
		t.Errorf("scopes that the mapping gives no more: %v, %v", grant.Scopes, err)
	}
	if text := string(h.Metadata("https://x/mcp")); !strings.Contains(text, `"other"`) {
		t.Errorf("the metadata is that of before: %s", text)
	}
	h.clock.Advance(time.Hour + skew)
	if _, err := before.Revalidate(); problems.As(err).Code != problems.CodeTokenRefused {
		t.Errorf("after the token's end: %v", err)
	}
}

// A mapping that cannot be used changes nothing.
func TestInvalidMappingKeepsPreviousOne(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{})
	h.remap(h.grants("contoso"))
	p := h.accepts(h.issuer.Token(h.claims()))
	for name, bad := range map[string]Mapping{
		"another issuer's":  {Grants: []CallerGrant{{Issuer: "https://other.example", Subject: "alice", Tenants: []string{"*"}}}},
		"no tenants":        h.grants(),
		"no such scope":     {Roles: map[string][]access.Scope{"x": {"partner.all"}}},
		"Azure's audiences": {SharedAudiences: []string{"https://management.azure.com"}},
	} {
		if h.Remap(bad) == nil {
			t.Errorf("%s was taken", name)
		}
		if grant, err := p.Revalidate(); err != nil || !slices.Equal(grant.Tenants, []string{"contoso"}) {
			t.Errorf("after %s: %v, %v", name, grant.Tenants, err)
		}
	}
}

// Audiences that are shared no more void the tokens for them, also for what was
// called before and has not begun.
func TestUnsharedAudienceVoidsItsTokens(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{SharedAudiences: []string{"account"}})
	h.accepts(h.issuer.Token(h.claims()))
	token := h.issuer.Token(h.with(change{"aud": []string{audience, "account"}}))
	p := h.accepts(token)
	h.remap(Mapping{SharedAudiences: []string{"account", "other"}})
	if _, err := p.Revalidate(); err != nil {
		t.Errorf("an audience that is shared still: %v", err)
	}
	h.remap(Mapping{})
	h.refuses(token, errAudience)
	if _, err := p.Revalidate(); problems.As(err).Code != problems.CodeTokenRefused {
		t.Errorf("a call from before: %v", err)
	}
}
