package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
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
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			filter, err := options.filter.filter()
			if err != nil {
				return err
			}
			return onLedger(ctx, deps, func(a *app.App) error {
				return options.output.Write(deps.IO, func(w io.Writer) error { return a.Ledger.Export(ctx, w, options.format, filter) })
			})
		},
	}
	flags := command.Flags()
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the entries", ledger.FormatJSONL, ledger.FormatCSV)
	options.output.Add(flags, "write to this `FILE`, which only you can read")
	options.filter.add(flags)
	deps.AddKeyFlags(flags)
	return command
}

type headOptions struct {
	output    cmdutil.OutputFlags
	publicKey string
	push      bool
}

func newCmdHead(deps *cmdutil.Deps) *cobra.Command {
	options := &headOptions{}
	command := &cobra.Command{
		Use:   "head",
		Short: "Print a signed head of the ledger, to keep elsewhere",
		Long: `Print a signed head: the ledger's last entry and its hash. Keep it on another machine:
only a head kept elsewhere reveals that the end of the ledger was cut off or that all
of it was rewritten. --public-key-file writes the key with which an auditor verifies
heads and exports.`,
		Example: `  mcp-partner ledger head > head.json
  mcp-partner ledger head -o head.json --public-key-file ledger.pem`,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			return onLedger(ctx, deps, func(a *app.App) error { return runHead(ctx, deps, a, options) })
		},
	}
	flags := command.Flags()
	options.output.Add(flags, "write to this `FILE`, which only you can read")
	flags.Lookup("force").Usage = "replace existing files"
	flags.StringVar(&options.publicKey, "public-key-file", "", "write the public key to this `FILE` (PEM)")
	flags.BoolVar(&options.push, "push", false, "send the head where the config file says, and print nothing")
	deps.AddKeyFlags(flags)
	return command
}

func runHead(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *headOptions) error {
	if o.push {
		if deps.Config.Heads == nil {
			return exit.Usage("add heads: {file: PATH} or {url: URL} to the config file", "--push needs a destination of heads")
		}
		return a.PushHeads(ctx)
	}
	head, err := a.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	if o.publicKey != "" {
		if err := writePublicKey(ctx, a, o); err != nil {
			return err
		}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if o.output.Path == "" {
		return deps.IO.PrintRawJSON(text)
	}
	return o.output.Write(deps.IO, cmdutil.Whole(append(text, '\n')))
}

func writePublicKey(ctx context.Context, a *app.App, o *headOptions) error {
	key, err := a.Ledger.PublicKey(ctx)
	if err != nil {
		return err
	}
	text, err := ledger.MarshalPublicKey(key)
	return errors.Join(err, cmdutil.WriteOutput(o.publicKey, text, o.output.Force))
}

func newCmdPrune(deps *cmdutil.Deps) *cobra.Command {
	var before string
	command := &cobra.Command{
		Use:   "prune",
		Short: "Remove old entries and leave a signed checkpoint",
		Long: `Remove entries older than a date. A signed checkpoint replaces them, so that the rest
can still be verified, and a new entry records the removal. A write with an unknown
outcome stays, with everything after it. Exports and backups are not changed.

Audits without a label from before that date then keep only what the next audit of
the same selection does not repeat. They still show and compare all their rows.`,
		Example: "  mcp-partner ledger prune --before 2025-01-01",
		RunE:    func(command *cobra.Command, _ []string) error { return runPrune(command.Context(), deps, before) },
	}
	command.Flags().StringVar(&before, "before", "", "remove entries older than this `DATE`: 2026-01-31 (UTC) or RFC 3339")
	deps.AddKeyFlags(command.Flags())
	return command
}

func runPrune(ctx context.Context, deps *cmdutil.Deps, date string) error {
	before, err := parseDate("before", date)
	switch {
	case err != nil:
		return err
	case date == "":
		return exit.Usage("mcp-partner ledger prune --help", "--before is missing")
	case before.After(time.Now()):
		return exit.Refused("give a date that has passed", "--before is in the future, which would remove everything")
	}
	var made ledger.Checkpoint
	thinned := 0
	err = onLedger(ctx, deps, func(a *app.App) (err error) {
		if thinned, err = a.ThinAudits(ctx, before); err == nil {
			made, err = a.Ledger.Prune(ctx, before)
		}
		return err
	})
	if err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	if thinned > 0 {
		u.Linef(term.Good, "Thinned %s: rows that a later audit repeats are kept once.", phrase.Count(thinned, "audit"))
	}
	if made.Removed == 0 {
		u.Line(term.Plain, "There are no entries to remove.")
		return u.Err
	}
	u.Linef(term.Good, "Removed %d entries up to entry %d; %d remain.", made.Removed, made.Seq, made.Count)
	return u.Err
}
