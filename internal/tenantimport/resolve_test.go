package tenantimport

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
	"mcp-partner/tenants"
)

// startSimulator starts a simulated Azure that ends with the test, and says where
// it is.
func startSimulator(t *testing.T, count int) (*simulator.Simulator, tenants.Cloud) {
	t.Helper()
	sim, err := simulator.New(simulator.Config{Tenants: count})
	if err != nil {
		t.Fatal(err)
	}
	server, err := sim.Start(context.WithoutCancel(t.Context()), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return sim, tenants.Cloud{
		Name: tenants.CloudCustom, Authority: server.Authority(), ARMEndpoint: server.URL(),
		ARMAudience: sim.Audience(), CAPEM: string(server.CAPEM()), SkipInstanceDiscovery: true,
	}
}

// Five hundred domains become five hundred tenants, and two faults stay with
// their own domains.
func TestResolvesFiveHundredDomains(t *testing.T) {
	t.Parallel()
	sim, cloud := startSimulator(t, 500)
	tenants := sim.Tenants()
	sim.Inject(simulator.Rule{TenantID: tenants[41].TenantID, Kind: simulator.FaultTokenHTML, Path: simulator.OpDiscovery})
	questions := []question{{cloud, "nobody.example"}}
	for _, tenant := range tenants {
		questions = append(questions, question{cloud, tenant.Domain})
	}
	pool := httpclient.NewPool(httpclient.Options{})
	t.Cleanup(pool.CloseIdle)
	replies := tenantsOf(t.Context(), pool, questions)
	if err := replies[questions[0]].err; problems.As(err).Code != problems.CodeTenantNotFound {
		t.Errorf("the domain of nobody: %v", err)
	}
	for i, tenant := range tenants {
		got := replies[questions[i+1]]
		if i == 41 {
			if got.tenantID != "" || problems.As(got.err).Code != problems.CodeSignInUnavailable {
				t.Errorf("a gateway's page became %+v", got)
			}
		} else if got.err != nil || got.tenantID != tenant.TenantID {
			t.Errorf("%s is %q, %v; want %s", tenant.Domain, got.tenantID, got.err, tenant.TenantID)
		}
	}
}

// Interrupting a look-up of many domains does not wait for all of them.
func TestResolvingStopsWithContext(t *testing.T) {
	t.Parallel()
	sim, cloud := startSimulator(t, 1)
	domain := sim.Tenants()[0].Domain
	sim.Inject(simulator.Rule{Kind: simulator.FaultTokenError, Path: simulator.OpDiscovery})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pool := httpclient.NewPool(httpclient.Options{})
	q := question{cloud, domain}
	if err := tenantsOf(ctx, pool, []question{q})[q].err; problems.As(err).Code != problems.CodeCancelled {
		t.Error(err)
	}
}

// Sixteen domains are asked about at once, and no more.
func TestLookupsAreBounded(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int32
	var first sync.Once
	all := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == lookups {
			first.Do(func() { close(all) }) // sixteen are here
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
		http.Error(w, `{"error":"invalid_tenant"}`, http.StatusBadRequest)
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := httpclient.NewPool(httpclient.Options{})
	t.Cleanup(pool.CloseIdle)
	tenantsOf(t.Context(), pool, someDomains(server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 3*lookups))
	if most.Load() != lookups {
		t.Errorf("%d were asked at once, want %d", most.Load(), lookups)
	}
}

// A host that does not answer is given up, and each of its domains is reported.
func TestSilentHostTimesOut(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var connections atomic.Int32
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			connection.Close()
		}
	}()
	pool := httpclient.NewPool(httpclient.Options{})
	questions := someDomains("https://"+listener.Addr().String(), "", 500)
	replies := tenantsOf(t.Context(), pool, questions)
	if n := connections.Load(); n < lookups || n > 3*lookups {
		t.Errorf("%d connections for 500 domains", n)
	}
	for _, q := range questions {
		if got := replies[q]; got.tenantID != "" || problems.As(got.err).Code != problems.CodeNetwork || !strings.Contains(got.err.Error(), q.domain) {
			t.Errorf("%s: %+v", q.domain, got)
		}
	}
}

func someDomains(authority, ca string, n int) []question {
	cloud := tenants.Cloud{Name: tenants.CloudCustom, Authority: authority, ARMEndpoint: authority, ARMAudience: "https://management.example/", CAPEM: ca}
	questions := make([]question, n)
	for i := range questions {
		questions[i] = question{cloud, fmt.Sprintf("c%d.example", i)}
	}
	return questions
}
