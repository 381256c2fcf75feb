package audit

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
)

// lastRun is how the newest audit is called; IDs begin with runPrefix.
const (
	lastRun   = "latest"
	runPrefix = "run_"
)

// runNamed finds an audit by its ID, by its label, or the newest.
func runNamed(ctx context.Context, deps *cmdutil.Deps, session *app.Session, name string) (fleet.Run, error) {
	if strings.HasPrefix(name, runPrefix) {
		return session.Fleet.Run(ctx, fleet.Operator, name)
	}
	filter := fleet.RunFilter{Kind: fleet.RunKindAudit, Label: name, Limit: 1}
	if name == lastRun {
		filter.Label = ""
	}
	runs, err := session.Fleet.Runs(ctx, filter)
	switch {
	case err != nil:
		return fleet.Run{}, err
	case name == "" || len(runs) == 0:
		return fleet.Run{}, exit.Refused("mcp-partner audit list", "there is no audit %q", schemas.Sanitize(name))
	}
	return runs[0], nil
}

type listOptions struct {
	house auditHouse
	limit int
	json  bool
}

// newCmdList builds `audit list`.
func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{}
	command := &cobra.Command{
		Use:   "list",
		Short: "List stored audits, newest first",
		Example: `  mcp-partner audit list
  mcp-partner audit list --limit 0 --json`,
		RunE: func(command *cobra.Command, _ []string) error { return runList(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.IntVar(&options.limit, "limit", 20, "at most `N` audits (0 for all)")
	flags.BoolVar(&options.json, "json", false, "print {\"runs\":[...]}")
	cmdutil.AddKeyFlags(&options.house.keys, flags)
	options.house.fleet.Concurrency = 1 // nothing is asked
	return command
}

// listedRun is a run with its totals.
type listedRun struct {
	*schemas.RunInfo
	Caller string         `json:"caller"`
	Totals map[string]int `json:"totals"`
}

func runList(ctx context.Context, deps *cmdutil.Deps, o *listOptions) error {
	if o.limit < 0 {
		return exit.Usage("mcp-partner audit list --help", "--limit is negative")
	}
	session, err := openAudits(ctx, deps, &o.house)
	if err != nil {
		return err
	}
	defer session.Close()
	runs, err := session.Fleet.Runs(ctx, fleet.RunFilter{Kind: fleet.RunKindAudit, Limit: o.limit})
	if err != nil {
		return err
	}
	listed := []listedRun{}
	for _, run := range runs {
		found, err := session.Fleet.Report(ctx, fleet.Operator, run.ID)
		if err != nil {
			return err
		}
		listed = append(listed, listedRun{found.Info(), string(run.Caller), found.Totals})
	}
	if o.json {
		return deps.IO.PrintJSON(map[string][]listedRun{"runs": listed})
	}
	u := deps.IO.UI()
	showRuns(u, listed)
	return u.Err
}

func showRuns(u *term.UI, runs []listedRun) {
	if len(runs) == 0 {
		u.Line(term.Plain, "There are no stored audits yet. Start one with: mcp-partner audit")
		return
	}
	rows := make([][]string, len(runs))
	for i, r := range runs {
		missing := r.Totals[string(schemas.RowNotLinked)] + r.Totals[string(schemas.RowDeleted)]
		rows[i] = []string{r.ID, r.Label, r.State, r.CreatedAt, r.Caller, number(r.Rows), number(missing),
			number(r.Totals[string(schemas.RowLinkedOther)]), number(r.Totals[string(schemas.RowLinkedOwn)]), number(r.Totals[string(schemas.RowUnknown)]), number(r.Totals["pending"])}
	}
	u.Table([]string{"RUN", "LABEL", "STATE", "BEGUN", "CALLER", "ROWS", "NOT LINKED", "OTHER", "OTHER OWN", "UNKNOWN", "PENDING"}, rows)
}

type showOptions struct {
	house  auditHouse
	report reportOptions
	run    string
}

// newCmdShow builds `audit show`.
func newCmdShow(deps *cmdutil.Deps) *cobra.Command {
	options := &showOptions{}
	command := &cobra.Command{
		Use:   "show RUN",
		Short: "Show a stored audit",
		Long:  "Show a stored audit, named by its ID, its label, or latest.",
		Example: `  mcp-partner audit show latest
  mcp-partner audit show 2026-11 --format html --output links.html`,
		Args: cmdutil.OneArgument("the audit"),
		RunE: func(command *cobra.Command, args []string) error {
			options.run = args[0]
			return runShow(command.Context(), deps, options)
		},
	}
	options.report.add(command.Flags())
	cmdutil.AddKeyFlags(&options.house.keys, command.Flags())
	options.house.fleet.Concurrency = 1 // nothing is asked
	return command
}

func runShow(ctx context.Context, deps *cmdutil.Deps, o *showOptions) error {
	if err := o.report.check(); err != nil {
		return err
	}
	session, err := openAudits(ctx, deps, &o.house)
	if err != nil {
		return err
	}
	defer session.Close()
	run, err := runNamed(ctx, deps, session, o.run)
	if err != nil {
		return err
	}
	return writeReport(ctx, deps, session, run.ID, &o.report)
}

// newCmdLabel builds `audit label`.
func newCmdLabel(deps *cmdutil.Deps) *cobra.Command {
	options := &auditHouse{}
	command := &cobra.Command{
		Use:   "label RUN LABEL",
		Short: "Name an audit, so that it is kept",
		Long:  "Name an audit. An empty name removes the label, and the audit is deleted when it is old enough.",
		Example: `  mcp-partner audit label latest 2026-11
  mcp-partner audit label 2026-11 ''`,
		Args: twoArguments("the audit and its name"),
		RunE: func(command *cobra.Command, args []string) error {
			return runLabel(command.Context(), deps, options, args[0], args[1])
		},
	}
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	options.fleet.Concurrency = 1 // nothing is asked
	return command
}

func runLabel(ctx context.Context, deps *cmdutil.Deps, o *auditHouse, name, label string) error {
	if err := checkRunLabel(label); err != nil {
		return err
	}
	session, err := openAudits(ctx, deps, o)
	if err != nil {
		return err
	}
	defer session.Close()
	run, err := runNamed(ctx, deps, session, name)
	if err != nil {
		return err
	}
	return session.Fleet.Label(ctx, fleet.Operator, run.ID, label)
}
