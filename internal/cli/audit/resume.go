package audit

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/schemas"
)

// newCmdResume builds `audit resume`.
func newCmdResume(deps *cmdutil.Deps) *cobra.Command {
	options := &auditOptions{}
	command := &cobra.Command{
		Use:   "resume RUN",
		Short: "Continue an interrupted audit",
		Long: `Continue an interrupted audit with the tenants that have no result yet. After a crash,
the audit can be resumed ten seconds later.`,
		Example: `  mcp-partner audit resume latest
  mcp-partner audit resume 2026-11 --format csv --output links.csv`,
		Args: cmdutil.OneArgument("the audit"),
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
	options.addSession(deps, command.Flags())
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
