package tenants

import (
	"strings"
	"testing"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func TestResolveAmongShowsNothingElse(t *testing.T) {
	t.Parallel()
	_, d := newDirectoryAt(t)
	add(t, d, testEntry(1, "contoso", "contoso.example"), testEntry(2, "contosa", "contosa.example"), testEntry(3, "fabrikam"))
	mine := func(name string) bool { return name == "contoso" }
	for _, ref := range []string{"contoso", "CONTOSO", "contoso.example", roomtest.TenantID(1), ""} {
		if e, err := d.ResolveAmong(ref, mine); err != nil || e.Name != "contoso" {
			t.Errorf("%q: %v, %v", ref, e.Name, err)
		}
	}
	answer := func(ref string, sees func(string) bool) string {
		_, err := d.ResolveAmong(ref, sees)
		problem := roomtest.WantCode(t, err, problems.CodeUnknownTenant)
		return strings.ReplaceAll(problem.Message+"|"+problem.Hint+"|"+problem.NextTool, ref, "REF")
	}
	for there, nowhere := range map[string]string{"contosa": "contosx", "contosa.example": "contosx.example", roomtest.TenantID(3): roomtest.TenantID(99)} {
		if got, want := answer(there, mine), answer(nowhere, mine); got != want || strings.Contains(got, "contosa") || strings.Contains(got, "fabrikam") {
			t.Errorf("%q\nand one that does not exist\n%q", got, want)
		}
	}
	if got := answer("contoso", func(string) bool { return false }); strings.Contains(got, "contos") {
		t.Errorf("who sees nothing is told %q", got)
	}
	if e, err := d.ResolveAmong("fabrikam", nil); err != nil || e.Name != "fabrikam" {
		t.Errorf("who sees all: %v, %v", e.Name, err)
	}
}
