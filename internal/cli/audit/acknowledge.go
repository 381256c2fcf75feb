package audit

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

// maxNote bounds the note and the owner of an acknowledgement, in bytes.
const maxNote = 500

type acknowledgeOptions struct {
	note, owner, until, credential string
	end                            bool
	list                           cmdutil.ListFlags
}

// newCmdAcknowledge builds `audit acknowledge`.
func newCmdAcknowledge(deps *cmdutil.Deps) *cobra.Command {
	options := &acknowledgeOptions{}
	command := &cobra.Command{
		Use:   "acknowledge [TENANT]",
		Short: "Send no alerts about a tenant for a while",
		Long: `Send no alerts about a tenant until a date, because somebody knows of its state. The
changes are still shown, as acknowledged. Without TENANT: list what is acknowledged.`,
		Example: `  mcp-partner audit acknowledge contoso --note "contract ends" --until 2027-01-31
  mcp-partner audit acknowledge contoso --end
  mcp-partner audit acknowledge`,
		Args: cmdutil.AtMostOneArgument("the tenant"),
		RunE: func(command *cobra.Command, args []string) error {
			return runAcknowledge(command.Context(), deps, strings.Join(args, ""), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.note, "note", "", "`TEXT` that says what is known")
	flags.StringVar(&options.credential, "credential", "", "only the row of this `NAME`, as the audit shows it (default: all of the tenant)")
	flags.StringVar(&options.owner, "owner", "", "`NAME` of the person who takes care of it")
	flags.StringVar(&options.until, "until", "", "`DATE` on which alerts begin again, such as 2027-01-31")
	flags.BoolVar(&options.end, "end", false, "send alerts again from now on")
	options.list.Add(flags, "acknowledged")
	deps.AddKeyFlags(flags)
	return command
}

func runAcknowledge(ctx context.Context, deps *cmdutil.Deps, tenant string, o *acknowledgeOptions) error {
	until, err := o.check(tenant)
	if err != nil {
		return err
	}
	session, err := openAudits(ctx, deps, &cmdutil.SessionFlags{})
	if err != nil {
		return err
	}
	defer session.Close()
	if !session.KeepsRecord() {
		return exit.Refused("mcp-partner vault init", "there is no vault, so nothing is acknowledged")
	}
	if tenant == "" {
		return listAcknowledged(ctx, deps, session, &o.list)
	}
	entry, err := session.Directory.Resolve(tenant)
	if err != nil {
		return err
	}
	if o.credential != "" {
		ref, err := entry.Credential(o.credential)
		if err != nil {
			return err
		}
		o.credential = ref.Name
	}
	known := fleet.Acknowledgement{Tenant: entry.Name, TenantID: entry.TenantID, Credential: o.credential, Owner: o.owner, Note: o.note, Until: until}
	if ok, err := session.Acknowledge(ctx, known); err != nil || !ok {
		return cmp.Or(err, exit.Refused("mcp-partner audit acknowledge", "nothing is acknowledged about %s", entry.Name))
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	if o.end {
		u.Linef(term.Good, "Alerts about %s are sent again.", entry.Name)
	} else {
		u.Linef(term.Good, "No alerts about %s are sent until %s.", entry.Name, until.Format(time.DateOnly))
	}
	return u.Err
}

// check refuses flags that do not go together. The time is zero for --end.
func (o *acknowledgeOptions) check(tenant string) (until time.Time, err error) {
	const help = "mcp-partner audit acknowledge --help"
	given := o.note != "" || o.owner != "" || o.until != ""
	switch {
	case tenant == "" && (given || o.end || o.credential != ""):
		return until, exit.Usage(help, "name the tenant")
	case tenant == "" || o.end && !given:
		return until, nil
	case o.end:
		return until, exit.Usage(help, "--end cannot be combined with --note, --owner and --until")
	case o.note == "" || len(o.note) > maxNote || len(o.owner) > maxNote:
		return until, exit.Usage("give --note TEXT", "the note is missing, or note or owner are longer than %d characters", maxNote)
	}
	return dayOf(o.until)
}

func dayOf(until string) (time.Time, error) {
	const next = "give --until with a day such as 2027-01-31"
	if until == "" {
		return time.Time{}, exit.Usage(next, "--until is missing")
	}
	day, err := time.Parse(time.DateOnly, until)
	if err != nil || !day.After(time.Now()) {
		return time.Time{}, exit.Usage(next, "--until is not a day in the future")
	}
	return day, nil
}

func listAcknowledged(ctx context.Context, deps *cmdutil.Deps, session *app.Session, list *cmdutil.ListFlags) error {
	found, err := session.Ledger.Acknowledged(ctx)
	if err != nil {
		return err
	}
	rows := slices.SortedFunc(maps.Values(found), func(a, b fleet.Acknowledgement) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return cmdutil.Listing[fleet.Acknowledgement]{
		Name: "acknowledged", Rows: rows, Empty: "Nothing is acknowledged.",
		Header: []string{"TENANT", "CREDENTIAL", "UNTIL", "OWNER", "NOTE", "BY"},
		Cells: func(a fleet.Acknowledgement) []string {
			return []string{a.Tenant, a.Credential, a.Until.UTC().Format(time.DateOnly), a.Owner, a.Note, a.By}
		},
	}.Show(deps.IO, list)
}
