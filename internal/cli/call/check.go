package call

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/schemas"
)

// NewCmdCheck builds `check`, the call of check_partner_link that people type
// first.
func NewCmdCheck(deps *cmdutil.Deps) *cobra.Command {
	options := &callOptions{tool: schemas.ToolCheckPartnerLink}
	command := &cobra.Command{
		Use:               "check TENANT",
		Short:             "Check which partner ID is linked in a tenant",
		Long:              "Check which partner ID is linked in a tenant. Short for\nmcp-partner call check_partner_link --tenant TENANT.",
		Example:           "  mcp-partner check contoso\n  mcp-partner check contoso --json",
		Args:              cmdutil.OneArgument("the tenant's name, domain or ID"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.TenantNames),
		RunE: func(command *cobra.Command, args []string) error {
			tenant, err := json.Marshal(args[0])
			if err != nil {
				return err
			}
			options.flags, options.arguments.given = command.Flags(), []toolArgument{{"tenant", tenant}}
			return runCall(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	deps.AddKeyFlags(flags)
	options.Guard.AddBounds(flags)
	options.Simulate.Add(flags)
	return command
}
