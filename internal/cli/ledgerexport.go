package cli

import (
	"bytes"
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/ledger"
)

type ledgerExportOptions struct {
	format, output string
	force          bool
	filter         filterOptions
	keys           keyOptions
}

// newLedgerExport builds `ledger export`.
func newLedgerExport(f *Factory) *cobra.Command {
	options := &ledgerExportOptions{}
	command := &cobra.Command{
		Use:   "export",
		Short: "Export entries for an auditor (jsonl) or a spreadsheet (csv)",
		Long: `Export entries. jsonl is for an auditor, who can verify it with a head and the public
key alone; entries that a filter leaves out are in it as digests. csv is for
spreadsheets and cannot be verified. Both hold personal data: names of callers and
approvers, accounts, and reasons that people typed.`,
		Example: `  mcp-partner ledger export --format jsonl -o ledger.jsonl
  mcp-partner ledger export --format csv --tenant contoso --since 2026-01-01`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runLedgerExport(command.Context(), f, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.format, "format", string(ledger.FormatJSONL), "`jsonl or csv`")
	flags.StringVarP(&options.output, "output", "o", "", "write to this `FILE`, readable for you alone")
	flags.BoolVar(&options.force, "force", false, "replace a file that is there")
	options.filter.add(flags)
	options.keys.add(flags)
	return command
}

func runLedgerExport(ctx context.Context, f *Factory, o *ledgerExportOptions) error {
	format := ledger.Format(o.format)
	if format != ledger.FormatJSONL && format != ledger.FormatCSV {
		return usage("give jsonl or csv", "--format is neither jsonl nor csv")
	}
	filter, err := o.filter.filter()
	if err != nil {
		return err
	}
	h, err := f.openLedger(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	if o.output == "" {
		return h.ledger.Export(ctx, f.IO.Out, format, filter)
	}
	var text bytes.Buffer
	if err := h.ledger.Export(ctx, &text, format, filter); err != nil {
		return err
	}
	return writeOutput(o.output, text.Bytes(), o.force)
}
