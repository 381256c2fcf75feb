package approvals

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdPolicy builds `policy` with its subcommand.
func NewCmdPolicy(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "policy",
		Short: "Test what the policy decides about a call",
		Long: `Test what the policy in config.yaml decides about a call. Without a policy, the flags
--allow-writes and --approval decide.`,
		Example: "  mcp-partner policy test --tool update_partner --tenant contoso --partner-id 1234567 --caller stdio",
	}
	command.AddCommand(newCmdPolicyTest(deps))
	return command
}
