package fleet_test

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/armclient"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// bubble is a simulated ARM in fake time: the real pipeline, with the
// simulator's handler in the place of the socket.
type bubble struct {
	t   testing.TB
	sim *simulator.Simulator
	// answers are the times that ARM gave, by tenant, in order.
	answers map[string][]answer
}

type answer struct {
	at   time.Time
	wait time.Duration // what Retry-After said; 0 for a final one
}

const armEndpoint = "https://arm.example"

// All implements fleet.Directory.
func (b *bubble) All() iter.Seq2[schemas.Tenant, error] {
	var tenants []schemas.Tenant
	for _, t := range b.sim.Tenants() {
		tenants = append(tenants, schemas.Tenant{Name: t.Name, TenantID: t.TenantID, Cloud: "custom", ARMEndpoint: armEndpoint, Credentials: []string{"app"}})
	}
	return all(tenants, nil)
}

// Resolve implements fleet.Directory.
func (b *bubble) Resolve(id string, _ func(string) bool) (schemas.Tenant, error) {
	return resolved(b.All(), id)
}

// Reader implements fleet.Clients.
func (b *bubble) Reader(_ context.Context, tenant schemas.Tenant, credential string) (fleet.Reader, error) {
	return armclient.New(minted{b, tenant.TenantID}, armclient.Options{TenantID: tenant.TenantID, TenantName: tenant.Name, Credential: credential,
		Endpoint: armEndpoint, Audience: b.sim.Audience(), Transport: b, Once: true})
}

// Do implements policy.Transporter.
func (b *bubble) Do(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	r.RequestURI, r.Host = r.URL.RequestURI(), r.URL.Host
	b.sim.Handler().ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, r.Context().Err()
}

type minted struct {
	b      *bubble
	tenant string
}

// GetToken implements azcore.TokenCredential.
func (m minted) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := m.b.sim.Token(m.tenant, "")
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, err
}

const (
	latency  = 50 * time.Millisecond
	parallel = 64
)

// ARM answers with bursts of 429: no tenant is asked before its Retry-After, and
// the audit takes at most 1.3 times as long as the best schedule of the same
// answers.
func TestAuditHonoursRetryAfterWithinScheduleBound(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	for _, c := range []struct {
		name   string
		size   int
		config simulator.Config
	}{
		{name: "bursts", size: 2000, config: simulator.Config{Faults: []simulator.Fault{fault(simulator.FaultThrottleBurst, 15)}}},
		{name: "a few bursts", size: 4000, config: simulator.Config{Faults: []simulator.Fault{fault(simulator.FaultThrottleBurst, 2)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				size := c.size
				if underRace {
					size /= 4
				}
				c.config.Tenants, c.config.Latency, c.config.Now, c.config.Seed = size, latency, time.Now, 3
				sim, err := simulator.New(c.config)
				if err != nil {
					t.Fatal(err)
				}
				b := &bubble{t: t, sim: sim}
				took := b.audit(size)
				best := b.bestSchedule()
				t.Logf("%s, %d requests of which %d throttled; the best schedule takes %s", took, sim.Stats().ARMReads, sim.Stats().Throttled, best)
				if took > best*13/10 {
					t.Errorf("the audit took %s, the best schedule takes %s", took, best)
				}
			})
		})
	}
}

func (b *bubble) audit(size int) time.Duration {
	b.t.Helper()
	began := time.Now()
	f := fleet.New(fleet.Options{Directory: b, Clients: b, Store: ledgertest.New(b.t, time.Now), Limits: fleet.Limits{Concurrency: parallel}})
	defer f.Close()
	active, err := f.Start(b.t.Context(), guard.NewRunID(), "test", "", fleet.Audit{}, everything())
	if err == nil {
		err = active.Wait(b.t.Context())
	}
	took := time.Since(began)
	report, reportErr := f.Report(b.t.Context(), "test", active.ID())
	if err := errors.Join(err, reportErr); err != nil || report.Totals["unknown"] != 0 || report.Totals["answered"] != size {
		b.t.Fatalf("%+v, %v", report, err)
	}
	b.answers = map[string][]answer{}
	for _, r := range b.sim.Journal() {
		b.answers[r.TenantID] = append(b.answers[r.TenantID], answer{r.Time.Add(latency), waitOf(r)})
	}
	for tenant, replies := range b.answers {
		for i := 1; i < len(replies); i++ {
			if asked := replies[i].at.Add(-latency); asked.Before(replies[i-1].at.Add(replies[i-1].wait)) {
				b.t.Errorf("%s was asked %s after an answer that wanted %s", tenant, asked.Sub(replies[i-1].at), replies[i-1].wait)
			}
		}
	}
	return took
}

// waitOf is how long the next request has to wait after an answer: what
// Retry-After says in a burst.
func waitOf(r simulator.Record) time.Duration {
	if r.Status == http.StatusTooManyRequests {
		return time.Second
	}
	return 0
}

// bestSchedule plays the same answers through workers that never tarry: each
// takes whatever has been due for longest.
func (b *bubble) bestSchedule() time.Duration {
	type job struct {
		due  time.Duration
		left []answer
	}
	var queue []job
	for _, tenant := range b.sim.Tenants() {
		queue = append(queue, job{0, b.answers[tenant.TenantID]})
	}
	free := make([]time.Duration, parallel)
	var end time.Duration
	for len(queue) > 0 {
		slices.SortStableFunc(queue, func(a, b job) int { return cmp.Compare(a.due, b.due) })
		next := queue[0]
		queue = queue[1:]
		worker := slices.Index(free, slices.Min(free))
		done := max(free[worker], next.due) + latency
		free[worker], end = done, max(end, done)
		if len(next.left) > 1 {
			queue = append(queue, job{done + next.left[0].wait, next.left[1:]})
		}
	}
	return end
}

// TestRetryAfterIsObeyedToTheSecond pins what is passed on of a long wait: the
// tenant's time allows no second try, so it is unknown with the seconds to wait.
func TestRetryAfterIsObeyedToTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim, err := simulator.New(simulator.Config{Tenants: 2, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		sim.Inject(simulator.Rule{TenantID: "contoso", Kind: simulator.FaultThrottleLong, RetryAfter: 10 * time.Minute})
		b := &bubble{t: t, sim: sim}
		f := fleet.New(fleet.Options{Directory: b, Clients: b, Store: ledgertest.New(t, time.Now)})
		defer f.Close()
		active, err := f.Start(t.Context(), guard.NewRunID(), "test", "", fleet.Audit{}, everything())
		if err != nil {
			t.Fatal(err)
		}
		if err := active.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for row := range f.All(t.Context(), active.ID(), fleet.ByPlace) {
			if row.Tenant == "contoso" && (row.State != answers.RowUnknown || row.Problem.Code != problems.CodeThrottled || row.Problem.RetryAfterSeconds != 600) {
				t.Errorf("%+v %s", row, strconv.Quote(row.Problem.Error()))
			}
		}
		if n := sim.Stats().ARMReads; n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}
