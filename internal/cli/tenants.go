package cli

import (
	"github.com/spf13/cobra"
)

// newTenants builds `tenants` with its subcommands.
func newTenants(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:   "tenants",
		Short: "Keep the directory of tenants",
		Long: `Keep the directory of tenants: which there are, which credential acts in each, and
where that credential is sent. It holds no secret; those are in the vault.`,
		Example: `  mcp-partner tenants add contoso --tenant-id GUID --client-id GUID --secret-stdin
  mcp-partner tenants list
  mcp-partner tenants import customers.csv`,
		Args: noArguments,
		RunE: showHelp,
	}
	command.AddCommand(
		newTenantsAdd(f), newTenantsList(f), newTenantsSet(f),
		newTenantsImport(f), newTenantsExport(f), newTenantsRemove(f),
		newTenantsConsentLinks(f), newTenantsDiscover(f),
	)
	return command
}
