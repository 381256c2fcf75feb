package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
)

// lastRun is how the newest audit is called; IDs begin with runPrefix.
const (
	lastRun   = "latest"
	runPrefix = "run_"
)

// runNamed finds an audit by its ID, by its label, or the newest.
func (f *Factory) runNamed(ctx context.Context, room *callRoom, name string) (fleet.Run, error) {
	if strings.HasPrefix(name, runPrefix) {
		return room.fleet.Run(ctx, fleet.Operator, name)
	}
	filter := fleet.RunFilter{Kind: fleet.RunKindAudit, Label: name, Limit: 1}
	if name == lastRun {
		filter.Label = ""
	}
	runs, err := room.fleet.Runs(ctx, filter)
	switch {
	case err != nil:
		return fleet.Run{}, err
	case name == "" || len(runs) == 0:
		return fleet.Run{}, refused("mcp-partner audit list", "there is no audit %q", schemas.Foreign(name))
	}
	return runs[0], nil
}

type auditListOptions struct {
	house auditHouse
	limit int
	json  bool
}

// newAuditList builds `audit list`.
func newAuditList(f *Factory) *cobra.Command {
	options := &auditListOptions{}
	command := &cobra.Command{
		Use:   "list",
		Short: "List the audits that are kept, the newest first",
		Example: `  mcp-partner audit list
  mcp-partner audit list --limit 0 --json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runAuditList(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.IntVar(&options.limit, "limit", 20, "at most `N` audits; 0 is all")
	flags.BoolVar(&options.json, "json", false, "print {\"runs\":[...]}")
	options.house.keys.add(flags)
	options.house.fleet.concurrency = 1 // nothing is asked
	return command
}

// listedRun is a run with its totals.
type listedRun struct {
	*schemas.RunInfo
	Caller string         `json:"caller"`
	Totals map[string]int `json:"totals"`
}

func runAuditList(ctx context.Context, f *Factory, o *auditListOptions) error {
	if o.limit < 0 {
		return usage("mcp-partner audit list --help", "--limit is below zero")
	}
	room, err := f.openAudits(ctx, &o.house)
	if err != nil {
		return err
	}
	defer room.Close()
	runs, err := room.fleet.Runs(ctx, fleet.RunFilter{Kind: fleet.RunKindAudit, Limit: o.limit})
	if err != nil {
		return err
	}
	listed := []listedRun{}
	for _, run := range runs {
		found, err := room.fleet.Report(ctx, fleet.Operator, run.ID)
		if err != nil {
			return err
		}
		listed = append(listed, listedRun{found.Info(), string(run.Caller), found.Totals})
	}
	if o.json {
		return f.IO.printJSON(map[string][]listedRun{"runs": listed})
	}
	u := f.IO.ui()
	u.runs(listed)
	return u.err
}

func (u *ui) runs(runs []listedRun) {
	if len(runs) == 0 {
		u.line(plain, "No audits are kept. Begin with: mcp-partner audit")
		return
	}
	rows := make([][]string, len(runs))
	for i, r := range runs {
		missing := r.Totals[string(schemas.RowNotLinked)] + r.Totals[string(schemas.RowDeleted)]
		rows[i] = []string{r.ID, r.Label, r.State, r.CreatedAt, r.Caller, number(r.Rows), number(missing),
			number(r.Totals[string(schemas.RowLinkedOther)]), number(r.Totals[string(schemas.RowUnknown)]), number(r.Totals["pending"])}
	}
	u.table([]string{"RUN", "LABEL", "STATE", "BEGUN", "CALLER", "ROWS", "NOT LINKED", "OTHER", "UNKNOWN", "PENDING"}, rows)
}

type auditShowOptions struct {
	house  auditHouse
	report reportOptions
	run    string
}

// newAuditShow builds `audit show`.
func newAuditShow(f *Factory) *cobra.Command {
	options := &auditShowOptions{}
	command := &cobra.Command{
		Use:   "show RUN",
		Short: "Show an audit that is kept",
		Long:  "Show an audit: by its ID, by its label, or the newest as latest.",
		Example: `  mcp-partner audit show latest
  mcp-partner audit show 2026-11 --format html --output links.html`,
		Args: oneArgument("the audit"),
		RunE: func(command *cobra.Command, args []string) error {
			options.run = args[0]
			return runAuditShow(command.Context(), f, options)
		},
	}
	options.report.add(command.Flags())
	options.house.keys.add(command.Flags())
	options.house.fleet.concurrency = 1 // nothing is asked
	return command
}

func runAuditShow(ctx context.Context, f *Factory, o *auditShowOptions) error {
	if err := o.report.check(); err != nil {
		return err
	}
	room, err := f.openAudits(ctx, &o.house)
	if err != nil {
		return err
	}
	defer room.Close()
	run, err := f.runNamed(ctx, room, o.run)
	if err != nil {
		return err
	}
	return f.writeReport(ctx, room, run.ID, &o.report)
}

// newAuditLabel builds `audit label`.
func newAuditLabel(f *Factory) *cobra.Command {
	options := &auditHouse{}
	command := &cobra.Command{
		Use:   "label RUN LABEL",
		Short: "Name an audit, so that it is kept and can be found",
		Long:  "Name an audit. An empty name takes the name away, and the audit is removed when it is old enough.",
		Example: `  mcp-partner audit label latest 2026-11
  mcp-partner audit label 2026-11 ''`,
		Args: twoArguments("the audit and its name"),
		RunE: func(command *cobra.Command, args []string) error {
			return runAuditLabel(command.Context(), f, options, args[0], args[1])
		},
	}
	options.keys.add(command.Flags())
	options.fleet.concurrency = 1 // nothing is asked
	return command
}

func runAuditLabel(ctx context.Context, f *Factory, o *auditHouse, name, label string) error {
	if err := checkRunLabel(label); err != nil {
		return err
	}
	room, err := f.openAudits(ctx, o)
	if err != nil {
		return err
	}
	defer room.Close()
	run, err := f.runNamed(ctx, room, name)
	if err != nil {
		return err
	}
	return room.fleet.Label(ctx, fleet.Operator, run.ID, label)
}
