package cli

import "github.com/spf13/cobra"

// newContract builds `contract`.
func newContract(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:   "contract",
		Short: "Compare the provider with its published contract",
		Long: `Compare the provider as it really answers with the contract that mcp-partner
openapi prints.`,
		Example: "  mcp-partner contract verify --tenant contoso",
		Args:    noArguments,
		RunE:    showHelp,
	}
	command.AddCommand(newContractVerify(f))
	return command
}
