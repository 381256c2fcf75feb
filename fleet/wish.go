package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"mcp-partner/armclient"
	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// Wish is what a caller wants to be done in many tenants, before anything was
// read.
type Wish struct {
	Caller guard.Caller
	// Tool is ensure_partner_links or transition_partner.
	Tool string
	// Asked are the canonical arguments of the call.
	Asked string
	// To is the partner ID afterwards; "" registers the one that each entry expects.
	To       string
	From     []string
	Strategy guard.Strategy
	First    int
	Reason   string
	Targets  []Target
}

// Plan reads what is linked at every target and says what would be written
// where. It writes nothing. What was not read by the end of ctx is unknown.
func (w *Writer) Plan(ctx context.Context, wish Wish, report func(done, total int)) guard.Plan {
	plan := guard.Plan{
		Caller: wish.Caller, Tool: wish.Tool, Asked: wish.Asked, To: wish.To, From: wish.From,
		Strategy: wish.Strategy, First: wish.First, Reason: schemas.Foreign(wish.Reason), Rows: make([]guard.PlanRow, len(wish.Targets)),
	}
	var done atomic.Int64
	inParallel(len(wish.Targets), readConcurrency, func(i int) {
		plan.Rows[i] = wish.row(wish.Targets[i], w.read(ctx, wish.Targets[i]))
		if n := int(done.Add(1)); report != nil {
			report(n, len(wish.Targets))
		}
	})
	return plan
}

func (w *Writer) read(ctx context.Context, t Target) armclient.LinkRead {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if ctx.Err() != nil {
		return failedRead(schemas.NewProblem(schemas.CodeTimeout, "There was no time left to read this link."))
	}
	identity, err := w.o.Open(ctx, t.Tenant, t.Credential)
	if err != nil {
		return failedRead(schemas.AsProblem(err))
	}
	return identity.Link(ctx)
}

func failedRead(problem *schemas.Problem) armclient.LinkRead {
	return armclient.LinkRead{Link: schemas.Link{State: schemas.LinkUnknown, Reason: problem.Code}, Problem: problem}
}

// row makes a row of what was read.
func (w Wish) row(t Target, read armclient.LinkRead) guard.PlanRow {
	row := guard.PlanRow{
		Identity: read.Identity, Before: guard.SeenOf(read.Link), LinkedName: schemas.Foreign(read.Link.PartnerName), LinkedSince: read.Link.UpdatedTime,
		PartnerID: w.To, Expected: t.Tenant.ExpectedPartnerID, Labels: t.Tenant.Labels,
	}
	if row.Identity.TenantID == "" {
		row.Identity.TenantID = t.Tenant.TenantID
	}
	row.Identity.Tenant, row.Identity.Cloud, row.Identity.Credential = t.Tenant.Name, t.Tenant.Cloud, t.Credential
	if row.PartnerID == "" {
		row.PartnerID = row.Expected
	}
	switch {
	case read.Link.State == schemas.LinkUnknown:
		row.Finding, row.Problem = guard.FindingUnknown, read.Link.Reason
	case row.PartnerID == "":
		row.Finding = guard.FindingNothingExpected
	case read.Link.State == schemas.LinkLinked && read.Link.PartnerID == row.PartnerID:
		row.Finding = guard.FindingUnchanged
	default:
		w.write(&row)
	}
	return row
}

// write decides on the steps of a row that is not as it is wished.
func (w Wish) write(row *guard.PlanRow) {
	absent := row.Before.State.Absent()
	switch {
	case w.Tool == schemas.ToolEnsurePartnerLinks && absent:
		row.Steps = []guard.Step{guard.StepCreate}
	case w.Tool == schemas.ToolEnsurePartnerLinks:
		row.Finding = guard.FindingLinkedOther
	case absent:
		row.Finding = guard.FindingNotLinked
	case !slices.Contains(w.From, row.Before.PartnerID):
		row.Finding = guard.FindingLinkedOther
	case w.Strategy == guard.StrategyReplace:
		row.Steps = []guard.Step{guard.StepRemove, guard.StepReplace}
	default:
		row.Steps = []guard.Step{guard.StepUpdate}
	}
	if len(row.Steps) > 0 {
		row.Warning = w.warning(*row)
	}
}

// warning says what the directory makes of the new ID.
func (w Wish) warning(row guard.PlanRow) string {
	switch {
	case row.Expected == "" || row.Expected == row.PartnerID || slices.Contains(w.From, row.Expected):
		return ""
	case w.Tool == schemas.ToolTransitionPartner:
		return fmt.Sprintf("The directory expects %s here; afterwards it will expect %s.", row.Expected, row.PartnerID)
	default:
		return fmt.Sprintf("The directory expects %s here, and not %s.", row.Expected, row.PartnerID)
	}
}

// IDs words a list of partner IDs.
func IDs(ids []string) string { return strings.Join(ids, ", ") }
