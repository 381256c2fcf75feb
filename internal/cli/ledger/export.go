package ledger

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/ledger"
)

type exportOptions struct {
	format ledger.Format
	output cmdutil.OutputFlags
	filter filterOptions
}

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
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the entries", ledger.FormatJSONL, ledger.FormatCSV)
	options.output.Add(flags, "write to this `FILE`, which only you can read")
	options.filter.add(flags)
	deps.AddKeyFlags(flags)
	return command
}

func runExport(ctx context.Context, deps *cmdutil.Deps, o *exportOptions) error {
	filter, err := o.filter.filter()
	if err != nil {
		return err
	}
	a, err := openLedger(ctx, deps)
	if err != nil {
		return err
	}
	defer a.Close()
	return o.output.Write(deps.IO, func(w io.Writer) error { return a.Ledger.Export(ctx, w, o.format, filter) })
}
