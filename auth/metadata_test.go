package auth

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mcp-partner/access"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	m := Mapping{ScopePrefix: "api://mcp-partner/", Scopes: map[string][]access.Scope{
		"all": {access.ScopeRead, access.ScopeWrite, access.ScopeChange, access.ScopeApprove}, "read": {access.ScopeRead}, "also": {access.ScopeRead},
	}}
	for want, mapping := range map[string]Mapping{
		`{"resource":"https://mcp.example/mcp","resource_name":"Partner Admin Link","authorization_servers":["` + entraV2A + `","https://login.example"],` +
			`"scopes_supported":["partner.read","partner.write","partner.change"],"bearer_methods_supported":["header"]}`: {},
		`{"resource":"https://mcp.example/mcp","resource_name":"Partner Admin Link","authorization_servers":["` + entraV2A + `","https://login.example"],` +
			`"scopes_supported":["api://mcp-partner/also","api://mcp-partner/all"],"bearer_methods_supported":["header"]}`: m,
		`{"resource":"https://mcp.example/mcp","resource_name":"Partner Admin Link","authorization_servers":["` + entraV2A + `","https://login.example"],` +
			`"bearer_methods_supported":["header"]}`: {Scopes: map[string][]access.Scope{}},
	} {
		a, err := New(Options{Issuers: []string{entraV2A, "https://login.example"}, Audiences: []string{audience}, Mapping: mapping})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(a.Metadata("https://mcp.example/mcp"))); diff != "" {
			t.Error(diff)
		}
	}
}
