package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

type freezeOptions struct {
	reads            bool
	reason, approver string
	keys             app.KeyFiles
}

// NewCmdFreeze builds `freeze`.
func NewCmdFreeze(deps *cmdutil.Deps) *cobra.Command {
	options := &freezeOptions{}
	command := &cobra.Command{
		Use:   "freeze",
		Short: "Stop all writes of every server on this state directory, at once",
		Long: `Stop all writes of every server on this state directory, and with --reads all reads
of Azure too. It is seen at the next call; what has begun is completed. Agents are
told the reason. It takes no passphrase; to unfreeze takes an approver's.`,
		Example: `  mcp-partner freeze --reason 'the agent of Team Nord runs wild'
  mcp-partner freeze --reads --reason 'credential leaked'`,
		Args: cmdutil.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runFreeze(command.Context(), deps, options) },
	}
	command.Flags().BoolVar(&options.reads, "reads", false, "stop reads too")
	command.Flags().StringVar(&options.reason, "reason", "", "why, for agents and the record")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runFreeze(ctx context.Context, deps *cmdutil.Deps, o *freezeOptions) error {
	if o.reason == "" {
		return exit.Usage("mcp-partner freeze --help", "--reason is missing: agents are told it")
	}
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Guard.SetFreeze(ctx, o.reads, o.reason); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	now, err := session.Guard.Frozen(ctx)
	if err != nil {
		return err
	}
	u := deps.IO.UI()
	u.Linef(term.Warn, "Frozen for every server on %s: %s.", deps.StateDir, now.Scope())
	u.Field("next", deps.Command()+" unfreeze --approver NAME")
	if approvers, err := session.Guard.Approvers(ctx); err == nil && len(approvers) == 0 {
		u.Field("", "There is no approver yet. First: "+deps.Command()+" approvers add NAME")
	}
	return u.Err
}
