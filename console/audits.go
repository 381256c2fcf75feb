package console

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// auditsListed bounds the list of audits.
const auditsListed = 100

func auditPath(id string) string { return "/console/audits/" + id }

func (c *Console) showAudits(v *visit) error {
	runs, err := c.o.Service.Audits(v.r.Context(), v.by, auditsListed)
	if err != nil {
		return err
	}
	start := page.Form("/console/audits", v.session.FormToken(), page.Row(
		page.Field("labels", "Only customers with these labels, separated by commas", ""),
		page.Check("roles", "yes", false, page.Text("also read roles for earned credit")), page.Button("", "", "Start an audit", true)))
	if len(runs) == 0 {
		return v.show("Audits", start, page.P("There are no audits yet."))
	}
	choices := []string{}
	for _, run := range runs {
		choices = append(choices, run.ID, run.CreatedAt.UTC().Format("2006-01-02 15:04 UTC")+" "+run.Label)
	}
	rows := xslices.Map(runs, func(run fleet.Run) []page.Node {
		return []page.Node{page.LinkTo(auditPath(run.ID), page.Time(run.CreatedAt)), page.Untrusted(run.Label), page.Text(string(run.State)), page.Text(fmt.Sprint(run.Rows)), by(string(run.Caller))}
	})
	return v.show("Audits", start, page.Listing("Audits", []string{"Begun", "Label", "State", "#Rows", "By"}, rows...),
		page.Section("compare", "Compare two", page.Search("/console/audits/compare",
			page.Choice("before", "Earlier", choices[len(choices)-2], choices...), page.Choice("after", "Later", choices[0], choices...))))
}

// startAudit starts an audit as the person, which goes on without the browser.
func (c *Console) startAudit(v *visit) error {
	audit := fleet.Audit{Roles: v.r.PostForm.Get("roles") != ""}
	for label := range strings.SplitSeq(v.r.PostForm.Get("labels"), ",") {
		if label = strings.TrimSpace(label); label != "" {
			audit.Labels = append(audit.Labels, label)
		}
	}
	active, err := c.o.Service.StartAudit(v.r.Context(), v.by, "", audit)
	if err != nil {
		return err
	}
	return v.back(auditPath(active.ID()))
}

// resumeAudit resumes an interrupted audit of the person.
func (c *Console) resumeAudit(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := c.o.Service.ResumeAudit(v.r.Context(), v.by, id); err != nil {
		return err
	}
	return v.back(auditPath(id))
}

func (c *Console) showAudit(v *visit) error {
	id := v.r.PathValue("id")
	report, err := c.o.Service.Audit(v.r.Context(), v.by, id)
	if err != nil {
		return err
	}
	rows, next, err := c.o.Fleet.Page(v.r.Context(), id, v.r.URL.Query().Get("cursor"), fleet.PageMost)
	if err != nil {
		return err
	}
	written, err := c.reportOf(v, report)
	if err != nil {
		return err
	}
	body := []page.Node{
		page.El("p", page.Class("lead"), page.Text(written.Summary)),
		page.Line(page.Text("Begun "), page.Time(report.Run.CreatedAt), page.Text(" by "), by(string(report.Run.Caller)), page.Text(".")),
		written.Within(rows, func(row answers.AuditRow) page.Node {
			return page.LinkTo(customerPath(row.Tenant), page.Untrusted(row.Tenant))
		}),
		page.If(next != "", page.Link(auditPath(id)+"?cursor="+url.QueryEscape(next), "Later")),
	}
	switch mine := report.Run.Caller == v.by.Caller; {
	case report.Run.State == fleet.RunRunning:
		body = append(body, page.Polled(auditPath(id)+"/progress", progressOf(report)))
	case report.Run.State != fleet.RunFinished && mine:
		body = append(body, page.Form(auditPath(id), v.session.FormToken(), page.Button("", "", "Resume", true)))
	}
	var files []page.Node
	for _, format := range []auditreport.Format{auditreport.CSV, auditreport.JSONL, auditreport.HTML, auditreport.Markdown} {
		files = append(files, page.Download(auditPath(id)+"/download?format="+string(format), string(format)))
	}
	return v.show("Audit", append(body, page.Section("files", "Download", page.Row(files...)))...)
}

func auditSentence(report fleet.Report) string {
	return tools.AuditSentence(report, tools.AuditNext{Resume: "open it on the page of audits", OwnIDs: "ask the operator of this server to"})
}

// reportOf is an audit as people read it, in a page and in a file.
func (c *Console) reportOf(v *visit, report fleet.Report) (auditreport.Report, error) {
	known, err := c.o.Fleet.Known(v.r.Context())
	return auditreport.Report{Report: report, Known: known, Summary: auditSentence(report), Program: "mcp-partner"}, err
}

