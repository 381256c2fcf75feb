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
		{"no mapping, no tenants", Mapping{}, change{}, none},
		{"mapped", Mapping{Grants: []CallerGrant{contoso}}, change{}, access.Grant{Scopes: read(), Tenants: []string{"contoso"}, PartnerIDs: []string{"1234567"}}},
		{"the first decides", Mapping{Grants: []CallerGrant{contoso, byGroup}}, change{"groups": []string{"finops"}}, access.Grant{Scopes: read(), Tenants: []string{"contoso"}, PartnerIDs: []string{"1234567"}}},
		{"somebody else", Mapping{Grants: []CallerGrant{contoso}}, change{"sub": "Alice"}, none},
		{"an e-mail address is nobody", Mapping{Grants: []CallerGrant{contoso}}, change{"sub": "x", "email": "alice", "preferred_username": "alice", "oid": "alice"}, none},
		{"a grant bounds", Mapping{Grants: []CallerGrant{bounded}}, change{"scope": "partner.read partner.write"}, access.Grant{Scopes: read(), Tenants: []string{"fab*"}, Tools: []string{"check_partner_link"}}},
		{"group", Mapping{Grants: []CallerGrant{byGroup}}, change{"groups": []string{"x", "finops"}}, access.Grant{Scopes: read(), Tenants: []string{"*"}}},
		{"no group", Mapping{Grants: []CallerGrant{byGroup}}, change{"groups": []string{"finops2"}}, none},
		{"groups that are none", Mapping{Grants: []CallerGrant{byGroup}}, change{"groups": change{"finops": true}}, none},
		{"groups elsewhere", Mapping{Grants: []CallerGrant{byGroup}, GroupsClaim: []string{"https://example/groups"}}, change{"https://example/groups": "finops"}, access.Grant{Scopes: read(), Tenants: []string{"*"}}},
		{"group and subject", Mapping{Grants: []CallerGrant{{Issuer: issuer.URL(), Subject: "alice", Group: "finops", Tenants: []string{"*"}}}}, change{}, none},
		{"role of a machine", Mapping{Grants: []CallerGrant{byRole}, Roles: map[string][]access.Scope{"Reader": read(access.ScopeChange)}},
			change{"scope": nil, "roles": []string{"Reader"}}, access.Grant{Scopes: read(access.ScopeChange), Tenants: []string{"litware"}}},
		{"roles of Keycloak", Mapping{Grants: []CallerGrant{byRole}, Roles: map[string][]access.Scope{"Reader": read()}, RolesClaim: []string{"realm_access", "roles"}},
			change{"scope": nil, "realm_access": change{"roles": []string{"Reader"}}}, access.Grant{Scopes: read(), Tenants: []string{"litware"}}},
		{"a role beside scopes gives no scope", Mapping{Roles: map[string][]access.Scope{"Reader": read(access.ScopeChange)}}, change{"roles": []string{"Reader"}}, none},
		{"a role beside an empty scope", Mapping{}, change{"scope": nil, "scp": "", "roles": []string{"partner.read"}}, access.Grant{}},
		{"scp as a string", Mapping{}, change{"scope": nil, "scp": "partner.write partner.read"}, access.Grant{Scopes: read(access.ScopeWrite)}},
		{"scp as a list", Mapping{}, change{"scope": nil, "scp": []string{"partner.read", "partner.change"}}, access.Grant{Scopes: read(access.ScopeChange)}},
		{"unknown scopes", Mapping{}, change{"scope": "partner.* partner.Read partner.readx * admin"}, access.Grant{}},
		{"a scope that is none", Mapping{}, change{"scope": 7}, access.Grant{}},
		{"approving is given by nobody but the operator", Mapping{}, change{"scope": "partner.read partner.approve"}, none},
		{"metrics are given by the operator alone", Mapping{}, change{"scope": "partner.read partner.metrics"}, none},
		{"a role for metrics", Mapping{Roles: map[string][]access.Scope{"Watch": {access.ScopeMetrics}}}, change{"scope": nil, "roles": []string{"Watch"}}, access.Grant{Scopes: []access.Scope{access.ScopeMetrics}}},
		{"approving", Mapping{Scopes: map[string][]access.Scope{"approver": {access.ScopeApprove}}}, change{"scope": "approver"}, access.Grant{Scopes: []access.Scope{access.ScopeApprove}}},
		{"renamed scopes", Mapping{Scopes: map[string][]access.Scope{"pal": read(access.ScopeWrite)}}, change{"scope": "pal"}, access.Grant{Scopes: read(access.ScopeWrite)}},
		{"own names mean nothing where they were renamed", Mapping{Scopes: map[string][]access.Scope{"pal": read()}}, change{}, access.Grant{}},
		{"neither scope nor role", Mapping{}, change{"scope": nil}, access.Grant{}},
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
		{"the issuer is missing", nil, []string{audience}, ""},
		{"the audience is missing", good, nil, ""},
		{"is not one of this server", good, []string{""}, ""},
		{"is not one of this server", good, []string{audience, "https://Management.Azure.com/"}, ""},
		{"is not one of this server", good, []string{"00000003-0000-0000-C000-000000000000"}, ""},
		{"appears twice", []string{good[0], good[0]}, []string{audience}, ""},
		{"no readable PEM certificate", good, []string{audience}, "nonsense"},
		{"is not an issuer", []string{"login.example"}, []string{audience}, ""},
		{"is not an issuer", []string{"https://login.example?x=1"}, []string{audience}, ""},
		{"is not an issuer", []string{"https://login.example/?"}, []string{audience}, ""},
		{"is not an issuer", []string{"https://login.example/#a"}, []string{audience}, ""},
		{"is not an issuer", []string{"https://user@login.example"}, []string{audience}, ""},
		{"is not an issuer", []string{""}, []string{audience}, ""},
		{"must begin with https://", []string{"http://login.example"}, []string{audience}, ""},
		{"must begin with https://", []string{"ftp://login.example"}, []string{audience}, ""},
		{"for each tenant", []string{"https://login.microsoftonline.com/common/v2.0"}, []string{audience}, ""},
		{"for each tenant", []string{"https://login.microsoftonline.com/organizations/v2.0"}, []string{audience}, ""},
		{"for each tenant", []string{"https://login.microsoftonline.com/{tenantid}/v2.0"}, []string{audience}, ""},
		{"for each tenant", []string{"https://login.microsoftonline.com/contoso.com/v2.0"}, []string{audience}, ""},
		{"for each tenant", []string{"https://login.microsoftonline.com/" + tenantA}, []string{audience}, ""},
		{"for each tenant", []string{"https://LOGIN.microsoftonline.com./" + tenantA + "/v2.0"}, []string{audience}, ""},
		{"for each tenant", []string{"https://sts.windows.net/" + tenantA}, []string{audience}, ""},
		{"for each tenant", []string{"https://login.microsoftonline.com:444/" + tenantA + "/v2.0"}, []string{audience}, ""},
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
