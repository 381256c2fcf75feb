package approvals

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdPolicy builds `policy` with its subcommand.
func NewCmdPolicy(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "policy",
		Short: "Try out what the policy says of a call",
		Long: `Try out what the policy in config.yaml says of a call, or without one the flags
--allow-writes and --approval.`,
		Example: "  mcp-partner policy test --tool update_partner --tenant contoso --partner-id 1234567 --caller stdio",
		Args:    cmdutil.NoArguments,
		RunE:    cmdutil.ShowHelp,
	}
	command.AddCommand(newCmdPolicyTest(deps))
	return command
}
