package app

import (
	"fmt"
	"slices"
	"testing"

	"mcp-partner/schemas/partnerid"
	"mcp-partner/tenants"
)

func TestTenantExpectsTheOnlyOwnID(t *testing.T) {
	t.Parallel()
	entries := make([]tenants.Entry, 2)
	for i, expected := range []string{"", "7654321"} {
		entries[i] = tenants.Entry{
			Name: []string{"contoso", "fabrikam"}[i], TenantID: fmt.Sprintf("00000000-0000-0000-0000-00000000000%d", i+1), Cloud: tenants.Cloud{Name: tenants.CloudPublic},
			Credentials: []tenants.CredentialRef{{Name: "app"}}, ExpectedPartnerID: expected,
		}
	}
	memory, err := tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{{Name: "app", Kind: tenants.KindClientSecret, ClientID: "00000000-0000-0000-0000-00000000000a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		own  []string
		want []partnerid.ID
	}{
		{"none", nil, []partnerid.ID{"", "7654321"}},
		{"one", []string{"1234567"}, []partnerid.ID{"1234567", "7654321"}},
		{"several", []string{"1234567", "2345678"}, []partnerid.ID{"", "7654321"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			directory := Directory{memory, tenants.MemoryHealth(), test.own}
			var listed, resolved []partnerid.ID
			for tenant, err := range directory.All() {
				if err != nil {
					t.Fatal(err)
				}
				one, err := directory.Resolve(tenant.Name, nil)
				if err != nil {
					t.Fatal(err)
				}
				listed, resolved = append(listed, tenant.ExpectedPartnerID), append(resolved, one.ExpectedPartnerID)
			}
			if !slices.Equal(listed, test.want) || !slices.Equal(resolved, test.want) {
				t.Errorf("listed %q, resolved %q, want %q", listed, resolved, test.want)
			}
			if none, err := directory.Resolve("nowhere", nil); err == nil || none.ExpectedPartnerID != "" {
				t.Errorf("a tenant that is not there expects %q: %v", none.ExpectedPartnerID, err)
			}
		})
	}
}
