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
	command := &cobra.Command{
		Use:   "ledger",
		Short: "Read and verify the record of what was asked and done",
	}
	command.AddCommand(
		newCmdList(deps), newCmdVerify(deps), newCmdHead(deps),
		newCmdExport(deps), newCmdPrune(deps),
	)
	return command
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

type filterOptions struct {
	tenant, since, until, caller, approver string
}

func (o *filterOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.tenant, "tenant", "", "only entries about this `TENANT`: a name or a GUID")
	flags.StringVar(&o.since, "since", "", "only entries from this `DATE` on: 2026-01-31 (UTC) or RFC 3339")
	flags.StringVar(&o.until, "until", "", "only entries before this `DATE`")
	flags.StringVar(&o.caller, "caller", "", "only entries of this caller `NAME`")
	flags.StringVar(&o.approver, "approver", "", "only entries of this approver `NAME`")
}

func (o *filterOptions) filter() (ledger.Filter, error) {
	since, err := parseDate("since", o.since)
	if err != nil {
		return ledger.Filter{}, err
	}
	until, err := parseDate("until", o.until)
	return ledger.Filter{Tenant: o.tenant, Since: since, Until: until, Caller: o.caller, Approver: o.approver}, err
}

// parseDate reads a day, which begins at midnight UTC, or a point in time.
func parseDate(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, exit.Usage("give a day such as 2026-01-31, or a time such as 2026-01-31T18:00:00Z", "--%s is not a date", flag)
}

type listOptions struct {
	filter filterOptions
	limit  int
	cmdutil.ListFlags
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{}
	command := &cobra.Command{
		Use:   "list",
		Short: "List entries, newest last",
		RunE: func(command *cobra.Command, _ []string) error {
			if command.Flags().Changed("limit") {
				options.All = true
			} else if options.All {
				options.limit = 0
			}
			return runList(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	options.filter.add(flags)
	flags.IntVar(&options.limit, "limit", 200, "at most the newest `N` entries (0 for all)")
	options.Add(flags, "entries")
	options.Newest = true
	deps.AddKeyFlags(flags)
	return command
}

func runList(ctx context.Context, deps *cmdutil.Deps, o *listOptions) error {
	filter, err := o.filter.filter()
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return exit.Usage("mcp-partner ledger list --help", "--limit is negative")
	}
	filter.NewestFirst, filter.Limit = true, o.limit
	var rows []EntryRow
	err = onLedger(ctx, deps, func(a *app.App) error {
		events, err := a.Ledger.List(ctx, filter)
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
	filter filterOptions
}

func newCmdExport(deps *cmdutil.Deps) *cobra.Command {
	options := &exportOptions{}
	command := &cobra.Command{
		Use:   "export",
		Short: "Export entries for an auditor (jsonl) or a spreadsheet (csv)",
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
		RunE:  func(command *cobra.Command, _ []string) error { return runPrune(command.Context(), deps, before) },
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
