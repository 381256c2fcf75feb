package call

import (
	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/schemas"
)

// NewCmdOpenAPI builds `openapi`.
func NewCmdOpenAPI(deps *cmdutil.Deps) *cobra.Command {
	var output cmdutil.OutputFlags
	command := &cobra.Command{
		Use:   "openapi",
		Short: "Print the provider's wire contract as OpenAPI 3.1",
		Long: `Print the wire contract of Microsoft.ManagementPartner's six operations, and of the
four calls that read roles, as OpenAPI 3.1: the meaning of each answer, both error
formats, tenant and identity, throttling. MCP clients read it at partner://openapi,
HTTP clients at /openapi.json. No state directory is needed.`,
		Example: "  mcp-partner openapi\n  mcp-partner openapi --output managementpartner.json",
		RunE: func(*cobra.Command, []string) error {
			return output.Write(deps.IO, cmdutil.Whole(schemas.OpenAPI()))
		},
	}
	output.Add(command.Flags(), "write to this `FILE` instead of standard output")
	return command
}
