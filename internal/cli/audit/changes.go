package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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

// newCmdChanges builds `audit changes`.
func newCmdChanges(deps *cmdutil.Deps) *cobra.Command {
	options := &changesOptions{}
	command := &cobra.Command{
		Use:   "changes [EARLIER [LATER]]",
		Short: "Show what changed between two audits",
		Long: `Compare two audits of the same selection by tenant and identity. Without arguments:
the newest audit and the one before it. With EARLIER alone: that one and the newest
audit of the same selection. Name an audit by its ID, its label, or latest.

A link that was unknown is compared with the last answer of its identity, and never
reported as vanished for being unknown. Another identity behind a credential is
reported as replaced, and nothing is said about the earlier one's link.`,
		Example: `  mcp-partner audit changes
  mcp-partner audit changes 2026-10
  mcp-partner audit changes 2026-10 latest --json`,
		Args: cmdutil.Arguments(0, 2, "takes at most two arguments, the earlier and the later audit"),
		RunE: func(command *cobra.Command, args []string) error {
			return onRuns(command.Context(), deps, &cmdutil.SessionFlags{}, args, func(session *app.Session, runs []fleet.Run) error {
				return runChanges(command.Context(), deps, session, runs, options)
			})
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print a line of JSON for each change")
	options.table.Add(command.Flags(), "--json")
	deps.AddKeyFlags(command.Flags())
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
