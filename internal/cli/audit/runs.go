package audit

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// lastRun is how the newest audit is called; IDs begin with runPrefix.
const (
	lastRun   = "latest"
	runPrefix = "run_"
)

// runNamed finds an audit by its ID, by its label, or the newest.
func runNamed(ctx context.Context, session *app.Session, name string) (fleet.Run, error) {
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
		return fleet.Run{}, exit.Refused("mcp-partner audit list", "there is no audit %q", untrusted.Sanitize(name))
	}
	return runs[0], nil
}

// onRuns opens a session, finds the audits with these names, and works on them.
func onRuns(ctx context.Context, deps *cmdutil.Deps, o *cmdutil.SessionFlags, names []string, work func(*app.Session, []fleet.Run) error) error {
	session, err := openAudits(ctx, deps, o)
	if err != nil {
		return err
	}
	defer session.Close()
	runs := make([]fleet.Run, len(names))
	for i, name := range names {
		if runs[i], err = runNamed(ctx, session, name); err != nil {
			return err
		}
	}
	return work(session, runs)
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	var limit int
	var list cmdutil.ListFlags
	command := &cobra.Command{
		Use:   "list",
		Short: "List stored audits, newest first",
		RunE:  func(command *cobra.Command, _ []string) error { return runList(command.Context(), deps, limit, &list) },
	}
	flags := command.Flags()
	flags.IntVar(&limit, "limit", 20, "at most `N` audits (0 for all)")
	flags.BoolVar(&list.JSON, "json", false, "print {\"runs\":[...]}")
	return command
}

// listedRun is a run with its totals.
type listedRun struct {
	*answers.RunInfo
	Caller string         `json:"caller"`
	Totals map[string]int `json:"totals"`
}

func runList(ctx context.Context, deps *cmdutil.Deps, limit int, list *cmdutil.ListFlags) error {
	if limit < 0 {
		return exit.Usage("mcp-partner audit list --help", "--limit is negative")
	}
	session, err := openAudits(ctx, deps, &cmdutil.SessionFlags{})
	if err != nil {
		return err
	}
	defer session.Close()
	runs, err := session.Fleet.Runs(ctx, fleet.RunFilter{Kind: fleet.RunKindAudit, Limit: limit})
	if err != nil {
		return err
	}
	listed := make([]listedRun, len(runs))
	for i, run := range runs {
		totals, err := session.Fleet.Totals(ctx, run)
		if err != nil {
			return err
		}
		listed[i] = listedRun{fleet.Report{Run: run, Totals: totals}.Info(), string(run.Caller), totals}
	}
	return cmdutil.Listing[listedRun]{
		Name: "runs", Rows: listed, Empty: "There are no stored audits yet. Start one with: mcp-partner audit",
		Header: []string{"RUN", "LABEL", "STATE", "BEGUN", "CALLER", "ROWS", "NOT LINKED", "OTHER", "OTHER OWN", "UNKNOWN", "PENDING"},
		Cells: func(r listedRun) []string {
			in := func(state answers.RowState) string { return number(r.Totals[string(state)]) }
			missing := r.Totals[string(answers.RowNotLinked)] + r.Totals[string(answers.RowDeleted)]
			return []string{r.ID, r.Label, r.State, r.CreatedAt, r.Caller, number(r.Rows), number(missing),
				in(answers.RowLinkedOther), in(answers.RowLinkedOwn), in(answers.RowUnknown), in("pending")}
		},
	}.Show(deps.IO, list)
}

func newCmdShow(deps *cmdutil.Deps) *cobra.Command {
	var report reportOptions
	command := &cobra.Command{
		Use:   "show RUN",
		Short: "Show a stored audit",
		Args:  cmdutil.OneArgument("the audit"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := report.check(); err != nil {
				return err
			}
			return onRuns(command.Context(), deps, &cmdutil.SessionFlags{}, args, func(session *app.Session, runs []fleet.Run) error {
				return writeReport(command.Context(), deps, session, runs[0].ID, &report)
			})
		},
	}
	report.add(command.Flags())
	return command
}

func newCmdLabel(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "label RUN LABEL",
		Short: "Name an audit, so that it is kept",
		Args:  cmdutil.Arguments(2, 2, "needs two arguments, the audit and its name"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := checkRunLabel(args[1]); err != nil {
				return err
			}
			return onRuns(command.Context(), deps, &cmdutil.SessionFlags{}, args[:1], func(session *app.Session, runs []fleet.Run) error {
				return session.Fleet.Label(command.Context(), fleet.Operator, runs[0].ID, args[1])
			})
		},
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func newCmdResume(deps *cmdutil.Deps) *cobra.Command {
	options := &auditOptions{}
	command := &cobra.Command{
		Use:   "resume RUN",
		Short: "Continue an interrupted audit",
		Args:  cmdutil.OneArgument("the audit"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := options.report.check(); err != nil {
				return err
			}
			return onRuns(command.Context(), deps, &options.SessionFlags, args, func(session *app.Session, runs []fleet.Run) error {
				return runResume(command.Context(), deps, session, runs[0], &options.report)
			})
		},
	}
	options.report.add(command.Flags())
	options.Simulate.Add(command.Flags())
	options.Fleet.Add(command.Flags())
	return command
}

func runResume(ctx context.Context, deps *cmdutil.Deps, session *app.Session, run fleet.Run, o *reportOptions) error {
	deps.Unlock(ctx, session.App, schemas.ToolAuditPartnerLinks)
	run, err := waitForLease(ctx, session, run)
	if err != nil {
		return err
	}
	// The operator may resume the run of any caller, in that caller's name.
	active, err := session.Service.ResumeAudit(ctx, app.Trusted(run.Caller), run.ID)
	if err != nil {
		return err
	}
	if active == nil {
		return writeReport(ctx, deps, session, run.ID, o)
	}
	if run.Caller == app.NotifyCaller || run.Caller.Scheduled() {
		return finishAlerted(ctx, deps, session, active, o)
	}
	return finishAudit(ctx, deps, session, active, o)
}

// waitForLease waits until a process that may have crashed either shows that it
// lives, or counts as gone.
func waitForLease(ctx context.Context, session *app.Session, run fleet.Run) (fleet.Run, error) {
	for lease := run.LeaseUntil; run.State == fleet.RunRunning && run.LeaseUntil.Equal(lease); {
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return run, ctx.Err()
		}
		var err error
		if run, err = session.Fleet.Run(ctx, fleet.Operator, run.ID); err != nil {
			return run, err
		}
	}
	return run, nil
}
