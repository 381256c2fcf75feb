// Package tenants has the commands of the directory of tenants.
package tenants

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdTenants builds `tenants` with its subcommands.
func NewCmdTenants(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "tenants",
		Short: "Manage the tenant directory",
		Long: `Manage the tenant directory: the tenants, the credential that acts in each, and the
addresses that it is sent to. Secrets are in the vault, not in the directory.`,
		Example: `  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --secret-stdin
  mcp-partner tenants list
  mcp-partner tenants import customers.csv`,
	}
	command.AddCommand(
		newCmdAdd(deps), newCmdList(deps), newCmdSet(deps),
		newCmdImport(deps), newCmdExport(deps), newCmdRemove(deps),
		newCmdConsentLinks(deps), newCmdDiscover(deps),
	)
	return command
}
