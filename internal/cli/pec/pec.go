// Package pec holds the commands about partner earned credit.
package pec

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
)

// NewCmdPEC builds `pec`.
func NewCmdPEC(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "pec",
		Short: "Check roles for partner earned credit, and reconcile usage",
		Long: `Check in which subscriptions an identity has an Azure role that is eligible for
partner earned credit, and join billed usage with links and roles. Nothing is written
to Azure. Microsoft decides whether a subscription is credited.`,
		Example: `  mcp-partner pec roles contoso
  mcp-partner pec reconcile dailyratedusage.csv`,
	}
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(newCmdRoles(deps), newCmdReconcile(deps))
	return command
}
