package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
)

type auditResumeOptions struct {
	house  auditHouse
	report reportOptions
	run    string
}

// newAuditResume builds `audit resume`.
func newAuditResume(f *Factory) *cobra.Command {
	options := &auditResumeOptions{}
	command := &cobra.Command{
		Use:   "resume RUN",
		Short: "Go on with an audit that was interrupted",
		Long: `Go on with an audit that was interrupted, also by a crash: only what has no answer yet
is asked. After a crash the process counts as gone after ten seconds.`,
		Example: `  mcp-partner audit resume latest
  mcp-partner audit resume 2026-11 --format csv --output links.csv`,
		Args: oneArgument("the audit"),
		RunE: func(command *cobra.Command, args []string) error {
			options.run = args[0]
			if err := options.house.simulate.check(command.Flags()); err != nil {
				return err
			}
			return runAuditResume(command.Context(), f, options)
		},
	}
	options.report.add(command.Flags())
	options.house.add(command.Flags())
	return command
}

func runAuditResume(ctx context.Context, f *Factory, o *auditResumeOptions) error {
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
	op, _ := schemas.Lookup(schemas.ToolAuditPartnerLinks)
	f.unlock(ctx, room.house, op)
	if run, err = waitForLease(ctx, room, run); err != nil {
		return err
	}
	// Whoever sits here goes on with anybody's run, in that caller's name.
	active, err := room.service.ResumeAudit(ctx, trusted(run.Caller), run.ID)
	if err != nil {
		return err
	}
	if active == nil {
		return f.writeReport(ctx, room, run.ID, &o.report)
	}
	return f.finishAudit(ctx, room, active, &o.report)
}

// waitForLease waits until a process that may have crashed either shows that it
// lives, or counts as gone.
func waitForLease(ctx context.Context, room *callRoom, run fleet.Run) (fleet.Run, error) {
	for lease := run.LeaseUntil; run.State == fleet.RunRunning && run.LeaseUntil.Equal(lease); {
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return run, ctx.Err()
		}
		var err error
		if run, err = room.fleet.Run(ctx, fleet.Operator, run.ID); err != nil {
			return run, err
		}
	}
	return run, nil
}
