package fleet

import (
	"context"
	"strings"
	"sync"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// execute works on a run: on the tenants that have begun first, then on those
// that may begin. It ends the run once nothing is left in it.
func (w *Writer) execute(ctx context.Context, a *Execution, first int) error {
	_, progress, err := w.opts.Guard.LoadRun(ctx, a.ID, "")
	if err != nil {
		return err
	}
	var begun, planned []int
	for i, row := range a.Plan.Rows {
		switch stage := progress[i].Stage; {
		case len(row.Steps) == 0:
		case stage.Begun(), stage == guard.StageStranded && a.mode == Continue:
			begun = append(begun, i)
		case stage == guard.StagePlanned && a.mode == Continue:
			planned = append(planned, i)
		}
	}
	a.total = len(begun) + bounded(len(planned), first)
	w.each(a, begun, func(row int) bool { return w.advance(ctx, a, row, progress[row]) })
	w.beginSome(ctx, a, planned, progress, first)
	if _, progress, err = w.opts.Guard.LoadRun(ctx, a.ID, ""); err != nil {
		return err
	}
	if run := a.opened(); w.over(run, progress) {
		return w.opts.Guard.EndRun(ctx, run, "")
	}
	return nil
}

func bounded(n, most int) int {
	if most > 0 {
		return min(n, most)
	}
	return n
}

// beginSome begins tenants until so many have begun; those that turned out not
// to be written to do not count.
func (w *Writer) beginSome(ctx context.Context, a *Execution, planned []int, progress map[int]guard.Progress, first int) {
	left := len(planned)
	if first > 0 {
		left = first
	}
	for left > 0 && len(planned) > 0 && w.closing.Err() == nil {
		batch := planned[:min(left, len(planned))]
		planned = planned[len(batch):]
		left -= w.each(a, batch, func(row int) bool {
			return w.closing.Err() == nil && w.advance(ctx, a, row, progress[row])
		})
	}
}

// each works on rows, so many at a time and those of one tenant one after the
// other, and counts the true answers.
func (w *Writer) each(a *Execution, rows []int, do func(row int) bool) (count int) {
	groups := map[string][]int{}
	var order []string
	for _, row := range rows {
		tenant := strings.ToLower(a.Plan.Rows[row].Identity.TenantID)
		if groups[tenant] == nil {
			order = append(order, tenant)
		}
		groups[tenant] = append(groups[tenant], row)
	}
	var mu sync.Mutex
	inParallel(len(order), WriteConcurrency, func(i int) {
		for _, row := range groups[order[i]] {
			if do(row) {
				mu.Lock()
				count++
				mu.Unlock()
			}
			a.rested()
		}
	})
	return count
}

// inParallel calls do for 0 to n-1, so many at a time.
func inParallel(n, most int, do func(int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range min(n, most) {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// expect keeps what a transition makes of the directory: what is linked now is
// what is expected from now on.
func (w *Writer) expect(ctx context.Context, a *Execution, row guard.PlanRow) error {
	if a.Tool != schemas.ToolTransitionPartner {
		return nil
	}
	tenant, err := w.opts.Tenants.Entry(row.Identity.Tenant)
	if err != nil || tenant.ExpectedPartnerID == row.PartnerID {
		return err
	}
	if err := w.opts.Tenants.Expect(tenant.Name, row.PartnerID); err != nil {
		return err
	}
	return w.opts.Guard.Changed(ctx, guard.KindDirectory, "Tenant "+tenant.Name+" expects partner ID "+row.PartnerID+" from now on: "+a.ID+".")
}