// progress answers a script: how far an audit is, and whether it has ended.
func (c *Console) progress(v *visit) error {
	report, err := c.o.Service.Audit(v.r.Context(), v.by, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.polled(progressOf(report), report.Run.State != fleet.RunRunning)
}

func progressOf(report fleet.Report) string {
	return fmt.Sprintf("Under way: %d of %s.", report.Totals["answered"], phrase.Count(report.Run.Rows, "row"))
}

// polled answers the script of a line that is polled.
func (v *visit) polled(text string, done bool) error {
	return v.answerJSON(http.StatusOK, map[string]any{"text": text, "done": done})
}

// download writes an audit as a file. Its HTML has its style with it, and is opened by
// no page of this server.
func (c *Console) download(v *visit) error {
	ctx, id, format := v.r.Context(), v.r.PathValue("id"), auditreport.Format(v.r.URL.Query().Get("format"))
	report, err := c.o.Service.Audit(ctx, v.by, id)
	if err != nil {
		return err
	}
	written, err := c.reportOf(v, report)
	if err != nil {
		return err
	}
	kinds := map[auditreport.Format][2]string{
		auditreport.CSV: {"text/csv; charset=utf-8", ".csv"}, auditreport.JSONL: {"application/jsonl", ".jsonl"},
		auditreport.HTML: {"text/html; charset=utf-8", ".html"}, auditreport.Markdown: {"text/markdown; charset=utf-8", ".md"},
	}
	kind, ok := kinds[format]
	if !ok {
		return errNotHere
	}
	return v.file(kind[0], "audit-"+report.Run.CreatedAt.UTC().Format("2006-01-02")+kind[1], func(w io.Writer) error {
		return written.Write(w, format, c.o.Fleet.All(ctx, id, fleet.ByAttention))
	})
}

// file answers with a file to keep. What fails after it began cuts the connection, so
// that nobody takes a part for the whole.
func (v *visit) file(kind, name string, write func(io.Writer) error) error {
	header := v.w.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	if err := write(v.w); err != nil {
		v.c.o.Logger.WarnContext(v.r.Context(), "a download broke off", "reason", err.Error())
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (c *Console) compareAudits(v *visit) error {
	ctx, asked := v.r.Context(), v.r.URL.Query()
	before, err := c.o.Service.Audit(ctx, v.by, asked.Get("before"))
	if err != nil {
		return err
	}
	after, err := c.o.Service.Audit(ctx, v.by, asked.Get("after"))
	if err != nil {
		return err
	}
	comparison, err := c.o.Fleet.Diff(ctx, before.Run, after.Run)
	if err != nil {
		return err
	}
	changes, counts, next, err := comparison.Page(ctx, asked.Get("cursor"), fleet.PageMost)
	if err != nil {
		return err
	}
	var said []page.Node
	for _, kind := range answers.ChangeKinds() {
		if counts[kind] > 0 {
			said = append(said, page.Text(fmt.Sprintf("%d %s", counts[kind], changeWords(kind))))
		}
	}
	rows := xslices.Map(changes, changeCells)
	body := []page.Node{page.Line(page.Text("From "), page.Time(before.Run.CreatedAt), page.Text(" to "), page.Time(after.Run.CreatedAt), page.Text("."))}
	if len(said) == 0 {
		return v.show("Two audits compared", append(body, page.P("Nothing differs."))...)
	}
	body = append(body, page.List(said...), page.Listing("Changes", []string{"Customer", "Change", "Before", "After", "By this program"}, rows...))
	if next != "" {
		more := url.Values{"before": {before.Run.ID}, "after": {after.Run.ID}, "cursor": {next}}
		body = append(body, page.Link("/console/audits/compare?"+more.Encode(), "Later"))
	}
	return v.show("Two audits compared", body...)
}

func changeWords(kind answers.ChangeKind) string { return strings.ReplaceAll(string(kind), "_", " ") }

func changeCells(change fleet.Change) []page.Node {
	side := func(row *answers.AuditRow) page.Node {
		if row == nil {
			return page.Text("-")
		}
		return stateNode(*row)
	}
	return []page.Node{
		rowLink(change.Row()), page.Group{page.Text(changeWords(change.Kind) + " "), page.Untrusted(strings.Join(change.Roles, ", "))},
		side(change.Before), side(change.After), page.If(change.Own, page.Text("yes")),
	}
}

// auditRoutes are those of audits.
func (c *Console) auditRoutes() []route {
	reads := []access.Scope{access.ScopeRead}
	return []route{
		{"GET", "/console/audits", reads, c.showAudits},
		{"POST", "/console/audits", reads, c.startAudit},
		{"GET", "/console/audits/compare", reads, c.compareAudits},
		{"GET", "/console/audits/{id}", reads, c.showAudit},
		{"POST", "/console/audits/{id}", reads, c.resumeAudit},
		{"GET", "/console/audits/{id}/progress", reads, c.progress},
		{"GET", "/console/audits/{id}/download", reads, c.download},
	}
}
