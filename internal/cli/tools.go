package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/schemas"
)

// newTools builds `tools`.
func newTools(f *Factory, run func(context.Context, *Factory, bool) error) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "tools",
		Short: "List the tools",
		Long: `List the tools. With --json it prints the result of tools/list, byte for byte as
an MCP client gets it. It needs no state directory and no vault.`,
		Example: "  mcp-partner tools\n  mcp-partner tools --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return run(command.Context(), f, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the tools/list result")
	return command
}

func runTools(ctx context.Context, f *Factory, asJSON bool) error {
	if !asJSON {
		u := f.ui()
		u.toolTable(schemas.Catalogue())
		return u.err
	}
	result, err := f.exchange(ctx, "tools/list", modern())
	if err != nil {
		return err
	}
	return f.printRawJSON(result)
}
