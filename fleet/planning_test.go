package fleet

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

// slowTenant answers as ARM does where it asks to wait.
type slowTenant struct {
	name  string
	times int
	mu    *sync.Mutex
	asked map[string][]time.Time
}

// Link implements Identity.
func (s slowTenant) Link(context.Context) armclient.LinkRead {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[s.name] = append(s.asked[s.name], time.Now())
	if len(s.asked[s.name]) <= s.times {
		return unread(problems.New(problems.CodeThrottled, "wait", problems.WithRetryAfter(60)))
	}
	return armclient.LinkRead{Link: answers.Link{State: answers.LinkNotLinked}, Identity: answers.Identity{ObjectID: s.name}, TokenReadable: true}
}

// Apply implements Identity; a plan writes nothing.
func (slowTenant) Apply(context.Context, guard.Permit, armclient.Change) armclient.Outcome {
	panic("a plan wrote")
}

// A tenant for which ARM asks to wait is asked again then, and not before; the
// others do not wait for it. One that asks for longer than a plan may take is
// unknown.
func TestPlanWaitsOnlyForThrottledTenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := map[string][]time.Time{}
		w := NewWriter(WriterOptions{Open: func(_ context.Context, tenant schemas.Tenant, _ string) (Identity, error) {
			return slowTenant{tenant.Name, map[string]int{"tenant-1": 2, "tenant-2": 99}[tenant.Name], &mu, asked}, nil
		}})
		defer w.Close()
		request := PlanRequest{Plan: guard.Plan{Tool: schemas.ToolEnsurePartnerLinks, To: toID}}
		for i := range 200 {
			request.Targets = append(request.Targets, Target{schemas.Tenant{Name: fmt.Sprint("tenant-", i)}, "app"})
		}
		began := time.Now()
		plan := w.Plan(t.Context(), request, nil)
		for i, row := range plan.Rows {
			want := guard.Finding("")
			if i == 2 {
				want = guard.FindingUnknown
			}
			if row.Finding != want || (len(row.Steps) == 1) != (want == "") {
				t.Errorf("row %d: %+v", i, row)
			}
			if first := asked[row.Identity.Tenant][0].Sub(began); first != 0 {
				t.Errorf("row %d was asked after %s", i, first)
			}
		}
		slow := asked["tenant-1"]
		if len(slow) != 3 || slow[1].Sub(slow[0]) < time.Minute || slow[2].Sub(slow[1]) < time.Minute {
			t.Errorf("asked at %v", slow)
		}
	})
}
