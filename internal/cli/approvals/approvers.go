package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdApprovers builds `approvers` with its subcommands.
func NewCmdApprovers(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "approvers",
		Short: "Keep the people who may approve writes",
		Long: `Keep the people who may approve writes. An approver has a passphrase, which is typed
on the terminal and never taken from a flag, a variable or standard input. The first
approver needs nobody's consent; every further one needs that of an approver.`,
		Example: "  mcp-partner approvers add alice\n  mcp-partner approvers list",
		Args:    cmdutil.NoArguments,
		RunE:    cmdutil.ShowHelp,
	}
	command.AddCommand(
		newCmdApproversAdd(deps), newCmdApproversList(deps), newCmdApproversRemove(deps),
	)
	return command
}

type approverOptions struct {
	name string
	json bool
	keys app.KeyFiles
}

// AskConsent asks some approver for name and passphrase.
func AskConsent(ctx context.Context, deps *cmdutil.Deps, why string) (guard.Credentials, error) {
	name, err := deps.IO.AskLine(ctx, why+" Approver's name: ")
	if err != nil {
		return guard.Credentials{}, err
	}
	return AskCredentials(ctx, deps.IO, name)
}
