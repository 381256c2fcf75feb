package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
)

const (
	// tasksShown is how many things the overview names, rowsLookedAt among how many rows
	// of an audit they are found.
	tasksShown   = 5
	rowsLookedAt = 1000
)

// overview is what the first page shows.
type overview struct {
	audits []fleet.Run
	last   fleet.Report
	before fleet.Run
	// changed counts what differs from before, nil without one.
	changed map[answers.ChangeKind]int
	tasks   []task
	// quiet are rows that somebody knows of until a date.
	quiet []quiet
}

// task is one thing to do: what is wrong, where, and where it is put right.
type task struct {
	what page.Node
	// kind is what is wrong: of each kind one is named before there are two of any.
	kind string
	// row is of an audit, and can be put off; nil for other tasks.
	row *answers.AuditRow
}

// quiet is a row that was put off.
type quiet struct {
	row   answers.AuditRow
	until *fleet.Acknowledgement
}

func (c *Console) showOverview(v *visit) error {
	switch {
	case v.may(access.ScopeRead):
	case v.may(mayStop()...): // who decides and reads nothing begins there
		return v.back(approvalsPath)
	default:
		return errNotHere
	}
	m, err := c.overview(v)
	if err != nil {
		return err
	}
	if len(m.audits) == 0 {
		return v.show("Overview", page.P("Nothing is known of your customers' links yet."), c.checkAll(v, "Check all customers now"), m.todo(v))
	}
	return v.show("Overview", m.lead(), auditreport.Report{Report: m.last}.Bar(), m.counts(), m.todo(v), m.trend(), m.putOff(v), c.checkAll(v, "Check all customers again"))
}

// overview gathers what the page shows.
func (c *Console) overview(v *visit) (m overview, err error) {
	ctx := v.r.Context()
	if m.audits, err = c.o.Service.Audits(ctx, v.by, auditsShown); err != nil {
		return m, err
	}
	if m.tasks, err = c.waiting(v); err != nil || len(m.audits) == 0 {
		return m, err
	}
	m.audits = xslices.Filter(m.audits, func(run fleet.Run) bool { return fleet.SameQuestion(run, m.audits[0]) })
	for i, run := range m.audits {
		if m.audits[i].Totals, err = c.o.Fleet.Totals(ctx, run); err != nil {
			return m, err
		}
	}
	if m.last, err = c.o.Service.Audit(ctx, v.by, m.audits[0].ID); err != nil {
		return m, err
	}
	if err := c.compare(ctx, v, &m); err != nil {
		return m, err
	}
	return m, c.findTasks(ctx, &m)
}

// waiting are the tasks that no audit knows of.
func (c *Console) waiting(v *visit) (tasks []task, err error) {
	if v.may(access.ScopeApprove) {
		approvals, err := c.o.Service.PendingApprovals(v.r.Context(), v.by)
		if err != nil {
			return nil, err
		}
		if n := len(approvals); n > 0 {
			tasks = append(tasks, task{kind: "approvals", what: page.LinkTo("/console/approvals", page.Text(phrase.Count(n, "approval")+" to decide"))})
		}
	}
	if !v.by.Grant.Everywhere() {
		return tasks, nil
	}
	open, err := c.o.Guard.OpenRuns(v.r.Context())
	if n := len(open); n > 0 {
		tasks = append(tasks, task{kind: "runs", what: page.LinkTo("/console/runs", page.Text(phrase.Count(n, "run")+" not finished"))})
	}
	return tasks, err
}

// compare finds what differs from the audit before, and makes tasks of what was lost.
func (c *Console) compare(ctx context.Context, v *visit, m *overview) error {
	before, ok, err := c.o.Fleet.Previous(ctx, m.last.Run)
	if err != nil || !ok || m.last.Run.State != fleet.RunFinished {
		return err
	}
	if _, err := c.o.Service.Audit(ctx, v.by, before.ID); err != nil {
		if problems.As(err).Code == problems.CodeUnknownRun {
			return nil // what the person may not see is not compared
		}
		return err
	}
	comparison, err := c.o.Fleet.Diff(ctx, before, m.last.Run)
	if err != nil {
		return err
	}
	changes, counts, _, err := comparison.Page(ctx, "", tasksShown)
	if err != nil {
		return err
	}
	m.before, m.changed = before, counts
	for _, change := range changes {
		if slices.Contains(answers.AlertKinds(), change.Kind) && !change.Quiet() {
			row := change.Row()
			m.tasks = append(m.tasks, task{page.Group{rowLink(row), page.Text(": " + changeWords(change.Kind))}, string(change.Kind), row})
		}
	}
	return nil
}

