package auth

import (
	"fmt"
	"net/http"
	"testing"

	"mcp-partner/access"
	"mcp-partner/internal/issuertest"
)

const (
	entraV2A = "https://login.microsoftonline.com/" + tenantA + "/v2.0"
	entraV1A = "https://sts.windows.net/" + tenantA + "/"
)

// entraClaims are those of a token for a person, in version 2.
func (h *fixture) entraClaims() change {
	return h.with(change{
		"iss": entraV2A, "tid": tenantA, "oid": objectA, "sub": "pairwise", "ver": "2.0", "scope": nil, "scp": "partner.read",
		"preferred_username": "alice@contoso.example",
	})
}

func TestEntra(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{Grants: []CallerGrant{{TenantID: tenantA, ObjectID: objectA, Tenants: []string{"contoso"}}}}, entraV2A, entraV1A)
	with := func(changes change) change { return issuertest.With(h.entraClaims(), changes) }
	for name, changes := range map[string]change{
		"a person":              {},
		"version 1":             {"iss": entraV1A, "azp": nil, "appid": "client", "ver": "1.0"},
		"a machine":             {"scp": nil, "roles": []string{"partner.read"}, "sub": objectA, "idtyp": "app"},
		"IDs in capitals":       {"oid": "AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE"},
		"another sub, same oid": {"sub": "other"},
	} {
		p, err := h.Authenticate(t.Context(), h.issuer.Token(with(changes)))
		if err != nil || p.Caller != access.Caller("entra:"+tenantA+":"+objectA) || !p.Grant.AllowsTenant("contoso") || !p.Grant.Has(access.ScopeRead) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for name, c := range map[string]struct {
		changes change
		want    *Refusal
	}{
		"another tenant's token":       {change{"iss": "https://login.microsoftonline.com/" + tenantB + "/v2.0", "tid": tenantB}, errIssuer},
		"another tenant in tid":        {change{"tid": tenantB}, errClaims},
		"no tid":                       {change{"tid": nil}, errClaims},
		"no oid":                       {change{"oid": nil}, errClaims},
		"an oid that is none":          {change{"oid": "alice"}, errClaims},
		"a placeholder":                {change{"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}, errIssuer},
		"an ID token of this app":      {change{"azp": nil, "scp": nil, "roles": []string{"partner.read"}}, errKind},
		"a token for ARM":              {change{"aud": "https://management.azure.com/"}, errAudience},
		"a token for ARM, by its ID":   {change{"aud": "797f4846-ba00-4fd7-ba43-dac1f8f63013"}, errAudience},
		"a token for Graph, by its ID": {change{"aud": "00000003-0000-0000-c000-000000000000"}, errAudience},
	} {
		if p, err := h.Authenticate(t.Context(), h.issuer.Token(with(c.changes))); err != c.want {
			t.Errorf("%s: %+v, %v, want %v", name, p, err, c.want)
		}
	}
	if p := h.accepts(h.issuer.Token(with(change{"oid": "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"}))); len(p.Grant.Tenants) != 0 {
		t.Errorf("somebody else has %+v", p.Grant)
	}
}

// TestEntraKeyOfAnotherTenant publishes one list for two tenants, as Entra ID
// does, with a key that says whose it is.
func TestEntraKeyOfAnotherTenant(t *testing.T) {
	t.Parallel()
	h := newFixture(t, Mapping{}, entraV2A)
	own, foreign := h.issuer.SigningKey(), issuertest.Start(t).SigningKey()
	foreign.ID = "foreign"
	h.issuer.AnswerWith(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/keys" {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"https://login.microsoftonline.com/keys"}`, entraV2A)
			return
		}
		_, _ = fmt.Fprintf(w, `{"keys":[%s,%s]}`,
			jsonOf(t, issuertest.With(own.Public(), change{"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"})),
			jsonOf(t, issuertest.With(foreign.Public(), change{"issuer": "https://login.microsoftonline.com/" + tenantB + "/v2.0"})))
	})
	h.accepts(h.issuer.Token(h.entraClaims()))
	h.refuses(issuertest.Sign(t, foreign, nil, h.entraClaims()), errKey)
}
