package fleet

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	// maxActions bounds the actions in one tenant at a time; a replacement with all
	// its attempts and its restoration takes fewer.
	maxActions = 40
	// maxObservations bounds the inconclusive reads of a tenant that has begun.
	maxObservations = 6
	// longestWait bounds a pause that ARM asks for.
	longestWait = 2 * time.Minute
)

// tenantRun is one tenant of a run while it is worked on.
type tenantRun struct {
	*Writer
	run *Execution
	row guard.PlanRow
	at  guard.Progress
	// began says that the first write of the tenant was permitted here.
	began bool
	// wrote says that something was written here.
	wrote bool
	// seen is the last look, if it still holds.
	seen         *armclient.LinkRead
	identity     Identity
	tenant       schemas.Tenant
	observations int
	retry        time.Duration
}

// advance works on a tenant until it rests, and reports whether it began here.
func (w *Writer) advance(ctx context.Context, a *Execution, row int, at guard.Progress) bool {
	at.Row = row
	d := &tenantRun{Writer: w, run: a, row: a.Plan.Rows[row], at: at}
	if at.Stage == runs.StagePlanned {
		if err := w.opts.Guard.MayBegin(ctx); err != nil {
			d.left(problems.As(err).Code)
			return false
		}
	}
	for range maxActions {
		if !d.step(ctx) {
			break
		}
	}
	return d.began
}

func (d *tenantRun) step(ctx context.Context) bool {
	seen := observation{known: true}
	if d.at.Stage != runs.StageWritten {
		seen = d.observe(ctx)
	}
	switch m := next(d.row, d.at, seen); m.kind {
	case record:
		return d.record(ctx, m, guard.Outcome{Result: foundBy(m), After: seen.now})
	case write:
		return d.write(ctx, m.step)
	case again:
		if d.run.mode == Complete && !d.wrote {
			d.left(m.result) // a start waits for no one; the next one looks again
			return false
		}
		return d.wait(m.result)
	default:
		d.left(m.result)
		return false
	}
}

// foundBy words what a look found out about a write without an outcome, as the
// record has it for every write.
func foundBy(m action) string {
	switch {
	case m.spent:
		return "not_applied"
	case m.result != "":
		return string(m.result)
	default:
		return "applied"
	}
}

func (d *tenantRun) left(code problems.Code) {
	if code != "" {
		d.run.note(d.at.Row, code)
	}
}

func (d *tenantRun) open(ctx context.Context) (err error) {
	if d.identity != nil {
		return nil
	}
	if d.tenant, err = d.opts.Tenants.Resolve(d.row.Identity.Tenant, nil); err != nil {
		return err
	}
	identity, err := d.opts.Open(ctx, d.tenant, d.row.Identity.Credential)
	if err != nil {
		return err
	}
	d.identity = identity
	return nil
}

// observe reads what is linked now, unless the last answer still holds. An answer
// for another identity than the plan's says nothing about the row.
func (d *tenantRun) observe(ctx context.Context) observation {
	seen := observation{settled: d.opts.Now().Sub(d.at.At) >= d.opts.Settled}
	if d.seen == nil {
		if err := d.open(ctx); err != nil {
			seen.code = problems.As(err).Code
			return seen
		}
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		read := d.identity.Link(ctx)
		d.seen = &read
	}
	switch {
	case d.seen.Problem != nil:
		seen.code, d.retry = d.seen.Problem.Code, time.Duration(d.seen.Problem.RetryAfterSeconds)*time.Second
		d.seen = nil
	case d.seen.Identity.ObjectID != d.row.Identity.ObjectID:
		seen.code = problems.CodeWrongIdentity
	default:
		seen.known, seen.now = true, guard.SnapshotOf(d.seen.Link)
	}
	return seen
}

// wait pauses before the next look. A write that may still be at work is waited
// for until it has ended; a tenant that cannot be read is looked at a few times.
func (d *tenantRun) wait(code problems.Code) bool {
	d.seen = nil
	pause := max(d.retry, d.opts.Pause<<min(d.observations, 4))
	d.retry = 0
	if code == problems.CodeWriteUnconfirmed {
		pause = max(d.opts.Pause/8, d.opts.Settled-d.opts.Now().Sub(d.at.At))
	} else if d.observations++; d.observations > maxObservations || pause > longestWait {
		d.left(code)
		return false
	}
	pausing, cancel := context.WithTimeout(d.closing, pause)
	defer cancel()
	<-pausing.Done()
	if d.closing.Err() != nil {
		d.left(code)
		return false
	}
	return true
}

// record keeps where the tenant stands now. What the directory expects is
// changed before the tenant counts as done.
func (d *tenantRun) record(ctx context.Context, m action, found guard.Outcome) bool {
	if d.at.Stage == runs.StageWritten {
		if err := d.expect(ctx, d.run, d.row); err != nil {
			d.left(problems.As(err).Code)
			return false
		}
		found = guard.Outcome{Result: string(answers.StatusDone), After: d.at.Snapshot}
	}
	to := d.at
	to.Stage, to.Result, to.Unseen = m.stage, string(m.result), d.at.Unseen || m.unseen
	switch {
	case m.spent:
		to.Tries++
	case m.stage == runs.StageRemoved && d.at.Stage == runs.StageRemoving:
		to.Tries = 0
	}
	settled, err := d.opts.Guard.Settle(ctx, d.run.opened(), to, found)
	if err != nil {
		d.left(problems.As(err).Code)
		return false
	}
	d.at = settled
	return !settled.Stage.Final()
}

