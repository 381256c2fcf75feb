package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// PlanRequest is a plan before anything was read: without rows, for targets.
type PlanRequest struct {
	guard.Plan
	Targets []Target
	// OwnIDs are the partner's own IDs.
	OwnIDs []string
}

// Plan reads the link of every target and returns what would be written where.
// It writes nothing. A throttled tenant is put aside while the others continue;
// what was not read by the end of ctx is unknown.
func (w *Writer) Plan(ctx context.Context, request PlanRequest, report func(done, total int)) guard.Plan {
	plan := request.Plan
	plan.Reason, plan.Rows = untrusted.Sanitize(plan.Reason), make([]guard.PlanRow, len(request.Targets))
	late := unread(problems.New(problems.CodeTimeout, "The time limit was reached before this link was read."))
	tasks := make([]task, len(request.Targets))
	for i, target := range request.Targets {
		plan.Rows[i], tasks[i] = request.row(target, late), task{n: i, place: target.place()}
	}
	var done atomic.Int64
	schedule(ctx, defaultConcurrency, tasks, func(ctx context.Context, t *task) step {
		read, next := w.ask(ctx, t, request.Targets[t.n])
		if next.again == 0 {
			plan.Rows[t.n] = request.row(request.Targets[t.n], read)
			if n := int(done.Add(1)); report != nil {
				report(n, len(plan.Rows))
			}
		}
		return next
	})
	plan.Rows = rowPerIdentity(plan.Rows)
	return plan
}

// rowPerIdentity keeps one row for each identity in a tenant: two credentials of one
// application have one link, and to move it twice would look like somebody
// else's doing. What could not be read stays.
func rowPerIdentity(rows []guard.PlanRow) []guard.PlanRow {
	first := map[[2]string]int{}
	kept := rows[:0]
	for _, row := range rows {
		key := [2]string{strings.ToLower(row.Identity.TenantID), row.Identity.ObjectID}
		n, twice := first[key]
		switch known := row.Finding != guard.FindingUnknown && row.Identity.ObjectID != ""; {
		case known && twice:
			kept[n].Warning = strings.TrimSpace(kept[n].Warning + " The credential " + row.Identity.Credential + " is the same identity.")
			continue
		case known:
			first[key] = len(kept)
		}
		kept = append(kept, row)
	}
	return kept
}

// ask reads one target. An answer that says how long to wait is asked for again
// then, as long as the target's time allows; any other stands.
func (w *Writer) ask(ctx context.Context, t *task, target Target) (armclient.LinkRead, step) {
	if t.tries == 0 {
		t.first = time.Now()
	}
	t.tries++
	read := w.read(ctx, target)
	if wait := patience(read.Problem); wait > 0 && ctx.Err() == nil && time.Since(t.first)+wait < targetTime {
		return read, step{again: wait, slower: slowedDown(read.Problem)}
	}
	return read, step{slower: slowedDown(read.Problem)}
}

func patience(problem *problems.Problem) time.Duration {
	if problem == nil || !problem.Retryable {
		return 0
	}
	return time.Duration(problem.RetryAfterSeconds) * time.Second
}

func (w *Writer) read(ctx context.Context, t Target) armclient.LinkRead {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	identity, err := w.opts.Open(ctx, t.Tenant, t.Credential)
	if err != nil {
		return unread(problems.As(err))
	}
	return identity.Link(ctx)
}

// row makes a row of what was read.
func (r PlanRequest) row(t Target, read armclient.LinkRead) guard.PlanRow {
	row := guard.PlanRow{
		Identity: t.Tenant.Identify(read.Identity, t.Credential), Endpoint: guard.EndpointOf(t.Tenant), Before: guard.SnapshotOf(read.Link), LinkedName: untrusted.Sanitize(read.Link.PartnerName), LinkedSince: read.Link.UpdatedTime,
		Company: untrusted.Sanitize(t.Tenant.Company), Domain: t.Tenant.Domain(), PartnerID: cmp.Or(r.To, t.Tenant.ExpectedPartnerID), Expected: t.Tenant.ExpectedPartnerID, Labels: t.Tenant.Labels,
	}
	switch {
	case read.Link.State == answers.LinkUnknown:
		row.Finding, row.Problem = guard.FindingUnknown, read.Link.Reason
	case row.PartnerID == "":
		row.Finding = guard.FindingNothingExpected
	case read.Link.State == answers.LinkLinked && read.Link.PartnerID == row.PartnerID:
		row.Finding = guard.FindingUnchanged
	default:
		r.write(&row)
	}
	return row
}

// write decides on the steps of a row that is not as it is wished.
func (r PlanRequest) write(row *guard.PlanRow) {
	absent := row.Before.State.Absent()
	switch {
	case r.Tool == schemas.ToolEnsurePartnerLinks && absent:
		row.Steps = []runs.Step{runs.StepCreate}
	case absent:
		row.Finding = guard.FindingNotLinked
	case r.Tool == schemas.ToolEnsurePartnerLinks, !slices.Contains(r.From, row.Before.PartnerID):
		row.Finding = r.another(row.Before.PartnerID)
	case r.Strategy == guard.StrategyReplace:
		row.Steps = []runs.Step{runs.StepRemove, runs.StepReplace}
	default:
		row.Steps = []runs.Step{runs.StepUpdate}
	}
	if len(row.Steps) > 0 {
		row.Warning = r.warning(*row)
	}
}

// another is the finding of a link to an ID that is not to be touched.
func (r PlanRequest) another(id partnerid.ID) guard.Finding {
	if slices.Contains(r.OwnIDs, string(id)) {
		return guard.FindingLinkedOwn
	}
	return guard.FindingLinkedOther
}

func (r PlanRequest) warning(row guard.PlanRow) string {
	switch {
	case row.Expected == "" || row.Expected == row.PartnerID || slices.Contains(r.From, row.Expected):
		return ""
	case r.Tool == schemas.ToolTransitionPartner:
		return fmt.Sprintf("The directory expects %s here; afterwards it will expect %s.", row.Expected, row.PartnerID)
	default:
		return fmt.Sprintf("The directory expects %s here, and not %s.", row.Expected, row.PartnerID)
	}
}
