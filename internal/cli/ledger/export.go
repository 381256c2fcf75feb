package ledger

import (
	"bytes"
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
)

type exportOptions struct {
	format, output string
	force          bool
	filter         filterOptions
}

// newCmdExport builds `ledger export`.
func newCmdExport(deps *cmdutil.Deps) *cobra.Command {
	options := &exportOptions{}
	command := &cobra.Command{
		Use:   "export",
		Short: "Export entries for an auditor (jsonl) or a spreadsheet (csv)",
		Long: `Export entries. jsonl is for an auditor, who can verify it with only a head and the
public key; it holds digests of the entries that a filter leaves out. csv is for
spreadsheets and cannot be verified. Both contain personal data: names of callers and
approvers, accounts, and reasons that people typed.`,
		Example: `  mcp-partner ledger export --format jsonl -o ledger.jsonl
  mcp-partner ledger export --format csv --tenant contoso --since 2026-01-01`,
		RunE: func(command *cobra.Command, _ []string) error { return runExport(command.Context(), deps, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.format, "format", string(ledger.FormatJSONL), "`FORMAT` of the entries")
	config.Choices(flags, "format", "jsonl", "csv")
	flags.StringVarP(&options.output, "output", "o", "", "write to this `FILE`, which only you can read")
	flags.BoolVar(&options.force, "force", false, "replace an existing file")
	options.filter.add(flags)
	deps.AddKeyFlags(flags)
	return command
}

func runExport(ctx context.Context, deps *cmdutil.Deps, o *exportOptions) error {
	format := ledger.Format(o.format)
	if format != ledger.FormatJSONL && format != ledger.FormatCSV {
		return exit.Usage("give jsonl or csv", "--format is neither jsonl nor csv")
	}
	filter, err := o.filter.filter()
	if err != nil {
		return err
	}
	a, err := openLedger(ctx, deps)
	if err != nil {
		return err
	}
	defer a.Close()
	if o.output == "" {
		return a.Ledger.Export(ctx, deps.IO.Out, format, filter)
	}
	var text bytes.Buffer
	if err := a.Ledger.Export(ctx, &text, format, filter); err != nil {
		return err
	}
	return cmdutil.WriteOutput(o.output, text.Bytes(), o.force)
}
