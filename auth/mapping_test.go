package auth

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mcp-partner/access"
	"mcp-partner/internal/issuertest"
)

func read(scopes ...access.Scope) []access.Scope {
	return append([]access.Scope{access.ScopeRead}, scopes...)
}

// TestGrants has one token judged by one mapping at a time.
func TestGrants(t *testing.T) {
	t.Parallel()
	issuer := issuertest.Start(t)
	contoso := CallerGrant{Issuer: issuer.URL(), Subject: "alice", Tenants: []string{"contoso"}, PartnerIDs: []string{"1234567"}}
	bounded := CallerGrant{Issuer: issuer.URL(), Subject: "alice", Tenants: []string{"fab*"}, Scopes: read(), Tools: []string{"check_partner_link"}}
	byGroup := CallerGrant{Issuer: issuer.URL(), Group: "finops", Tenants: []string{"*"}}
	byRole := CallerGrant{Issuer: issuer.URL(), Role: "Reader", Tenants: []string{"litware"}}
	none := access.Grant{Scopes: read()}
	for _, c := range []struct {
		name    string
		mapping Mapping
		changes change
		want    access.Grant
	}{
		{name: "no mapping, no tenants", mapping: Mapping{}, changes: change{}, want: none},
		{
			name: "mapped", mapping: Mapping{Grants: []CallerGrant{contoso}}, changes: change{},
			want: access.Grant{Scopes: read(), Tenants: []string{"contoso"}, PartnerIDs: []string{"1234567"}},
		},
		{
			name: "the first decides", mapping: Mapping{Grants: []CallerGrant{contoso, byGroup}},
			changes: change{"groups": []string{"finops"}},
			want:    access.Grant{Scopes: read(), Tenants: []string{"contoso"}, PartnerIDs: []string{"1234567"}},
		},
		{name: "somebody else", mapping: Mapping{Grants: []CallerGrant{contoso}}, changes: change{"sub": "Alice"}, want: none},
		{
			name: "an e-mail address is nobody", mapping: Mapping{Grants: []CallerGrant{contoso}},
			changes: change{"sub": "x", "email": "alice", "preferred_username": "alice", "oid": "alice"}, want: none,
		},
		{
			name: "a grant bounds", mapping: Mapping{Grants: []CallerGrant{bounded}}, changes: change{"scope": "partner.read partner.write"},
			want: access.Grant{Scopes: read(), Tenants: []string{"fab*"}, Tools: []string{"check_partner_link"}},
		},
		{
			name: "group", mapping: Mapping{Grants: []CallerGrant{byGroup}}, changes: change{"groups": []string{"x", "finops"}},
			want: access.Grant{Scopes: read(), Tenants: []string{"*"}},
		},
		{name: "no group", mapping: Mapping{Grants: []CallerGrant{byGroup}}, changes: change{"groups": []string{"finops2"}}, want: none},
		{
			name: "groups that are none", mapping: Mapping{Grants: []CallerGrant{byGroup}},
			changes: change{"groups": change{"finops": true}}, want: none,
		},
		{
			name: "groups elsewhere", mapping: Mapping{Grants: []CallerGrant{byGroup}, GroupsClaim: []string{"https://example/groups"}},
			changes: change{"https://example/groups": "finops"}, want: access.Grant{Scopes: read(), Tenants: []string{"*"}},
		},
		{
			name:    "group and subject",
			mapping: Mapping{Grants: []CallerGrant{{Issuer: issuer.URL(), Subject: "alice", Group: "finops", Tenants: []string{"*"}}}},
			changes: change{}, want: none,
		},
		{name: "role of a machine", mapping: Mapping{Grants: []CallerGrant{byRole}, Roles: map[string][]access.Scope{"Reader": read(access.ScopeChange)}},
			changes: change{"scope": nil, "roles": []string{"Reader"}}, want: access.Grant{Scopes: read(access.ScopeChange), Tenants: []string{"litware"}}},
		{name: "roles of Keycloak", mapping: Mapping{Grants: []CallerGrant{byRole}, Roles: map[string][]access.Scope{"Reader": read()}, RolesClaim: []string{"realm_access", "roles"}},
			changes: change{"scope": nil, "realm_access": change{"roles": []string{"Reader"}}}, want: access.Grant{Scopes: read(), Tenants: []string{"litware"}}},
		{
			name:    "a role beside scopes gives no scope",
			mapping: Mapping{Roles: map[string][]access.Scope{"Reader": read(access.ScopeChange)}},
			changes: change{"roles": []string{"Reader"}}, want: none,
		},
		{
			name: "a role beside an empty scope", mapping: Mapping{},
			changes: change{"scope": nil, "scp": "", "roles": []string{"partner.read"}}, want: access.Grant{},
		},
		{
			name: "scp as a string", mapping: Mapping{}, changes: change{"scope": nil, "scp": "partner.write partner.read"},
			want: access.Grant{Scopes: read(access.ScopeWrite)},
		},
		{
			name: "scp as a list", mapping: Mapping{}, changes: change{"scope": nil, "scp": []string{"partner.read", "partner.change"}},
			want: access.Grant{Scopes: read(access.ScopeChange)},
		},
		{name: "unknown scopes", mapping: Mapping{}, changes: change{"scope": "partner.* partner.Read partner.readx * admin"}, want: access.Grant{}},
		{name: "a scope that is none", mapping: Mapping{}, changes: change{"scope": 7}, want: access.Grant{}},
		{
			name: "approving is given by nobody but the operator", mapping: Mapping{},
			changes: change{"scope": "partner.read partner.approve"}, want: none,
		},
		{name: "metrics are given by the operator alone", mapping: Mapping{}, changes: change{"scope": "partner.read partner.metrics"}, want: none},
		{
			name: "a role for metrics", mapping: Mapping{Roles: map[string][]access.Scope{"Watch": {access.ScopeMetrics}}},
			changes: change{"scope": nil, "roles": []string{"Watch"}}, want: access.Grant{Scopes: []access.Scope{access.ScopeMetrics}},
		},
		{
			name: "approving", mapping: Mapping{Scopes: map[string][]access.Scope{"approver": {access.ScopeApprove}}},
			changes: change{"scope": "approver"}, want: access.Grant{Scopes: []access.Scope{access.ScopeApprove}},
		},
		{
			name: "renamed scopes", mapping: Mapping{Scopes: map[string][]access.Scope{"pal": read(access.ScopeWrite)}},
			changes: change{"scope": "pal"}, want: access.Grant{Scopes: read(access.ScopeWrite)},
		},
		{
			name: "own names mean nothing where they were renamed", mapping: Mapping{Scopes: map[string][]access.Scope{"pal": read()}},
			changes: change{}, want: access.Grant{},
		},
		{name: "neither scope nor role", mapping: Mapping{}, changes: change{"scope": nil}, want: access.Grant{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, c.mapping, issuer.URL())
			h.issuer, h.o.Client = issuer, issuer.Client()
			h.keys[issuer.URL()].client = h.o.Client
			got := h.accepts(issuer.Token(h.with(c.changes))).Grant
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInvalidMappingsAreRefused(t *testing.T) {
	t.Parallel()
	const name = "https://login.example"
	all := []string{"*"}
	for want, m := range map[string]Mapping{
		"needs issuer":                           {Grants: []CallerGrant{{Subject: "a", Tenants: all}}},
		"not both":                               {Grants: []CallerGrant{{Issuer: name, TenantID: tenantA, Role: "r", Tenants: all}}},
		"names no caller":                        {Grants: []CallerGrant{{Issuer: name, Tenants: all}}},
		"mixes two kinds":                        {Grants: []CallerGrant{{TenantID: tenantA, Subject: "a", Tenants: all}}},
		"object_id with tenant_id":               {Grants: []CallerGrant{{Issuer: name, ObjectID: objectA, Tenants: all}}},
		"not a GUID":                             {Grants: []CallerGrant{{TenantID: tenantA, ObjectID: "alice", Tenants: all}}},
		"give tenant_id instead":                 {Grants: []CallerGrant{{Issuer: "https://login.microsoftonline.com/" + tenantA + "/v2.0", Subject: "a", Tenants: all}}},
		"begin with https://":                    {Grants: []CallerGrant{{Issuer: "http://login.example", Subject: "a", Tenants: all}}},
		"gives no tenants":                       {Grants: []CallerGrant{{Issuer: name, Subject: "a"}}},
		"not a name or a glob":                   {Grants: []CallerGrant{{Issuer: name, Subject: "a", Tenants: []string{"[a"}}}},
		"grant 1 has \"\" among":                 {Grants: []CallerGrant{{Issuer: name, Subject: "a", Tenants: []string{""}}}},
		"names the tool \"chek\"":                {Grants: []CallerGrant{{Issuer: name, Subject: "a", Tenants: all, Tools: []string{"chek"}}}},
		"grant mine cannot be used":              {Grants: []CallerGrant{{Name: "mine", Issuer: name, Subject: "a", Tenants: all, PartnerIDs: []string{"12"}}}},
		"grant 1 names \"partner.reed\"":         {Grants: []CallerGrant{{Issuer: name, Subject: "a", Tenants: all, Scopes: []access.Scope{"partner.reed"}}}},
		"is not the name of a scope":             {Scopes: map[string][]access.Scope{"a b": read()}},
		"\"a\\\"b\" is not the name":             {Scopes: map[string][]access.Scope{"a\"b": read()}},
		"the scope prefix \"a b/\" is not valid": {ScopePrefix: "a b/"},
		"pal names \"partner.all\"":              {Scopes: map[string][]access.Scope{"pal": {"partner.all"}}},
		"Admin names \"\"":                       {Roles: map[string][]access.Scope{"Admin": {""}}},
		"an issuer that is not accepted":         {Grants: []CallerGrant{{Issuer: "https://other.example", Subject: "a", Tenants: all}}},
		"grant 1 is for tokens of an issu":       {Grants: []CallerGrant{{TenantID: tenantA, ObjectID: objectA, Tenants: all}}},
		"\"https://management.azure.com/\" is not one of this server": {SharedAudiences: []string{"https://management.azure.com/"}},
	} {
		_, err := New(Options{Issuers: []string{name}, Audiences: []string{audience}, Mapping: m})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestInvalidOptionsAreRefused(t *testing.T) {
	t.Parallel()
	good := []string{"https://login.example"}
	for _, c := range []struct {
		want      string
		issuers   []string
		audiences []string
		ca        string
	}{
		{want: "the issuer is missing", audiences: []string{audience}},
		{want: "the audience is missing", issuers: good},
		{want: "is not one of this server", issuers: good, audiences: []string{""}},
		{want: "is not one of this server", issuers: good, audiences: []string{audience, "https://Management.Azure.com/"}},
		{want: "is not one of this server", issuers: good, audiences: []string{"00000003-0000-0000-C000-000000000000"}},
		{want: "appears twice", issuers: []string{good[0], good[0]}, audiences: []string{audience}},
		{want: "no readable PEM certificate", issuers: good, audiences: []string{audience}, ca: "nonsense"},
		{want: "is not an issuer", issuers: []string{"login.example"}, audiences: []string{audience}},
		{want: "is not an issuer", issuers: []string{"https://login.example?x=1"}, audiences: []string{audience}},
		{want: "is not an issuer", issuers: []string{"https://login.example/?"}, audiences: []string{audience}},
		{want: "is not an issuer", issuers: []string{"https://login.example/#a"}, audiences: []string{audience}},
		{want: "is not an issuer", issuers: []string{"https://user@login.example"}, audiences: []string{audience}},
		{want: "is not an issuer", issuers: []string{""}, audiences: []string{audience}},
		{want: "must begin with https://", issuers: []string{"http://login.example"}, audiences: []string{audience}},
		{want: "must begin with https://", issuers: []string{"ftp://login.example"}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://login.microsoftonline.com/common/v2.0"}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://login.microsoftonline.com/organizations/v2.0"}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://login.microsoftonline.com/{tenantid}/v2.0"}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://login.microsoftonline.com/contoso.com/v2.0"}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://login.microsoftonline.com/" + tenantA}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://LOGIN.microsoftonline.com./" + tenantA + "/v2.0"}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://sts.windows.net/" + tenantA}, audiences: []string{audience}},
		{want: "for each tenant", issuers: []string{"https://login.microsoftonline.com:444/" + tenantA + "/v2.0"}, audiences: []string{audience}},
	} {
		if _, err := New(Options{Issuers: c.issuers, Audiences: c.audiences, CAPEM: []byte(c.ca)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, %v: got %v, want %q", c.issuers, c.audiences, err, c.want)
		}
	}
	for _, name := range []string{"http://127.0.0.1:8080/x", "http://localhost:1", "https://login.example/", "https://sts.windows.net/" + tenantA + "/", "https://login.microsoftonline.us/" + tenantA + "/v2.0"} {
		if _, err := New(Options{Issuers: []string{name}, Audiences: []string{audience}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One caller must never be taken for another.
func TestCallerNamesAreDistinct(t *testing.T) {
	t.Parallel()
	plain, other := issuer{name: "https://a.example"}, issuer{name: "https://a.example/b"}
	entra := issuer{name: "https://login.microsoftonline.com/" + tenantA + "/v2.0", tenant: tenantA}
	var names []access.Caller
	for _, id := range []identity{
		{issuer: plain, subject: "stdio"}, {issuer: plain, subject: "Stdio"}, {issuer: other, subject: "stdio"}, {issuer: plain, subject: "/bstdio"},
		{issuer: plain, subject: "http:12345678"}, {issuer: plain, subject: tenantA + ":" + objectA}, {issuer: plain, subject: strings.Repeat("x", maxSubject)},
		{issuer: entra, subject: "x", object: objectA}, {issuer: issuer{name: entra.name, tenant: tenantB}, subject: "x", object: objectA},
	} {
		name := id.caller()
		prefix, rest, _ := strings.Cut(string(name), ":")
		if slices.Contains(names, name) || prefix != "oidc" && prefix != "entra" || len(name) > 100 || strings.Trim(rest, "0123456789abcdef-:") != "" {
			t.Errorf("%+v is called %s", id, name)
		}
		names = append(names, name)
	}
	one := identity{issuer: entra, subject: "x", object: objectA}
	two := identity{issuer: issuer{name: "https://sts.windows.net/" + tenantA + "/", tenant: tenantA}, subject: "y", object: strings.ToUpper(objectA)}
	if one.caller() != two.caller() {
		t.Error("one identity has two names")
	}
}
