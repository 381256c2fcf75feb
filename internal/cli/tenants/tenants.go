package tenants

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdTenants builds `tenants` with its subcommands.
func NewCmdTenants(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "tenants",
		Short: "Keep the directory of tenants",
		Long: `Keep the directory of tenants: which there are, which credential acts in each, and
where that credential is sent. It holds no secret; those are in the vault.`,
		Example: `  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --secret-stdin
  mcp-partner tenants list
  mcp-partner tenants import customers.csv`,
		Args: cmdutil.NoArguments,
		RunE: cmdutil.ShowHelp,
	}
	command.AddCommand(
		newCmdAdd(deps), newCmdList(deps), newCmdSet(deps),
		newCmdImport(deps), newCmdExport(deps), newCmdRemove(deps),
		newCmdConsentLinks(deps), newCmdDiscover(deps),
	)
	return command
}
