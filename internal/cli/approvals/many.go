package approvals

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
)

// planPage is how many rows of a plan are shown at once to whoever is about to
// approve it.
const planPage = 40

// showManyTicket shows a plan for many tenants: counts, what cannot be undone,
// and every row, those that are written first. More is asked between two pages;
// nil shows them all.
func showManyTicket(ctx context.Context, deps *cmdutil.Deps, session *app.Session, ticket guard.Ticket, u *term.UI, asJSON bool, more func(context.Context, int) error) error {
	plan, err := session.Guard.PlanOf(ctx, ticket)
	if err != nil {
		return err
	}
	row := approvalRowOf(session, ticket)
	rows := fleet.Changes(plan, nil, nil)
	fleet.WrittenFirst(rows)
	if asJSON {
		row.Rows = rows
		return deps.IO.PrintJSON(row)
	}
	manyTicket(u, plan, row)
	for from := 0; from < len(rows); from += planPage {
		render.WriteChanges(u, rows[from:min(from+planPage, len(rows))])
		if left := len(rows) - from - planPage; left > 0 && more != nil {
			if err := more(ctx, left); err != nil {
				return err
			}
		}
	}
	return u.Err
}

// nextPage waits until whoever approves has seen a page.
func nextPage(ctx context.Context, deps *cmdutil.Deps, left int) error {
	answer, err := deps.IO.AskLine(ctx, fmt.Sprintf("%s more; Enter shows them, q stops: ", phrase.Count(left, "row")))
	if err == nil && answer != "" {
		err = exit.Refused("run approvals approve again to see all of it", "the plan was not read to its end, so nothing was approved")
	}
	return err
}

// manyTicket shows all of a plan but its rows.
func manyTicket(u *term.UI, plan guard.Plan, r ApprovalRow) {
	u.Line(term.Bold, guard.PlanQuestion(plan).Text)
	u.Field("id", r.ID)
	u.StyledField("state", map[string]term.Style{"pending": term.Warn, "approved": term.Good}[r.State], r.State)
	u.Field("tool", r.Tool)
	planHead(u, plan)
	u.Field("plan", r.Digest)
	u.Field("asked by", r.Caller+", account "+r.Requester)
	if r.SameUser {
		u.StyledField("same user", term.Warn, "this account also made the request: the record will say same_user")
	}
	u.Field("reason", r.Reason)
	u.Field("rule", r.Rule)
	u.Field("asked at", r.CreatedAt)
	u.Field("expires at", r.ExpiresAt)
	u.Field("decided by", r.Approver)
	u.Field("denied", r.Denied)
}

// planArguments are the arguments that the plan was made for, with its approval.
func planArguments(ctx context.Context, s *app.Session, ticket guard.Ticket) (json.RawMessage, error) {
	plan, err := s.Guard.PlanOf(ctx, ticket)
	if err != nil {
		return nil, err
	}
	return withApproval(json.RawMessage(plan.Arguments), ticket.ID)
}

// planHead shows the counts of a plan that waits for an approver.
func planHead(u *term.UI, plan guard.Plan) {
	requests, rows := plan.Writes()
	u.Field("tenants", strconv.Itoa(rows)+" are written, "+strconv.Itoa(len(plan.Rows)-rows)+" are listed and not touched")
	u.Field("requests", strconv.Itoa(requests)+" at most, beside the way back")
	u.Field("from", strings.Join(plan.From, ", "))
	u.Field("to", plan.To)
	u.Field("strategy", string(plan.Strategy))
	if plan.First > 0 {
		u.Field("covers", "the first "+phrase.Count(plan.First, "row")+" and no more")
	}
	u.StyledField("cannot be undone", term.Warn, plan.Undone())
}
