package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
)

type changesOptions struct {
	json  bool
	table cmdutil.TableFlags
}

func newCmdChanges(deps *cmdutil.Deps) *cobra.Command {
	options := &changesOptions{}
	command := &cobra.Command{
		Use:   "changes [EARLIER [LATER]]",
		Short: "Show what changed between two audits",
		Args:  cmdutil.Arguments(0, 2, "takes at most two arguments, the earlier and the later audit"),
		RunE: func(command *cobra.Command, args []string) error {
			return onRuns(command.Context(), deps, &cmdutil.SessionFlags{}, args, func(session *app.Session, runs []fleet.Run) error {
				return runChanges(command.Context(), deps, session, runs, options)
			})
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print a line of JSON for each change")
	options.table.Add(command.Flags(), "--json")
	return command
}

func runChanges(ctx context.Context, deps *cmdutil.Deps, session *app.Session, runs []fleet.Run, o *changesOptions) error {
	before, after, err := twoAudits(ctx, session, runs)
	if err != nil {
		return err
	}
	if after.CreatedAt.Before(before.CreatedAt) {
		deps.IO.Note("the first audit is the later one, so links that vanished and new ones are reversed.")
	}
	for _, run := range []fleet.Run{before, after} {
		if err := noteIncomplete(ctx, deps, session, run); err != nil {
			return err
		}
	}
	diff, err := session.Fleet.Diff(ctx, before, after)
	if err != nil {
		return err
	}
	if o.json {
		return changeLines(ctx, deps, diff)
	}
	return changesTable(ctx, o.table.UI(deps.IO), diff)
}

// twoAudits completes the audits that were named.
func twoAudits(ctx context.Context, session *app.Session, named []fleet.Run) (before, after fleet.Run, err error) {
	const next = "mcp-partner audit list"
	if len(named) == 2 {
		return named[0], named[1], nil
	}
	runs, err := session.Fleet.Runs(ctx, fleet.RunFilter{Kind: fleet.RunKindAudit})
	if err != nil {
		return before, after, err
	}
	for _, run := range runs { // newest first
		if run.State != fleet.RunFinished {
			continue
		}
		if len(named) == 1 && run.ID != named[0].ID && fleet.SameQuestion(named[0], run) {
			return named[0], run, nil
		}
		if len(named) == 0 {
			before, ok, err := session.Fleet.Previous(ctx, run)
			if err == nil && !ok {
				err = exit.Refused(next, "no audit before %s has the same selection, partner IDs and roles", run.ID)
			}
			return before, run, err
		}
	}
	return before, after, exit.Refused(next, "there is no other finished audit to compare with")
}

// noteIncomplete says of an audit that was not finished that its open rows look
// as if they were not in it, and of one that was thinned which times are not its own.
func noteIncomplete(ctx context.Context, deps *cmdutil.Deps, session *app.Session, run fleet.Run) error {
	noteThinned(deps, run)
	totals, err := session.Fleet.Totals(ctx, run)
	if n := totals["pending"]; n > 0 {
		deps.IO.Note(fmt.Sprintf("%s of %s without an answer; the comparison shows them as gone or new.", phrase.Count(n, "row"), run.ID))
	}
	return err
}

func noteThinned(deps *cmdutil.Deps, run fleet.Run) {
	if run.Thinned {
		deps.IO.Note(run.ID + " was thinned: its rows that the next audit repeats have the time of its end, and no request IDs")
	}
}

func changeLines(ctx context.Context, deps *cmdutil.Deps, diff *fleet.Comparison) error {
	encoder := json.NewEncoder(deps.IO.Out)
	for change, err := range diff.Changes(ctx) {
		if err != nil {
			return err
		}
		if err := encoder.Encode(change); err != nil {
			return err
		}
	}
	return nil
}

// changesTable counts the changes and shows them by kind. It goes through the two
// audits again and again instead of keeping what differs.
func changesTable(ctx context.Context, u *term.UI, diff *fleet.Comparison) error {
	counts := map[answers.ChangeKind]int{}
	for change, err := range diff.Changes(ctx) {
		if err != nil {
			return err
		}
		counts[change.Kind]++
	}
	before, after := diff.Before, diff.After
	u.Linef(term.Plain, "From %s (%s) to %s (%s)", before.ID, before.CreatedAt.UTC().Format(time.DateOnly), after.ID, after.CreatedAt.UTC().Format(time.DateOnly))
	for _, kind := range answers.ChangeKinds() {
		u.Field(phrase.Words(kind), number(counts[kind]))
	}
	if len(counts) == 0 {
		u.Line(term.Good, "Nothing differs.")
		return u.Err
	}
	rows := func(yield func([]string, error) bool) {
		for _, kind := range answers.ChangeKinds() {
			if counts[kind] > 0 && !changesOf(kind, diff.Changes(ctx), yield) {
				return
			}
		}
	}
	return errors.Join(u.LongTable([]string{"CHANGE", "COMPANY", "DOMAIN", "TENANT", "CREDENTIAL", "THEN", "NOW", "NOTE"}, rows), u.Err)
}

// changesOf yields the cells of the changes of one kind, and reports whether more
// are wanted.
func changesOf(kind answers.ChangeKind, changes iter.Seq2[fleet.Change, error], yield func([]string, error) bool) bool {
	for change, err := range changes {
		if err != nil {
			return yield(nil, err)
		}
		if change.Kind != kind {
			continue
		}
		row := change.Row()
		if !yield([]string{phrase.Words(kind), row.Company, row.Domain, row.Tenant, row.Credential, wasState(change.Before), wasState(change.After), noteOf(change)}, nil) {
			return false
		}
	}
	return true
}

// noteOf says what else there is to say about a change.
func noteOf(c fleet.Change) string {
	notes := slices.Clone(c.Roles)
	if c.Kind == answers.KindCredentialExpires {
		notes = append(notes, "Ends at "+c.After.CredentialExpires+".")
	}
	if c.Own {
		notes = append(notes, "Written by mcp-partner.")
	}
	if known := c.Acknowledged; known != nil {
		notes = append(notes, "Acknowledged until "+known.Until.UTC().Format(time.DateOnly)+": "+known.Note)
	}
	return strings.Join(notes, " ")
}

// wasState words one side of a change.
func wasState(row *answers.AuditRow) string {
	if row == nil {
		return ""
	}
	text := render.StateWords(*row)
	switch {
	case row.PartnerID != "":
		return fmt.Sprintf("%s %s", text, row.PartnerID)
	case row.Problem != nil:
		return fmt.Sprintf("%s (%s)", text, row.Problem.Code)
	}
	return text
}

// maxNote bounds the note and the owner of an acknowledgement, in bytes.
const maxNote = 500

type acknowledgeOptions struct {
	known fleet.Acknowledgement
	end   bool
	list  cmdutil.ListFlags
}

func newCmdAcknowledge(deps *cmdutil.Deps) *cobra.Command {
	options := &acknowledgeOptions{}
	command := &cobra.Command{
		Use:   "acknowledge [TENANT]",
		Short: "Send no alerts about a tenant for a while",
		Args:  cmdutil.AtMostOneArgument("the tenant"),
		RunE: func(command *cobra.Command, args []string) error {
			return runAcknowledge(command.Context(), deps, strings.Join(args, ""), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.known.Note, "note", "", "`TEXT` that says what is known")
	flags.StringVar(&options.known.Credential, "credential", "", "only the row of this `NAME`, as the audit shows it (default: all of the tenant)")
	flags.StringVar(&options.known.Owner, "owner", "", "`NAME` of the person who takes care of it")
	cmdutil.AddTime(flags, &options.known.Until, "until", "`DATE` on which alerts begin again, such as 2027-01-31")
	flags.BoolVar(&options.end, "end", false, "send alerts again from now on")
	options.list.Add(flags, "acknowledged")
	return command
}

func runAcknowledge(ctx context.Context, deps *cmdutil.Deps, tenant string, o *acknowledgeOptions) error {
	if err := o.check(tenant); err != nil {
		return err
	}
	known := o.known
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
	if known.Credential != "" {
		ref, err := entry.Credential(known.Credential)
		if err != nil {
			return err
		}
		known.Credential = ref.Name
	}
	known.Tenant, known.TenantID = entry.Name, entry.TenantID
	if ok, err := session.Acknowledge(ctx, known, ""); err != nil || !ok {
		return cmp.Or(err, exit.Refused("mcp-partner audit acknowledge", "nothing is acknowledged about %s", entry.Name))
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	if o.end {
		u.Linef(term.Good, "Alerts about %s are sent again.", entry.Name)
	} else {
		u.Linef(term.Good, "No alerts about %s are sent until %s.", entry.Name, known.Until.Format(time.DateOnly))
	}
	return u.Err
}

// check refuses flags that do not go together.
func (o *acknowledgeOptions) check(tenant string) error {
	const help = "mcp-partner audit acknowledge --help"
	const nextUntil = "give --until with a day such as 2027-01-31"
	known := o.known
	given := known.Note != "" || known.Owner != "" || !known.Until.IsZero()
	switch {
	case tenant == "" && (given || o.end || known.Credential != ""):
		return exit.Usage(help, "name the tenant")
	case tenant == "" || o.end && !given:
		return nil
	case o.end:
		return exit.Usage(help, "--end cannot be combined with --note, --owner and --until")
	case known.Note == "" || len(known.Note) > maxNote || len(known.Owner) > maxNote:
		return exit.Usage("give --note TEXT", "the note is missing, or note or owner are longer than %d characters", maxNote)
	case known.Until.IsZero():
		return exit.Usage(nextUntil, "--until is missing")
	case !known.Until.After(time.Now()):
		return exit.Usage(nextUntil, "--until is not a day in the future")
	}
	return nil
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
