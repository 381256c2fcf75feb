package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
)

// newApprovers builds `approvers` with its subcommands.
func newApprovers(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:   "approvers",
		Short: "Keep the people who may approve writes",
		Long: `Keep the people who may approve writes. An approver has a passphrase, which is typed
on the terminal and never taken from a flag, a variable or standard input. The first
approver needs nobody's consent; every further one needs that of an approver.`,
		Example: "  mcp-partner approvers add alice\n  mcp-partner approvers list",
		Args:    noArguments,
		RunE:    showHelp,
	}
	command.AddCommand(
		newApproversAdd(f), newApproversList(f), newApproversRemove(f),
	)
	return command
}

type approverOptions struct {
	name string
	json bool
	keys keyOptions
}

// askConsent asks some approver for name and passphrase.
func (f *Factory) askConsent(ctx context.Context, why string) (guard.Credentials, error) {
	name, err := f.IO.askLine(ctx, why+" Approver's name: ")
	if err != nil {
		return guard.Credentials{}, err
	}
	return f.IO.askCredentials(ctx, name)
}
