package tenants

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/tenantimport"
	"mcp-partner/schemas"
)

type exportOptions struct {
	format string
	output cmdutil.OutputFlags
}

func newCmdExport(deps *cmdutil.Deps) *cobra.Command {
	options := &exportOptions{}
	command := &cobra.Command{
		Use:   "export",
		Short: "Export the directory, without secrets",
		Long: `Export the directory as CSV, for tenants import, or as JSON. It contains no secret.
Only you can read the file; it replaces another one only with --force. Cells that a
spreadsheet would run as a formula begin with a quote.

The CSV contains no CA file: give --ca-file again at an import.`,
		Example: `  mcp-partner tenants export -o tenants.csv
  mcp-partner tenants export --format json`,
		RunE: deps.OnApp(func(_ context.Context, a *app.App, _ []string) error {
			return runExport(deps, a, options)
		}),
	}
	flags := command.Flags()
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the list", "csv", "json")
	options.output.Add(flags, "write to this `FILE` instead of standard output")
	return command
}

func runExport(deps *cmdutil.Deps, a *app.App, o *exportOptions) error {
	export := exportCSV
	if o.format == "json" {
		export = exportJSON
	}
	text, err := export(a)
	if err != nil {
		return err
	}
	return o.output.WriteText(deps.IO, text)
}

func exportJSON(a *app.App) ([]byte, error) {
	listed := []schemas.Tenant{}
	for tenant, err := range described(a) {
		if err != nil {
			return nil, err
		}
		listed = append(listed, tenant)
	}
	text, err := json.MarshalIndent(map[string][]schemas.Tenant{"tenants": listed}, "", "  ")
	return append(text, '\n'), err
}

func exportCSV(a *app.App) ([]byte, error) {
	entries, err := a.Directory.List()
	if err != nil {
		return nil, err
	}
	rows := make([]tenantimport.Row, len(entries))
	for i, entry := range entries {
		// It would come back as several labels.
		if slices.ContainsFunc(entry.Labels, func(label string) bool { return strings.ContainsAny(label, tenantimport.ListSeparators) }) {
			return nil, exit.Refused("export with --format json", "a label of %s contains ; or |, which separate labels in CSV", entry.Name)
		}
		config, err := a.Directory.Credential(entry.Credentials[0].Name)
		if err != nil {
			return nil, err
		}
		rows[i] = tenantimport.RowOf(entry, config)
	}
	return tenantimport.EncodeColumns(tenantimport.Columns(), rows)
}
