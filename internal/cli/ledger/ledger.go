// Package ledger has the commands of the record.
package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
)

// NewCmdLedger builds `ledger` with its subcommands.
func NewCmdLedger(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("ledger", "Read and verify the record of what was asked and done",
		newCmdList(deps), newCmdVerify(deps), newCmdHead(deps),
		newCmdExport(deps), newCmdPrune(deps))
}

// onLedger runs what needs the record of the state directory, and makes none.
func onLedger(ctx context.Context, deps *cmdutil.Deps, run func(*app.App) error) error {
	a, err := deps.Open(nil)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.MissingLedger(ctx); err != nil {
		return err
	}
	if !a.Ledger.Begun() {
		return exit.Failed("it is made with the first write, freeze or approver; see mcp-partner doctor", "there is no ledger in %s yet", deps.StateDir)
	}
	return run(a)
}

func addFilter(flags *pflag.FlagSet, f *ledger.Filter) {
	flags.StringVar(&f.Tenant, "tenant", "", "only entries about this `TENANT`: a name or a GUID")
	cmdutil.AddTime(flags, &f.Since, "since", "only entries from this `DATE` on: 2026-01-31 (UTC) or RFC 3339")
	cmdutil.AddTime(flags, &f.Until, "until", "only entries before this `DATE`")
	flags.StringVar(&f.Caller, "caller", "", "only entries of this caller `NAME`")
	flags.StringVar(&f.Approver, "approver", "", "only entries of this approver `NAME`")
}

type listOptions struct {
	filter ledger.Filter
	cmdutil.ListFlags
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{filter: ledger.Filter{NewestFirst: true}}
	command := &cobra.Command{
		Use:   "list",
		Short: "List entries, newest last",
		RunE: func(command *cobra.Command, _ []string) error {
			if command.Flags().Changed("limit") {
				options.All = true
			} else if options.All {
				options.filter.Limit = 0
			}
			return runList(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	addFilter(flags, &options.filter)
	flags.IntVar(&options.filter.Limit, "limit", 200, "at most the newest `N` entries (0 for all)")
	options.Add(flags, "entries")
	options.Newest = true
	return command
}

func runList(ctx context.Context, deps *cmdutil.Deps, o *listOptions) error {
	if o.filter.Limit < 0 {
		return exit.Usage("mcp-partner ledger list --help", "--limit is negative")
	}
	var rows []EntryRow
	err := onLedger(ctx, deps, func(a *app.App) error {
		events, err := a.Ledger.List(ctx, o.filter)
		slices.Reverse(events)
		rows = entryRows(a, events)
		return err
	})
	if err != nil {
		return err
	}
	return cmdutil.Listing[EntryRow]{
		Name: "entries", Rows: rows, Empty: "No entry matches.",
		Header: []string{"SEQ", "TIME", "KIND", "CALLER", "TOOL", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "RESULT", "APPROVER", "DETAIL OR REASON"},
		Cells: func(r EntryRow) []string {
			return []string{strconv.FormatInt(r.Seq, 10), phrase.Stamp(r.Time), string(r.Kind), string(r.Caller), r.Tool, r.Company, r.Domain, r.Tenant, string(r.PartnerID), r.Result, r.Approver, cmp.Or(r.Detail, r.Reason)}
		},
	}.Show(deps.IO, &o.ListFlags)
}

// EntryRow is an entry of the ledger as the command line shows it.
type EntryRow struct {
	Seq int64 `json:"seq"`
	guard.Event
	// Company and Domain are what the directory says today; the ledger has IDs.
	Company string `json:"company,omitempty"`
	Domain  string `json:"domain,omitempty"`
	Digest  string `json:"argument_digest,omitempty"`
}

func entryRows(a *app.App, events []guard.Event) []EntryRow {
	entries, _ := a.Directory.List() // the ledger is readable without it
	known := map[string]schemas.Tenant{}
	for _, entry := range entries {
		known[entry.TenantID], known[entry.Name] = entry.Tenant(), entry.Tenant()
	}
	return xslices.Map(events, func(e guard.Event) EntryRow {
		tenant := known[cmp.Or(e.TenantID, e.Tenant)]
		return EntryRow{Seq: e.Seq, Event: e, Company: tenant.Company, Domain: tenant.Domain(), Digest: e.ArgumentDigest()}
	})
}

type exportOptions struct {
	format ledger.Format
	output cmdutil.OutputFlags
	filter ledger.Filter
}

func newCmdExport(deps *cmdutil.Deps) *cobra.Command {
	options := &exportOptions{}
	command := &cobra.Command{
		Use:   "export",
		Short: "Export entries for an auditor (jsonl) or a spreadsheet (csv)",
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			return onLedger(ctx, deps, func(a *app.App) error {
				return options.output.Write(deps.IO, func(w io.Writer) error { return a.Ledger.Export(ctx, w, options.format, options.filter) })
			})
		},
	}
	flags := command.Flags()
	cmdutil.AddChoice(flags, &options.format, "format", "`FORMAT` of the entries", ledger.FormatJSONL, ledger.FormatCSV)
	options.output.Add(flags, "write to this `FILE`, which only you can read")
	addFilter(flags, &options.filter)
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
	var before time.Time
	command := &cobra.Command{
		Use:   "prune",
		Short: "Remove old entries and leave a signed checkpoint",
		RunE:  func(command *cobra.Command, _ []string) error { return runPrune(command.Context(), deps, before) },
	}
	cmdutil.AddTime(command.Flags(), &before, "before", "remove entries older than this `DATE`: 2026-01-31 (UTC) or RFC 3339")
	return command
}

func runPrune(ctx context.Context, deps *cmdutil.Deps, before time.Time) error {
	switch {
	case before.IsZero():
		return exit.Usage("mcp-partner ledger prune --help", "--before is missing")
	case before.After(time.Now()):
		return exit.Refused("give a date that has passed", "--before is in the future, which would remove everything")
	}
	var made ledger.Checkpoint
	thinned := 0
	err := onLedger(ctx, deps, func(a *app.App) (err error) {
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
