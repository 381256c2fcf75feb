package call

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
)

type findOptions struct {
	query    string
	limit    int
	json     bool
	simulate cmdutil.SimulateFlags
}

// NewCmdFind builds `find`.
func NewCmdFind(deps *cmdutil.Deps) *cobra.Command {
	options := &findOptions{}
	command := &cobra.Command{
		Use:   "find QUERY...",
		Short: "Find the tool for a request in your own words",
		Long: `Find the tool for a request in your own words, in any of eleven languages. Nothing
runs. The command needs no vault and works with an empty directory.`,
		Example: `  mcp-partner find "is our partner link in place at Contoso?"
  mcp-partner find Partner-ID bei Fabrikam hinterlegen --json`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exit.Usage(cmdutil.Help(command), "%s needs the words to look for", command.CommandPath())
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			options.query = strings.Join(args, " ")
			return runFind(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.IntVar(&options.limit, "limit", 0, "at most this many `MATCHES`, 1 to 12 (default 3)")
	flags.BoolVar(&options.json, "json", false, "print the answer as JSON and nothing else")
	options.simulate.Add(flags)
	return command
}

// runFind is a call of find_partner_tool.
func runFind(ctx context.Context, deps *cmdutil.Deps, o *findOptions) error {
	arguments := map[string]any{"query": o.query}
	if o.limit != 0 {
		arguments["limit"] = o.limit
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	envelope, err := call(ctx, deps, &cmdutil.SessionFlags{Simulate: o.simulate}, schemas.ToolFindPartnerTool, raw)
	if err != nil {
		return err
	}
	if err := render.Show(deps.IO, envelope, o.json); err != nil {
		return err
	}
	return exit.Silent(exit.CodeOf(envelope.Status))
}