// findTasks makes tasks of what needs attention in the newest audit: of rows that are
// unknown for one cause one together.
func (c *Console) findTasks(ctx context.Context, m *overview) error {
	known, err := c.o.Fleet.Known(ctx)
	if err != nil {
		return err
	}
	var rows, earningNothing []task
	ends := map[string]string{} // of credentials, in RFC 3339
	found := c.o.Fleet.Rows(ctx, m.last.Run.ID, fleet.RowQuery{Order: fleet.ByAttention, Limit: rowsLookedAt})
	for row, err := range found {
		if err != nil {
			return err
		}
		if row.CredentialExpires != "" {
			ends[row.Credential] = row.CredentialExpires
		}
		until := known(&row)
		switch {
		case until != nil:
			m.quiet = append(m.quiet, quiet{row, until})
		case row.State == answers.RowUnknown || row.State == answers.RowLinked || m.has(row): // the sentence says why it is not known whose
		case row.State != answers.RowLinkedExpected:
			rows = append(rows, task{page.Group{rowLink(&row), page.Text(": "), stateNode(row)}, string(row.State), &row})
		case row.PECRoles.EarnsNothing():
			earningNothing = append(earningNothing, task{page.Group{rowLink(&row), page.Text(": linked without an eligible role")}, "roles", &row})
		}
	}
	m.tasks = slices.Concat(m.tasks, expiring(ends), rows, earningNothing)
	for _, cause := range m.last.Causes {
		m.tasks = append(m.tasks, task{kind: string(answers.RowUnknown), what: page.Group{
			page.Text(phrase.Count(cause.Rows, "customer") + " unknown: "), page.Untrusted(cause.Message), page.Text(" " + cause.Hint + " "), page.El("code", page.Text(cause.Command)),
		}})
	}
	m.tasks = oneOfEachKind(m.tasks)
	return nil
}

// oneOfEachKind puts the first task of each kind before all others, so that no kind hides
// behind another.
func oneOfEachKind(tasks []task) []task {
	var first, others []task
	seen := map[string]bool{}
	for _, t := range tasks {
		if seen[t.kind] {
			others = append(others, t)
			continue
		}
		seen[t.kind] = true
		first = append(first, t)
	}
	return append(first, others...)
}

// expiring are the credentials that end within 30 days or have ended, the first first.
func expiring(ends map[string]string) []task {
	names := slices.SortedFunc(maps.Keys(ends), func(a, b string) int { return cmp.Or(strings.Compare(ends[a], ends[b]), strings.Compare(a, b)) })
	return xslices.Map(names, func(name string) task {
		return task{kind: "credentials", what: page.Group{page.Text("The credential "), page.Untrusted(name), page.Text(" ends "), page.TimeOf(ends[name]), page.Text(".")}}
	})
}

// has reports whether there is a task about a row already.
func (m *overview) has(row answers.AuditRow) bool {
	return slices.ContainsFunc(m.tasks, func(t task) bool {
		return t.row != nil && t.row.TenantID == row.TenantID && t.row.Credential == row.Credential
	})
}

func rowLink(row *answers.AuditRow) page.Node {
	return page.LinkTo(customerPath(row.Tenant), customer(row.Company, row.Tenant))
}

// lead is the page in a sentence.
func (m *overview) lead() page.Node {
	said := page.Group{page.Text(auditSentence(m.last))}
	said = append(said, page.Text(" Checked "), page.Weekday(m.last.Run.CreatedAt), page.Text("."))
	if m.changed != nil {
		said = append(said, page.Text(" Since "), page.Weekday(m.before.CreatedAt), page.Text(fmt.Sprintf(": %d linked, %d lost.", m.changed[answers.KindNewlyLinked], m.changed[answers.KindLinkVanished])))
	}
	lead := page.Group{page.El("p", page.Class("lead"), said)}
	if m.last.Run.State == fleet.RunRunning {
		lead = append(lead, page.Polled("/console/audits/"+m.last.Run.ID+"/progress", "The audit is going on."))
	}
	return lead
}

// counts lead to the customers in each state.
func (m *overview) counts() page.Node {
	var links []page.Node
	for _, state := range answers.RowStates() {
		if n := m.last.Totals[string(state)]; n > 0 {
			links = append(links, page.LinkTo("/console/customers?state="+string(state), auditreport.State(state, auditreport.StateTitle(string(state))), page.Text(fmt.Sprintf(" %d", n))))
		}
	}
	return page.Row(links...)
}

