package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"mcp-partner/fleet"
	"mcp-partner/guard"
)

// planPage is how many rows of a plan are shown at once to whoever is about to
// approve it.
const planPage = 40

// showManyTicket shows a plan for many tenants: counts, what cannot be undone,
// and every row, those that are written first. More is asked between two pages;
// nil shows them all.
func (f *Factory) showManyTicket(ctx context.Context, room *callRoom, ticket guard.Ticket, u *ui, asJSON bool, more func(context.Context, int) error) error {
	plan, err := room.decider.PlanOf(ctx, ticket)
	if err != nil {
		return err
	}
	row := room.approvalRow(ticket)
	rows := fleet.Changes(plan, nil, nil)
	fleet.WrittenFirst(rows)
	if asJSON {
		row.Rows = rows
		return f.IO.printJSON(row)
	}
	u.manyTicket(plan, row)
	for from := 0; from < len(rows); from += planPage {
		u.changes(rows[from:min(from+planPage, len(rows))])
		if left := len(rows) - from - planPage; left > 0 && more != nil {
			if err := more(ctx, left); err != nil {
				return err
			}
		}
	}
	return u.err
}

// nextPage waits until whoever approves has seen a page.
func (f *Factory) nextPage(ctx context.Context, left int) error {
	answer, err := f.IO.askLine(ctx, fmt.Sprintf("%s more; Enter shows them, q stops: ", count(left, "row")))
	if err == nil && answer != "" {
		err = refused("run approvals approve again to see all of it", "the plan was not read to its end, so nothing was approved")
	}
	return err
}

// manyTicket shows all of a plan but its rows.
func (u *ui) manyTicket(plan guard.Plan, r approvalRow) {
	u.line(bold, guard.PlanQuestion(plan).Text)
	u.field("id", r.ID)
	u.styledField("state", map[string]style{"pending": warn, "approved": good}[r.State], r.State)
	u.field("tool", r.Tool)
	u.planHead(plan)
	u.field("plan", r.Digest)
	u.field("asked by", r.Caller+", account "+r.Requester)
	if r.SameUser {
		u.styledField("same user", warn, "this account asked as well: the record will say that requester and approver cannot be told apart")
	}
	u.field("reason", r.Reason)
	u.field("rule", r.Rule)
	u.field("asked at", r.CreatedAt)
	u.field("expires at", r.ExpiresAt)
	u.field("decided by", r.Approver)
	u.field("denied", r.Denied)
}

// planArguments are the arguments that the plan was made for, with its approval.
func (r *callRoom) planArguments(ctx context.Context, ticket guard.Ticket) (json.RawMessage, error) {
	plan, err := r.decider.PlanOf(ctx, ticket)
	if err != nil {
		return nil, err
	}
	return withApproval(json.RawMessage(plan.Arguments), ticket.ID)
}
