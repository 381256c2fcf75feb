package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

// needReason refuses a command without --reason before anything is opened.
func needReason(reason *string) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, _ []string) error {
		if *reason == "" {
			return exit.Usage(cmdutil.Help(command), "--reason is missing: agents receive it")
		}
		return nil
	}
}

// NewCmdFreeze builds `freeze`.
func NewCmdFreeze(deps *cmdutil.Deps) *cobra.Command {
	var reads bool
	var reason string
	command := &cobra.Command{
		Use:   "freeze",
		Short: "Stop all writes on this state directory at once",
		Long: `Stop all writes of every server on this state directory. With --reads, stop all reads
of Azure too. The freeze takes effect at the next call; writes that have begun are
completed. Agents receive the reason. Freezing needs no passphrase; unfreezing needs
an approver's.`,
		Example: `  mcp-partner freeze --reason 'the agent of Team Nord runs wild'
  mcp-partner freeze --reads --reason 'credential leaked'`,
		PreRunE: needReason(&reason),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			return freeze(ctx, deps, session.Guard, reads, reason)
		}),
	}
	command.Flags().BoolVar(&reads, "reads", false, "stop reads too")
	command.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for agents and the record")
	deps.AddKeyFlags(command.Flags())
	return command
}

func freeze(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, reads bool, reason string) error {
	if err := decider.SetFreeze(ctx, reads, reason); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	now, err := decider.Frozen(ctx)
	if err != nil {
		return err
	}
	u := deps.IO.UI()
	u.Linef(term.Warn, "Frozen for every server on %s: %s.", deps.StateDir, now.Scope())
	u.Field("next", deps.Command()+" unfreeze --approver NAME")
	if approvers, err := decider.Approvers(ctx); err == nil && len(approvers) == 0 {
		u.Field("", "There are no approvers yet. First: "+deps.Command()+" approvers add NAME")
	}
	return u.Err
}

// NewCmdUnfreeze builds `unfreeze`.
func NewCmdUnfreeze(deps *cmdutil.Deps) *cobra.Command {
	var approver string
	command := &cobra.Command{
		Use:     "unfreeze",
		Short:   "End a freeze, with an approver's passphrase",
		Example: "  mcp-partner unfreeze --approver alice",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			by, err := Consent(ctx, deps, session.Guard, approver, "")
			if err != nil {
				return err
			}
			defer clear(by.Passphrase)
			if err := session.Guard.Unfreeze(ctx, by); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "The freeze has ended. The policy applies again.")
		}),
	}
	command.Flags().StringVar(&approver, "approver", "", "`NAME` of the approver (default: asked for)")
	deps.AddKeyFlags(command.Flags())
	return command
}
