package ledger

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas"
)

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
		Long: `List entries, newest last. To check that they are as written, run
mcp-partner ledger verify.`,
		Example: `  mcp-partner ledger list
  mcp-partner ledger list --tenant contoso --since 2026-01-01 --until 2026-02-01
  mcp-partner ledger list --approver alice --limit 0 --json`,
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
	a, err := openLedger(ctx, deps)
	if err != nil {
		return err
	}
	defer a.Close()
	filter.NewestFirst, filter.Limit = true, o.limit
	events, err := a.Ledger.List(ctx, filter)
	if err != nil {
		return err
	}
	slices.Reverse(events)
	return cmdutil.Listing[EntryRow]{
		Name: "entries", Rows: entryRows(a, events), Empty: "No entry matches.",
		Header: []string{"SEQ", "TIME", "KIND", "CALLER", "TOOL", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "RESULT", "APPROVER", "DETAIL OR REASON"},
		Cells: func(r EntryRow) []string {
			return []string{strconv.FormatInt(r.Seq, 10), r.Time, r.Kind, r.Caller, r.Tool, r.Company, r.Domain, r.Tenant, r.PartnerID, r.Result, r.Approver, cmp.Or(r.Detail, r.Reason)}
		},
	}.Show(deps.IO, &o.ListFlags)
}

// EntryRow is an entry of the ledger as the command line shows it.
type EntryRow struct {
	Seq    int64  `json:"seq"`
	Time   string `json:"time"`
	Kind   string `json:"kind"`
	Caller string `json:"caller,omitempty"`
	Tool   string `json:"tool,omitempty"`
	// Company and Domain are what the directory says today; the ledger has IDs.
	Company       string `json:"company,omitempty"`
	Domain        string `json:"domain,omitempty"`
	Tenant        string `json:"tenant,omitempty"`
	TenantID      string `json:"tenant_id,omitempty"`
	ObjectID      string `json:"object_id,omitempty"`
	Credential    string `json:"credential,omitempty"`
	Before        string `json:"before,omitempty"`
	PartnerID     string `json:"partner_id,omitempty"`
	Arguments     string `json:"argument_digest,omitempty"`
	After         string `json:"after,omitempty"`
	Reason        string `json:"reason,omitempty"`
	Of            int64  `json:"of,omitempty"`
	Approval      string `json:"approval,omitempty"`
	Approver      string `json:"approver,omitempty"`
	SameUser      bool   `json:"same_user,omitempty"`
	Rule          string `json:"rule,omitempty"`
	Result        string `json:"result,omitempty"`
	Detail        string `json:"detail,omitempty"`
	RunID         string `json:"run_id,omitempty"`
	Step          string `json:"step,omitempty"`
	ARMRequestID  string `json:"arm_request_id,omitempty"`
	CorrelationID string `json:"correlation_id,omitempty"`
}

func entryRows(a *app.App, events []guard.Event) []EntryRow {
	entries, _ := a.Directory.List() // the ledger is readable without it
	known := map[string]schemas.Tenant{}
	for _, entry := range entries {
		known[entry.TenantID], known[entry.Name] = entry.Tenant(), entry.Tenant()
	}
	rows := make([]EntryRow, len(events))
	for i, e := range events {
		tenant := known[cmp.Or(e.Intent.Identity.TenantID, e.Intent.Identity.Tenant)]
		rows[i] = EntryRow{
			Company: tenant.Company, Domain: tenant.Domain(),
			Seq: e.Seq, Time: phrase.Stamp(e.Time), Kind: string(e.Kind), Caller: string(e.Intent.Caller), Tool: e.Intent.Tool,
			Tenant: e.Intent.Identity.Tenant, TenantID: e.Intent.Identity.TenantID, ObjectID: e.Intent.Identity.ObjectID,
			Credential: e.Intent.Identity.Credential, Before: e.Intent.Before.String(), PartnerID: e.Intent.PartnerID, Arguments: e.Intent.ArgumentDigest(),
			After: e.After.String(), Reason: e.Intent.Reason, Of: e.Of, Approval: e.Approval, Approver: e.Approver,
			SameUser: e.SameUser, Rule: e.Rule, Result: e.Result, Detail: e.Detail,
			RunID: e.Intent.Run, Step: string(e.Intent.Step), ARMRequestID: e.ARMRequestID, CorrelationID: e.CorrelationID,
		}
	}
	return rows
}
