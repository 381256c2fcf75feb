package call

import (
	"encoding/json"
	"math"
	"strings"

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
			options.give("tenant", args[0])
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

// NewCmdFind builds `find`, the call of find_partner_tool.
func NewCmdFind(deps *cmdutil.Deps) *cobra.Command {
	options := &callOptions{tool: schemas.ToolFindPartnerTool}
	limit := 0
	command := &cobra.Command{
		Use:   "find QUERY...",
		Short: "Find the tool for a request in your own words",
		Long: `Find the tool for a request in your own words, in any of eleven languages. Nothing
runs. The command needs no vault and works with an empty directory.`,
		Example: `  mcp-partner find "is our partner link in place at Contoso?"
  mcp-partner find Partner-ID bei Fabrikam hinterlegen --json`,
		Args: cmdutil.Arguments(1, math.MaxInt, "needs the words to look for"),
		RunE: func(command *cobra.Command, args []string) error {
			options.give("query", strings.Join(args, " "))
			if limit != 0 {
				options.give("limit", limit)
			}
			return runCall(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.IntVar(&limit, "limit", 0, "at most this many `MATCHES`, 1 to 12 (default 3)")
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	options.Simulate.Add(flags)
	return command
}

// give adds an argument that the command line of a command of its own names.
func (o *callOptions) give(name string, value any) {
	text, _ := json.Marshal(value) // a text or a number: it cannot fail
	o.arguments.given = append(o.arguments.given, toolArgument{name, text})
}
