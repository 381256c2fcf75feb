package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mcp-partner/access"
	"mcp-partner/auth"
)

func TestCallersSection(t *testing.T) {
	t.Parallel()
	file, err := load(t, `
callers:
  scope_prefix: api://mcp-partner/
  scopes:
    partner.read: partner.read
    pal: [partner.read, partner.write]
  roles: {Partner.Reader: partner.read}
  roles_claim: [realm_access, roles]
  groups_claim: teams
  shared_audiences: [account]
  require_at_jwt: true
  grants:
    - name: finops
      tenant_id: 11111111-2222-3333-4444-555555555555
      group: aaaaaaaa-2222-3333-4444-555555555555
      tenants: [contoso, fab*]
      partner_ids: [1234567]
    - {issuer: "https://login.example", subject: alice, tenants: "*", scopes: [partner.read], tools: [check_partner_link]}
    - {tenant_id: 11111111-2222-3333-4444-555555555555, object_id: bbbbbbbb-2222-3333-4444-555555555555, role: Partner.Reader, tenants: contoso}
`)
	if err != nil {
		t.Fatal(err)
	}
	const tenant = "11111111-2222-3333-4444-555555555555"
	required := true
	want := auth.Mapping{
		RequireATJWT: &required,
		ScopePrefix:  "api://mcp-partner/",
		Scopes:       map[string][]access.Scope{"partner.read": {access.ScopeRead}, "pal": {access.ScopeRead, access.ScopeWrite}},
		Roles:        map[string][]access.Scope{"Partner.Reader": {access.ScopeRead}},
		RolesClaim:   []string{"realm_access", "roles"}, GroupsClaim: []string{"teams"}, SharedAudiences: []string{"account"},
		Grants: []auth.CallerGrant{
			{Name: "finops", TenantID: tenant, Group: "aaaaaaaa-2222-3333-4444-555555555555", Tenants: []string{"contoso", "fab*"}, PartnerIDs: []string{"1234567"}},
			{Issuer: "https://login.example", Subject: "alice", Tenants: []string{"*"}, Scopes: []access.Scope{access.ScopeRead}, Tools: []string{"check_partner_link"}},
			{TenantID: tenant, ObjectID: "bbbbbbbb-2222-3333-4444-555555555555", Role: "Partner.Reader", Tenants: []string{"contoso"}},
		},
	}
	if diff := cmp.Diff(want, file.Callers); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "callers: {}", "callers: {grants: []}", "callers: {scopes: {}}"} {
		file, err := load(t, text)
		if err != nil || len(file.Callers.Grants) != 0 {
			t.Errorf("%q: %+v, %v", text, file.Callers, err)
		}
	}
}

func TestInvalidCallersSections(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"callers: []":                                             "callers: line 1: it is not a mapping",
		"callers:":                                                "callers: line 1: it is not a mapping",
		"callers: {grant: []}":                                    "key grant is not known: did you mean grants?",
		"callers: {client_secret: hunter2}":                       "secrets are read only from standard input",
		"callers: {grants: {}}":                                   "key grants is not a list",
		"callers: {grants: [a]}":                                  "key grants has a grant that cannot be read",
		"callers: {grants: [{subjekt: a}]}":                       "key subjekt is not known: did you mean subject?",
		"callers: {grants: [{email: alice@example}]}":             "key email is not known",
		"callers: {grants: [{subject: a, subject: b}]}":           "key subject appears twice",
		"callers: {grants: [{issuer: 'https://a', subject: ''}]}": "key subject has no value",
		"callers: {grants: [{tenants: []}]}":                      "is an empty list",
		"callers: {grants: [{name: x}]}":                          "grant x needs issuer",
		"callers: {grants: [{issuer: 'https://a', subject: b}]}":  "grant 1 gives no tenants",
		"callers: {scopes: [a]}":                                  "key scopes is not a mapping",
		"callers: {scopes: {a: b, a: c}}":                         "has line 1 twice",
		"callers: {scopes: {a: {b: c}}}":                          "neither a value nor a list",
		"callers: {scopes: {a: []}}":                              "\"a\", which is an empty list",
		"callers: {scopes: {a: partner.red}}":                     "names \"partner.red\"",
		"callers: {scopes: {'a b': partner.read}}":                "is not the name of a scope",
		"callers: {roles: {a: write}}":                            "names \"write\"",
		"callers: {scope_prefix: 'a\"b'}":                         "is not valid",
		"callers: {}\ncallers: {}":                                "key callers appears twice",
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
