package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// newVersion builds `version`.
func newVersion(f *Factory) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "version",
		Short:   "Show version, commit, Go and the protocol versions that are served",
		Example: "  mcp-partner version\n  mcp-partner version --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runVersion(command.Context(), f, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func runVersion(ctx context.Context, f *Factory, asJSON bool) error {
	build := buildOf()
	versions, err := f.protocolVersions(ctx)
	if err != nil {
		return err
	}
	build.Protocols = versions
	if asJSON {
		return f.IO.printJSON(build)
	}
	u := f.IO.ui()
	u.line(bold, "mcp-partner "+build.Version)
	u.field("commit", build.Commit+map[bool]string{true: " (modified)"}[build.Modified])
	u.field("go", build.Go)
	for i, version := range build.Protocols {
		u.field(map[bool]string{true: "protocols"}[i == 0], version)
	}
	return u.err
}