// todo are the first things to do, those that have cost somebody something first.
func (m *overview) todo(v *visit) page.Node {
	if len(m.tasks) == 0 {
		return page.Section("todo", "To do", page.P("Nothing needs you now."))
	}
	shown := m.tasks[:min(tasksShown, len(m.tasks))]
	items := xslices.Map(shown, func(t task) page.Node {
		if t.row == nil {
			return page.El("li", t.what)
		}
		return page.El("li", t.what, page.Untrusted(ownerOf(t.row)), page.If(v.may(mayStop()...), putOffForm(v, t.row)))
	})
	title := "To do"
	if more := len(m.tasks) - len(shown); more > 0 {
		title = fmt.Sprintf("The first %d to do, of %d", len(shown), len(m.tasks))
	}
	return page.Section("todo", title, page.El("ol", append([]page.Node{page.Class("todo")}, items...)...))
}

func ownerOf(row *answers.AuditRow) string {
	if row.Owner == "" {
		return ""
	}
	return " (" + row.Owner + ")"
}

// putOffForm lets somebody put a row off until a day.
func putOffForm(v *visit, row *answers.AuditRow) page.Node {
	return page.Folded("Put off", page.Form("/console/put-off", v.session.FormToken(), page.Hidden("tenant", row.Tenant), page.Hidden("credential", row.Credential), page.Row(
		page.Field("until", "Until", v.c.o.Now().AddDate(0, 0, 7).Format(time.DateOnly), page.Attr("pattern", `\d{4}-\d{2}-\d{2}`), page.Attr("required")),
		page.Field("note", "Why", "", page.Attr("required"), page.Attr("maxlength", "200")), page.Button("", "", "Put off", false))))
}

func (m *overview) putOff(v *visit) page.Node {
	if len(m.quiet) == 0 {
		return nil
	}
	rows := xslices.Map(m.quiet, func(q quiet) []page.Node {
		return []page.Node{rowLink(&q.row), stateNode(q.row), page.Time(q.until.Until), page.Untrusted(q.until.Note), page.Untrusted(q.until.By),
			page.Form("/console/put-off", v.session.FormToken(), page.Hidden("tenant", q.until.Tenant), page.Hidden("credential", q.until.Credential), page.Button("wake", "yes", "Show again", false))}
	})
	return page.Folded(fmt.Sprintf("Put off: %d", len(rows)), page.Listing("Put off", []string{"Customer", "Link", "Until", "Why", "By", ""}, rows...))
}

// trend shows over the stored audits how many are linked as they should be.
func (m *overview) trend() page.Node {
	if len(m.audits) < 2 {
		return nil
	}
	var values []int
	var rows [][]page.Node
	for _, run := range slices.Backward(m.audits) {
		if run.State != fleet.RunFinished {
			continue
		}
		linked := run.Totals[string(answers.RowLinkedExpected)]
		values = append(values, linked)
		rows = append(rows, []page.Node{page.Time(run.CreatedAt), page.Text(fmt.Sprint(linked)), page.Text(fmt.Sprint(run.Rows))})
	}
	if len(values) < 2 {
		return nil
	}
	said := fmt.Sprintf("Linked as expected in %d audits: from %d to %d.", len(values), values[0], values[len(values)-1])
	return page.Section("trend", "Linked as expected, over time", page.Trend(values, said), page.Folded("The figures", page.Listing("Trend", []string{"Checked", "#Linked as expected", "#Rows"}, rows...)))
}

// checkAll is the form that starts an audit of all customers.
func (c *Console) checkAll(v *visit, label string) page.Node {
	return page.Form("/console/audits", v.session.FormToken(), page.Button("", "", label, false))
}

// putOff records that somebody knows of a row until a day, or does no more.
func (c *Console) putOff(v *visit) error {
	t, err := c.o.Service.Customer(v.r.Context(), v.by, v.r.PostForm.Get("tenant"))
	if err != nil {
		return err
	}
	known := fleet.Acknowledgement{Tenant: t.Name, TenantID: t.TenantID, Credential: v.r.PostForm.Get("credential"), Note: v.r.PostForm.Get("note")}
	if known.Credential != "" && !slices.Contains(t.Credentials, known.Credential) {
		return errNotHere
	}
	if v.r.PostForm.Get("wake") == "" {
		if known.Until, err = time.Parse(time.DateOnly, v.r.PostForm.Get("until")); err != nil || !known.Until.After(c.o.Now()) || known.Note == "" {
			return problems.New(problems.CodeInvalidArgument, "Say until which day to come, as 2026-12-31, and why.")
		}
	}
	if _, err := c.o.Acknowledge(v.r.Context(), known, v.by.Caller); err != nil {
		return err
	}
	return v.back("/console/")
}
