package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

func newVersion(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "version",
		Short:   "Show version, commit, Go version and MCP protocol versions",
		Example: "  mcp-partner version\n  mcp-partner version --json",
		RunE:    func(command *cobra.Command, _ []string) error { return runVersion(command.Context(), deps, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func runVersion(ctx context.Context, deps *cmdutil.Deps, asJSON bool) error {
	build := app.BuildInfo()
	versions, err := deps.ProtocolVersions(ctx)
	if err != nil {
		return err
	}
	build.Protocols = versions
	if asJSON {
		return deps.IO.PrintJSON(build)
	}
	u := deps.IO.UI()
	u.Line(term.Bold, "mcp-partner "+build.Version)
	u.Field("commit", build.Commit+map[bool]string{true: " (modified)"}[build.Modified])
	u.Field("go", build.Go)
	for i, version := range build.Protocols {
		u.Field(map[bool]string{true: "protocols"}[i == 0], version)
	}
	return u.Err
}
