package ledger

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
)

// NewCmdLedger builds `ledger` with its subcommands.
func NewCmdLedger(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "ledger",
		Short: "Read and verify the record of what was asked and done",
		Long: `Read and verify the record of what was asked, approved, done and refused. It is
tamper-evident against a head that is kept elsewhere: export one regularly with
mcp-partner ledger head, and verify against it.`,
		Example: `  mcp-partner ledger list --tenant contoso --since 2026-01-01
  mcp-partner ledger head -o head.json
  mcp-partner ledger verify --head head.json`,
	}
	command.AddCommand(
		newCmdList(deps), newCmdVerify(deps), newCmdHead(deps),
		newCmdExport(deps), newCmdPrune(deps),
	)
	return command
}

// openLedger opens the record of the state directory, for commands that do not
// make one.
func openLedger(ctx context.Context, deps *cmdutil.Deps) (*app.App, error) {
	a, err := deps.Open(nil)
	if err != nil {
		return nil, err
	}
	if err := a.MissingLedger(ctx); err != nil {
		a.Close()
		return nil, err
	}
	if !a.Ledger.Begun() {
		a.Close()
		return nil, exit.Failed("it is made with the first write, freeze or approver; see mcp-partner doctor", "there is no ledger in %s yet", deps.StateDir)
	}
	return a, nil
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
