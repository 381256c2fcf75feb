package approvals

import (
	"context"
	"fmt"
	"slices"
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
	"mcp-partner/schemas/answers"
)

// planPage is how many rows of a plan an approver is shown at once.
const planPage = 40

type shown struct {
	session *app.Session
	ticket  guard.Ticket
	ui      *term.UI
	// all shows also the rows of a plan that are not written.
	all bool
	// more is asked between two pages of a plan; nil shows them without a pause.
	more func(ctx context.Context, left int) error
}

func (s shown) json(ctx context.Context, to *term.Streams) error {
	row := approvalRowOf(s.session, s.ticket)
	if s.ticket.Plan != nil {
		plan, err := s.session.Guard.PlanOf(ctx, s.ticket)
		if err != nil {
			return err
		}
		row.Rows = fleet.Changes(plan, nil, nil)
		fleet.WrittenFirst(row.Rows)
	}
	return to.PrintJSON(row)
}

// write shows one write, or a plan for many tenants: counts, what cannot be undone,
// and the rows that are written.
func (s shown) write(ctx context.Context) error {
	if s.ticket.Plan == nil {
		showTicket(s.ui, s.ticket, approvalRowOf(s.session, s.ticket))
		return s.ui.Err
	}
	plan, err := s.session.Guard.PlanOf(ctx, s.ticket)
	if err != nil {
		return err
	}
	manyTicket(s.ui, plan, approvalRowOf(s.session, s.ticket))
	rows := fleet.Changes(plan, nil, nil)
	fleet.WrittenFirst(rows)
	written := slices.IndexFunc(rows, func(r answers.ChangeRow) bool { return len(r.Steps) == 0 })
	if s.all || written < 0 {
		written = len(rows)
	}
	if err := s.pages(ctx, rows[:written]); err != nil {
		return err
	}
	if untouched := len(rows) - written; untouched > 0 {
		s.ui.Linef(term.Dim, "  %d untouched (--all)", untouched)
	}
	return s.ui.Err
}

func (s shown) pages(ctx context.Context, rows []answers.ChangeRow) error {
	for from := 0; from < len(rows); from += planPage {
		render.WriteChanges(s.ui, rows[from:min(from+planPage, len(rows))])
		if left := len(rows) - from - planPage; left > 0 && s.more != nil {
			if err := s.more(ctx, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// question is what the approver says yes to.
func (s shown) question(ctx context.Context) (string, error) {
	if s.ticket.Plan == nil {
		return guard.QuestionFor(s.ticket.Intent).Text, nil
	}
	plan, err := s.session.Guard.PlanOf(ctx, s.ticket)
	return guard.PlanQuestion(plan).Text, err
}

// nextPage waits until the approver has seen a page.
func nextPage(ctx context.Context, deps *cmdutil.Deps, left int) error {
	answer, err := deps.IO.Ask(ctx, fmt.Sprintf("%s more; Enter shows them, q stops: ", phrase.Count(left, "row")), false)
	if err == nil && answer != "" {
		err = exit.Refused("run approvals approve again to see all of it", "the plan was not shown to its end, so nothing was approved")
	}
	return err
}

// manyTicket shows all of a plan but its rows.
func manyTicket(u *term.UI, plan guard.Plan, r ApprovalRow) {
	requests, rows := plan.Writes()
	u.Line(term.Bold, guard.PlanQuestion(plan).Text)
	writeState(u, r)
	u.Field("tenants", strconv.Itoa(rows)+" are written, "+strconv.Itoa(len(plan.Rows)-rows)+" are listed and not touched")
	u.Field("requests", strconv.Itoa(requests)+" at most, beside the way back")
	u.Field("from", strings.Join(plan.From, ", "))
	u.Field("to", plan.To)
	u.Field("strategy", string(plan.Strategy))
	if plan.First > 0 {
		u.Field("covers", "the first "+phrase.Count(plan.First, "row")+" and no more")
	}
	u.Field("plan", r.Digest)
	writeRequest(u, r)
}
