package cli

import "github.com/spf13/cobra"

// newPolicy builds `policy` with its subcommand.
func newPolicy(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:   "policy",
		Short: "Try out what the policy says of a call",
		Long: `Try out what the policy in config.yaml says of a call, or without one the flags
--allow-writes and --approval.`,
		Example: "  mcp-partner policy test --tool update_partner --tenant contoso --partner-id 1234567 --caller stdio",
		Args:    noArguments,
		RunE:    showHelp,
	}
	command.AddCommand(newPolicyTest(f))
	return command
}