// write asks for the permit of a step and uses it. Nothing that the caller or a
// closing server does cancels it: what was begun is read back and recorded.
func (d *tenantRun) write(ctx context.Context, step runs.Step) bool {
	first := d.at.Stage == runs.StagePlanned
	if first && d.closing.Err() != nil {
		return false
	}
	granted, at, err := d.opts.Guard.Permit(ctx, d.run.opened(), d.at, step, d.stepContext())
	if err != nil {
		return d.refused(ctx, first, problems.As(err))
	}
	d.began, d.wrote = d.began || first, true
	before := d.seen.Link
	d.at, d.seen = at, nil
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	outcome := d.identity.Apply(ctx, granted.Permit, changeOf(d.row, step, before))
	m := after(d.at, outcome, granted.Permit.Spent())
	found := guard.Outcome{Result: resultOf(outcome), ARMRequestID: outcome.RequestID, CorrelationID: outcome.CorrelationID}
	if outcome.After.Problem == nil {
		found.After = guard.SnapshotOf(outcome.After.Link)
		d.seen = &outcome.After
	}
	if m.stage == runs.StageWritten && d.run.Tool != schemas.ToolTransitionPartner {
		m.stage = runs.StageDone // the directory expects nothing new
	}
	if !d.record(context.WithoutCancel(ctx), m, found) {
		return false
	}
	return !m.spent || d.wait(d.patience(outcome))
}

// patience is the code to wait by after an attempt that changed nothing, with
// the time that ARM asked for.
func (d *tenantRun) patience(outcome armclient.Outcome) problems.Code {
	if outcome.Problem == nil {
		return ""
	}
	d.retry = time.Duration(outcome.Problem.RetryAfterSeconds) * time.Second
	return outcome.Problem.Code
}

func resultOf(outcome armclient.Outcome) string {
	if outcome.Problem != nil {
		return string(outcome.Problem.Code)
	}
	return string(answers.StatusDone)
}

func (d *tenantRun) stepContext() guard.StepContext {
	identity := d.tenant.Identify(d.seen.Identity, d.row.Identity.Credential)
	return guard.StepContext{Snapshot: guard.SnapshotOf(d.seen.Link), Tenant: d.tenant, Identity: identity}
}

// refused ends what was not begun for good where link, directory or identity are
// not those of the plan any more, and leaves it where it may be begun later:
// once a freeze or a rule is lifted. What has begun is looked at again if the
// link moved.
func (d *tenantRun) refused(ctx context.Context, first bool, problem *problems.Problem) bool {
	switch {
	case first && (problem.Code == problems.CodeStateMoved || problem.Code == problems.CodeApprovalMismatch):
		return d.record(ctx, action{stage: runs.StageSkipped, result: problem.Code}, guard.Outcome{Result: string(problem.Code), After: guard.SnapshotOf(d.seen.Link)})
	case !first && problem.Code == problems.CodeStateMoved:
		return d.wait(problem.Code)
	default:
		d.left(problem.Code)
		return false
	}
}

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
		case stage.Begun(), stage == runs.StageStranded && a.mode == Continue:
			begun = append(begun, i)
		case stage == runs.StagePlanned && a.mode == Continue:
			planned = append(planned, i)
		}
	}
	most := len(planned)
	if first > 0 {
		most = min(most, first)
	}
	a.total = len(begun) + most
	w.each(a, begun, func(row int) bool { return w.advance(ctx, a, row, progress[row]) })
	w.beginSome(ctx, a, planned, progress, most)
	if _, progress, err = w.opts.Guard.LoadRun(ctx, a.ID, ""); err != nil {
		return err
	}
	if run := a.opened(); w.over(run, progress) {
		return w.opts.Guard.EndRun(ctx, run, "")
	}
	return nil
}

// beginSome begins tenants until so many have begun; those that turned out not
// to be written to do not count.
func (w *Writer) beginSome(ctx context.Context, a *Execution, planned []int, progress map[int]guard.Progress, left int) {
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
func (w *Writer) each(a *Execution, rows []int, do func(row int) bool) int {
	groups := map[string][]int{}
	var order []string
	for _, row := range rows {
		tenant := strings.ToLower(a.Plan.Rows[row].Identity.TenantID)
		if groups[tenant] == nil {
			order = append(order, tenant)
		}
		groups[tenant] = append(groups[tenant], row)
	}
	var began atomic.Int64
	var working errgroup.Group
	working.SetLimit(WriteConcurrency)
	for _, tenant := range order {
		working.Go(func() error {
			for _, row := range groups[tenant] {
				if do(row) {
					began.Add(1)
				}
				a.rested()
			}
			return nil
		})
	}
	_ = working.Wait() // none of them fails
	return int(began.Load())
}

// expect keeps what a transition makes of the directory: what is linked now is
// what is expected from now on.
func (w *Writer) expect(ctx context.Context, a *Execution, row guard.PlanRow) error {
	if a.Tool != schemas.ToolTransitionPartner {
		return nil
	}
	tenant, err := w.opts.Tenants.Resolve(row.Identity.Tenant, nil)
	if err != nil || tenant.ExpectedPartnerID == row.PartnerID {
		return err
	}
	if err := w.opts.Tenants.ExpectPartnerID(tenant.Name, row.PartnerID); err != nil {
		return err
	}
	return w.opts.Guard.Changed(ctx, guard.KindDirectory, fmt.Sprintf("Tenant %s expects partner ID %s from now on: %s.", tenant.Name, row.PartnerID, a.ID))
}
