package audit

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/auditreport"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/answers"
	"mcp-partner/tools"
)

// reportOptions say how a report is written, and what makes it fail.
type reportOptions struct {
	format auditreport.Format
	output cmdutil.OutputFlags
	table  cmdutil.TableFlags
	failOn cmdutil.List
}

// formatTable is for a terminal; the other formats are those of the reports.
const formatTable auditreport.Format = "table"

func (o *reportOptions) add(flags *pflag.FlagSet) {
	cmdutil.AddChoice(flags, &o.format, "format", "`FORMAT` of the report", formatTable, auditreport.CSV, auditreport.JSONL, auditreport.Markdown, auditreport.HTML)
	o.output.Add(flags, "write to this `FILE`, which only you can read")
	o.table.Add(flags, "--format csv")
	flags.Lookup("all").Usage = "show every row of the table, also what is in order"
	flags.Var(&o.failOn, "fail-on", "exit with 1 if any link is in one of these `STATES`: "+strings.Join(failWords(), ", ")+"; a deleted link counts as not_linked")
}

func (o *reportOptions) check() error {
	for _, word := range o.failOn {
		if _, ok := failStates()[word]; !ok {
			return exit.Usage("give some of "+strings.Join(failWords(), ", "), "there is no state %s", untrusted.Shown(word))
		}
	}
	return o.output.Check()
}

// fails reports whether the totals match --fail-on. While rows are unanswered,
// any of them may be in such a state.
func (o *reportOptions) fails(totals map[string]int) bool {
	if len(o.failOn) > 0 && totals["pending"] > 0 {
		return true
	}
	for _, word := range o.failOn {
		for _, state := range failStates()[word] {
			if totals[string(state)] > 0 {
				return true
			}
		}
	}
	return false
}

// writeReport writes the report of a run where the options say.
func writeReport(ctx context.Context, deps *cmdutil.Deps, session *app.Session, id string, o *reportOptions) error {
	found, err := session.Fleet.Report(ctx, fleet.Operator, id)
	if err != nil {
		return err
	}
	rows := session.Fleet.All(ctx, id, fleet.ByAttention)
	known, err := session.Fleet.Known(ctx)
	if err != nil {
		return err
	}
	if err := deliverAudit(deps, auditreport.Report{Report: found, Known: known}, rows, o); err != nil {
		return err
	}
	noteThinned(deps, found.Run)
	if n := found.Totals["pending"]; n > 0 {
		deps.IO.Note(phrase.Count(n, "row") + " of " + id + " without an answer yet, and not in the report; continue with: " + deps.Command() + " audit resume " + id)
	}
	if o.fails(found.Totals) {
		return exit.Silent(exit.CodeFailed)
	}
	return nil
}

// sentence says what an audit found to a person at a terminal.
func sentence(found fleet.Report) string {
	return tools.AuditSentence(found, tools.AuditNext{Resume: "run mcp-partner audit resume RUN", OwnIDs: "give --own-ids"})
}

// deliverAudit writes to standard output, or to a file and says so.
func deliverAudit(deps *cmdutil.Deps, found auditreport.Report, rows auditreport.Rows, o *reportOptions) error {
	err := o.output.Write(deps.IO, func(w io.Writer) error { return auditTo(deps, w, found, rows, o) })
	if err == nil && o.output.Path != "" {
		deps.IO.Note("wrote " + o.output.Path + " (" + string(o.format) + "): " + sentence(found.Report))
	}
	return err
}

func auditTo(deps *cmdutil.Deps, w io.Writer, found auditreport.Report, rows auditreport.Rows, o *reportOptions) error {
	if o.format == formatTable {
		u := o.table.UI(deps.IO)
		if o.output.Path != "" {
			u = &term.UI{Out: w}
		}
		return report(u, found.Report, rows, o.table.All)
	}
	found.Summary, found.Program = sentence(found.Report), "mcp-partner "+app.BuildInfo().Version
	return found.Write(w, o.format, rows)
}

// report writes totals, causes and the rows that need attention.
func report(u *term.UI, found fleet.Report, rows auditreport.Rows, all bool) error {
	style := term.Good
	if found.Totals["rows"] != found.Totals[string(answers.RowLinkedExpected)]+found.Totals[string(answers.RowLinked)] {
		style = term.Warn
	}
	u.Line(style, sentence(found))
	render.WriteRun(u, found.Info())
	u.Blank()
	render.WriteTotals(u, found.Totals)
	render.WriteCauses(u, found.Causes)
	if n := found.OtherCauses(); n > 0 {
		u.Blank()
		u.Linef(term.Bad, "%s unknown for other causes; each row names its own", phrase.Count(n, "more row"))
	}
	return errors.Join(render.WriteAuditRows(u, attention(rows, all)), u.Err)
}

// attention keeps the rows that somebody should look at, or all.
func attention(rows auditreport.Rows, all bool) auditreport.Rows {
	return func(yield func(answers.AuditRow, error) bool) {
		for row, err := range rows {
			roles := row.PECClass() == "" || row.PECClass() == answers.PECLinkedAll
			inOrder := roles && !row.Stale && (row.State == answers.RowLinkedExpected || row.State == answers.RowLinked)
			if (all || !inOrder || err != nil) && !yield(row, err) {
				return
			}
		}
	}
}
