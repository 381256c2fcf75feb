package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"mcp-partner/internal/usage"
	"mcp-partner/internal/wiretest"
	"mcp-partner/simulator"
)

// Agents read the totals that a person kept, by a resource: before that there
// are none, and no name, ID or line of the file is among them.
func TestAgentsReadReconciledUsageThatAPersonKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1})
	w.settle("contoso")
	const subscription = "99999999-0000-4000-8000-000000000001"
	tenant, file := w.tenant("contoso").TenantID, filepath.Join(w.dir, "usage.csv")
	w.write(file, "CustomerId,CustomerName,EntitlementId,EntitlementDescription,BillingPreTaxTotal,BillingCurrency,PartnerEarnedCreditPercentage\n"+
		tenant+",Contoso GmbH,"+subscription+",Shop,100.50,EUR,0\n"+w.tenant("fabrikam").TenantID+",Fabrikam Ltd,"+subscription+",Shop,7,EUR,15\n")
	s := w.cli("serve").start(t)
	defer s.kill()
	s.greet(wiretest.Modern)
	read := func() string {
		t.Helper()
		reply := s.ask(wiretest.Modern.Request(1, "resources/read", wiretest.Object{"uri": "partner://pec/reconcile"}, nil))
		contents, _ := reply.Path("contents").([]any)
		if len(contents) != 1 {
			t.Fatalf("%s", reply.Raw)
		}
		text, _ := contents[0].(map[string]any)["text"].(string)
		return text
	}

	w.cli("pec", "reconcile", file).must(t)
	if text := read(); !strings.Contains(text, "There is no reconciliation yet") {
		t.Fatalf("without --keep: %s", text)
	}
	w.cli("pec", "reconcile", file, "--keep").must(t)
	text := read()
	var kept struct {
		At, Summary string
		Totals      []usage.Total
	}
	if err := json.Unmarshal([]byte(text), &kept); err != nil || kept.At == "" || !strings.HasPrefix(kept.Summary, "2 lines of usage in 2 subscriptions") {
		t.Fatalf("%v: %s", err, text)
	}
	want := []usage.Total{
		{Action: usage.LinkMissing, Currency: "EUR", Subscriptions: 1, WithoutCredit: "100.50", WithCredit: "0.00"},
		{Action: usage.NotManaged, Currency: "EUR", Subscriptions: 1, WithoutCredit: "0.00", WithCredit: "7.00"},
	}
	if len(kept.Totals) != len(want) {
		t.Fatalf("totals: %+v", kept.Totals)
	}
	for i, total := range want {
		if kept.Totals[i] != total {
			t.Errorf("total %d: %+v, want %+v", i, kept.Totals[i], total)
		}
	}
	for _, name := range []string{"contoso", "Contoso", "Fabrikam", "Shop", subscription, tenant} {
		if strings.Contains(text, name) {
			t.Errorf("the totals name %s: %s", name, text)
		}
	}
}
