package contract

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdContract builds `contract`.
func NewCmdContract(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "contract",
		Short: "Compare the provider with its published contract",
		Long: `Compare the provider as it really answers with the contract that mcp-partner
openapi prints.`,
		Example: "  mcp-partner contract verify --tenant contoso",
		Args:    cmdutil.NoArguments,
		RunE:    cmdutil.ShowHelp,
	}
	command.AddCommand(newCmdVerify(deps))
	return command
}
