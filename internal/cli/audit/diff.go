package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/render"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/answers"
)

type diffOptions struct {
	json  bool
	table cmdutil.TableFlags
}

// newCmdDiff builds `audit diff`.
func newCmdDiff(deps *cmdutil.Deps) *cobra.Command {
	options := &diffOptions{}
	command := &cobra.Command{
		Use:   "diff EARLIER LATER",
		Short: "Compare two audits",
		Long: `Compare two audits by tenant and identity: newly missing, newly unknown, changed,
newly linked, known again, gone (only in the earlier audit), new (only in the later
one). Name an audit by its ID, its label, or latest. A link that was unknown in either
audit is never reported as newly missing.`,
		Example: `  mcp-partner audit diff 2026-10 2026-11
  mcp-partner audit diff 2026-10 latest --json`,
		Args: cmdutil.TwoArguments("the earlier and the later audit"),
		RunE: func(command *cobra.Command, args []string) error {
			return onRuns(command.Context(), deps, nil, args, func(session *app.Session, runs []fleet.Run) error {
				return runDiff(command.Context(), deps, session, runs, options)
			})
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print a line of JSON for each change")
	options.table.Add(command.Flags(), "--json")
	deps.AddKeyFlags(command.Flags())
	return command
}

func runDiff(ctx context.Context, deps *cmdutil.Deps, session *app.Session, runs []fleet.Run, o *diffOptions) error {
	before, after := runs[0], runs[1]
	if after.CreatedAt.Before(before.CreatedAt) {
		deps.IO.Note("the first audit is the later one, so newly missing and newly linked are reversed.")
	}
	for _, run := range runs {
		if err := noteUnanswered(ctx, deps, session, run); err != nil {
			return err
		}
	}
	if o.json {
		return diffLines(ctx, deps, session, before, after)
	}
	return diffTable(ctx, o.table.UI(deps.IO), session, before, after)
}

// noteUnanswered says of an audit that was not finished that its open rows look
// as if they were not in it.
func noteUnanswered(ctx context.Context, deps *cmdutil.Deps, session *app.Session, run fleet.Run) error {
	found, err := session.Fleet.Report(ctx, fleet.Operator, run.ID)
	if err == nil && found.Totals["pending"] > 0 {
		deps.IO.Note(fmt.Sprintf("%s of %s without an answer; the comparison shows them as gone or new.", phrase.Count(found.Totals["pending"], "row"), run.ID))
	}
	return err
}

func diffLines(ctx context.Context, deps *cmdutil.Deps, session *app.Session, before, after fleet.Run) error {
	encoder := json.NewEncoder(deps.IO.Out)
	for change, err := range session.Fleet.Diff(ctx, before.ID, after.ID) {
		if err != nil {
			return err
		}
		if err := encoder.Encode(change); err != nil {
			return err
		}
	}
	return nil
}

// diffTable counts the changes and shows them by kind. It goes through the two
// audits again and again instead of keeping what differs.
func diffTable(ctx context.Context, u *term.UI, session *app.Session, before, after fleet.Run) error {
	counts := map[fleet.ChangeKind]int{}
	for change, err := range session.Fleet.Diff(ctx, before.ID, after.ID) {
		if err != nil {
			return err
		}
		counts[change.Kind]++
	}
	u.Linef(term.Plain, "From %s (%s) to %s (%s)", before.ID, before.CreatedAt.UTC().Format("2006-01-02"), after.ID, after.CreatedAt.UTC().Format("2006-01-02"))
	for _, kind := range fleet.ChangeKinds() {
		u.Field(phrase.Words(kind), number(counts[kind]))
	}
	if len(counts) == 0 {
		u.Line(term.Good, "Nothing differs.")
		return u.Err
	}
	rows := func(yield func([]string, error) bool) {
		for _, kind := range fleet.ChangeKinds() {
			if counts[kind] > 0 && !changesOf(kind, session.Fleet.Diff(ctx, before.ID, after.ID), yield) {
				return
			}
		}
	}
	return errors.Join(u.LongTable([]string{"CHANGE", "COMPANY", "DOMAIN", "TENANT", "CREDENTIAL", "THEN", "NOW", "ROLES"}, rows), u.Err)
}

// changesOf yields the cells of the changes of one kind, and reports whether more
// are wanted.
func changesOf(kind fleet.ChangeKind, changes iter.Seq2[fleet.Change, error], yield func([]string, error) bool) bool {
	for change, err := range changes {
		if err != nil {
			return yield(nil, err)
		}
		if change.Kind != kind {
			continue
		}
		row := change.Row()
		if !yield([]string{phrase.Words(kind), row.Company, row.Domain, row.Tenant, row.Credential, wasState(change.Before), wasState(change.After), strings.Join(change.Roles, " ")}, nil) {
			return false
		}
	}
	return true
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
