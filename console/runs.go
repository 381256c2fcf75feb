package console

import (
	"fmt"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/guard/runs"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// runsListed bounds the list of runs that write.
const runsListed = 100

func runPath(id string) string { return "/console/runs/" + id }

// seenRun returns a run that writes, if the person sees every customer of its plan.
func (c *Console) seenRun(v *visit, id string) (guard.OpenRun, map[int]guard.Progress, error) {
	run, progress, err := c.o.Guard.LoadRun(v.r.Context(), id, "")
	if err == nil && !run.Plan.ShownTo(v.by.Grant) {
		err = errNotHere
	}
	return run, progress, err
}

func (c *Console) showRuns(v *visit) error {
	all, err := c.o.Guard.RecentRuns(v.r.Context(), runsListed)
	if err != nil {
		return err
	}
	seen := xslices.Filter(all, func(run runs.Run) bool {
		if v.by.Grant.Everywhere() { // no plan has to be read
			return true
		}
		_, _, err := c.seenRun(v, run.ID)
		return err == nil
	})
	rows := xslices.Map(seen, func(run runs.Run) []page.Node {
		op, _ := schemas.Lookup(run.Tool)
		return []page.Node{page.LinkTo(runPath(run.ID), page.Time(run.OpenedAt)), page.Text(op.Title), c.runState(run), by(string(run.Caller)), by(run.Approver)}
	})
	if len(rows) == 0 {
		return v.show("Runs", page.P("Nothing was written to several customers yet."))
	}
	return v.show("Runs", page.Listing("Runs", []string{"Begun", "What", "State", "Asked by", "Decided by"}, rows...))
}

func (c *Console) runState(run runs.Run) page.Node {
	if run.Ended(c.o.Now()) {
		return page.Text("ended")
	}
	return page.State("warn", "not finished")
}

func (c *Console) showRun(v *visit) error {
	run, progress, err := c.seenRun(v, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	changes := fleet.Changes(run.Plan, progress, nil)
	fleet.SortChanges(changes)
	op, _ := schemas.Lookup(run.Tool)
	finished := run.Ended(c.o.Now())
	body := []page.Node{
		page.El("p", page.Class("lead"), page.Text(fleet.Headline(changes))),
		page.Facts(page.Text("Begun"), page.Time(run.OpenedAt), page.Text("Asked by"), by(string(run.Caller)), page.Text("Decided by"), by(run.Approver), page.Text("State"), c.runState(run.Run)),
		page.If(!finished, page.Polled(runPath(run.ID)+"/progress", runProgress(changes))),
		page.If(!finished && v.by.Caller == run.Caller, page.Form(runPath(run.ID), v.session.FormToken(), page.Button("", "", "Continue", true))),
		changesTable("Customers", changes),
		page.P(run.Plan.Undone()),
	}
	return v.show(op.Title, body...)
}

// changesTable shows the rows of a plan or a run: what is linked, and what will be or is.
func changesTable(title string, changes []answers.ChangeRow) page.Node {
	rows := xslices.Map(changes, func(row answers.ChangeRow) []page.Node {
		return []page.Node{
			page.Group{page.LinkTo(customerPath(row.Tenant), customer(row.Company, row.Tenant)), page.Text(" "), page.Untrusted(row.Credential)},
			page.Text(string(row.State)), linked(row.Before), page.Untrusted(row.PartnerID), linked(row.After), page.Untrusted(row.Why), page.Untrusted(row.Warning),
		}
	})
	return page.Listing(title, []string{"Customer", "State", "Linked before", "To be linked", "Linked now", "Why", "Note"}, rows...)
}

func runProgress(changes []answers.ChangeRow) string {
	totals := fleet.Totals(changes)
	open := totals[string(answers.ChangePlanned)] + totals[string(answers.ChangeWaiting)] + totals[string(answers.ChangeUnfinished)]
	return fmt.Sprintf("Under way: %d of %d customers are still to come.", open, len(changes))
}

func (c *Console) runProgress(v *visit) error {
	run, progress, err := c.seenRun(v, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.polled(runProgress(fleet.Changes(run.Plan, progress, nil)), run.Ended(c.o.Now()))
}

// continueRun goes on with a run of the person, as a call of its tool does.
func (c *Console) continueRun(v *visit) error {
	run, _, err := c.seenRun(v, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if run.Caller != v.by.Caller {
		return errNotHere
	}
	if _, err := v.read(run.Tool, map[string]any{"run_id": run.ID, "resume": true}); err != nil {
		return err
	}
	return v.back(runPath(run.ID))
}

// runRoutes are those of runs that write.
func (c *Console) runRoutes() []route {
	reads := []access.Scope{access.ScopeRead}
	return []route{
		{"GET", "/console/runs", reads, c.showRuns},
		{"GET", "/console/runs/{id}", reads, c.showRun},
		{"POST", "/console/runs/{id}", []access.Scope{access.ScopeWrite, access.ScopeChange}, c.continueRun},
		{"GET", "/console/runs/{id}/progress", reads, c.runProgress},
	}
}
