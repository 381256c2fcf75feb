package tenantimport

import (
	"fmt"
	"strings"
	"testing"

	"mcp-partner/internal/app"
	"mcp-partner/internal/roomtest"
	"mcp-partner/tenants"
)

// Twice the rows into twice the tenants cost twice the work, counted in
// allocations: whatever looks at every tenant for each row would cost four times.
func TestImportIsLinear(t *testing.T) {
	for _, test := range []struct{ name, header, row string }{
		{name: "one credential", header: "name,company,tenant_id", row: "new-%d,New %[1]d,%s"},
		{name: "a credential each", header: "name,company,tenant_id,client_id", row: "new-%d,New %[1]d,%s,%[2]s"},
		{name: "names to be made", header: "company,tenant_id,domains", row: "Same,%[2]s,new%[1]d.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			small, large := allocationsOf(t, 150, test.header, test.row), allocationsOf(t, 300, test.header, test.row)
			if large > 2.4*small {
				t.Errorf("300 rows into 300 tenants took %.0f allocations, 150 into 150 %.0f", large, small)
			}
		})
	}
}

// allocationsOf plans an import of n rows into n tenants.
func allocationsOf(t *testing.T, n int, header, row string) float64 {
	t.Helper()
	public, _ := tenants.CloudNamed(tenants.CloudPublic)
	entries := make([]tenants.Entry, n)
	list := []string{header}
	for i := range entries {
		entries[i] = tenants.Entry{
			Name: fmt.Sprintf("old-%d", i), TenantID: roomtest.TenantID(i), Cloud: public, Domains: []string{fmt.Sprintf("old%d.example", i)},
			Credentials: []tenants.CredentialRef{{Name: "shared"}},
		}
		list = append(list, fmt.Sprintf(row, i, roomtest.TenantID(n+i)))
	}
	directory, err := tenants.NewMemoryDirectory(entries, []tenants.CredentialConfig{{Name: "shared", Kind: tenants.KindClientSecret, ClientID: roomtest.ClientID}})
	if err != nil {
		t.Fatal(err)
	}
	a, o := &app.App{Directory: directory}, &Request{}
	return testing.AllocsPerRun(1, func() {
		file, err := decodeCSV(strings.NewReader(strings.Join(list, "\n")), nil)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := PlanTable(t.Context(), a, o, file)
		if err != nil || len(plan.Diff.Added) != n {
			t.Fatalf("%d rows would be added, %v", len(plan.Diff.Added), err)
		}
	})
}
