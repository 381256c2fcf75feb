package cli

import (
	"context"
	"testing"
	"time"

	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas"
	"mcp-partner/simulator"
)

// Five hundred domains become five hundred tenants, and two faults stay with
// their own domains.
func TestResolvesFiveHundredDomains(t *testing.T) {
	t.Parallel()
	world, err := startSimulation(t.Context(), worldOptions{tenants: 500}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	tenants := world.sim.Tenants()
	world.sim.Inject(simulator.Rule{TenantID: tenants[41].TenantID, Kind: simulator.FaultTokenHTML, Path: simulator.OpDiscovery})
	questions := []question{{world.cloud(), "nobody.example"}}
	for _, tenant := range tenants {
		questions = append(questions, question{world.cloud(), tenant.Domain})
	}
	h := &house{http: httpclient.NewPool(httpclient.Options{})}
	t.Cleanup(h.http.CloseIdle)
	replies := h.tenantsOf(t.Context(), questions)
	if err := replies[questions[0]].err; schemas.AsProblem(err).Code != schemas.CodeTenantNotFound {
		t.Errorf("the domain of nobody: %v", err)
	}
	for i, tenant := range tenants {
		got := replies[questions[i+1]]
		if i == 41 {
			if got.tenantID != "" || schemas.AsProblem(got.err).Code != schemas.CodeSignInUnavailable {
				t.Errorf("a gateway's page became %+v", got)
			}
		} else if got.err != nil || got.tenantID != tenant.TenantID {
			t.Errorf("%s is %q, %v; want %s", tenant.Domain, got.tenantID, got.err, tenant.TenantID)
		}
	}
}

// Whoever interrupts a look-up of many domains does not wait for all of them.
func TestResolvingEnds(t *testing.T) {
	t.Parallel()
	world, err := startSimulation(t.Context(), worldOptions{tenants: 1}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	domain := world.sim.Tenants()[0].Domain
	world.sim.Inject(simulator.Rule{Kind: simulator.FaultTokenError, Path: simulator.OpDiscovery})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	cancel()
	h := &house{http: httpclient.NewPool(httpclient.Options{})}
	q := question{world.cloud(), domain}
	if err := h.tenantsOf(ctx, []question{q})[q].err; schemas.AsProblem(err).Code != schemas.CodeCancelled {
		t.Error(err)
	}
}
