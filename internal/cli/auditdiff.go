package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/fleet"
	"mcp-partner/schemas"
)

type auditDiffOptions struct {
	house         auditHouse
	json          bool
	before, after string
}

// newAuditDiff builds `audit diff`.
func newAuditDiff(f *Factory) *cobra.Command {
	options := &auditDiffOptions{}
	command := &cobra.Command{
		Use:   "diff EARLIER LATER",
		Short: "Compare two audits",
		Long: `Compare two audits by tenant and identity: newly missing, newly unknown, changed,
newly linked, known again, gone (in the earlier one alone), new (in the later one
alone). An audit is named by its ID, its label, or latest. What was unknown on
either side is never called newly missing.`,
		Example: `  mcp-partner audit diff 2026-10 2026-11
  mcp-partner audit diff 2026-10 latest --json`,
		Args: twoArguments("the earlier and the later audit"),
		RunE: func(command *cobra.Command, args []string) error {
			options.before, options.after = args[0], args[1]
			return runAuditDiff(command.Context(), f, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print a line of JSON for each change")
	options.house.keys.add(command.Flags())
	options.house.fleet.concurrency = 1 // nothing is asked
	return command
}

// twoArguments wants the two things that a command is about.
func twoArguments(what string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) == 2 {
			return nil
		}
		return usage(help(command), "%s takes two arguments, %s, and got %d", command.CommandPath(), what, len(args))
	}
}

func runAuditDiff(ctx context.Context, f *Factory, o *auditDiffOptions) error {
	room, err := f.openAudits(ctx, &o.house)
	if err != nil {
		return err
	}
	defer room.Close()
	before, err := f.runNamed(ctx, room, o.before)
	if err != nil {
		return err
	}
	after, err := f.runNamed(ctx, room, o.after)
	if err != nil {
		return err
	}
	if after.CreatedAt.Before(before.CreatedAt) {
		f.IO.note("the first audit is the later one: newly missing and newly linked mean the opposite.")
	}
	for _, run := range []fleet.Run{before, after} {
		if err := f.noteUnanswered(ctx, room, run); err != nil {
			return err
		}
	}
	if o.json {
		return f.diffLines(ctx, room, before, after)
	}
	return f.diffTable(ctx, room, before, after)
}

// noteUnanswered says of an audit that was not finished that its open rows look
// as if they were not in it.
func (f *Factory) noteUnanswered(ctx context.Context, room *callRoom, run fleet.Run) error {
	found, err := room.fleet.Report(ctx, fleet.Operator, run.ID)
	if err == nil && found.Totals["pending"] > 0 {
		f.IO.note(fmt.Sprintf("%s of %s without an answer; the comparison shows them as gone or new.", count(found.Totals["pending"], "row"), run.ID))
	}
	return err
}

func (f *Factory) diffLines(ctx context.Context, room *callRoom, before, after fleet.Run) error {
	encoder := json.NewEncoder(f.IO.Out)
	for change, err := range room.fleet.Diff(ctx, before.ID, after.ID) {
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
func (f *Factory) diffTable(ctx context.Context, room *callRoom, before, after fleet.Run) error {
	counts := map[fleet.ChangeKind]int{}
	for change, err := range room.fleet.Diff(ctx, before.ID, after.ID) {
		if err != nil {
			return err
		}
		counts[change.Kind]++
	}
	u := f.IO.ui()
	u.linef(plain, "From %s (%s) to %s (%s)", before.ID, before.CreatedAt.UTC().Format("2006-01-02"), after.ID, after.CreatedAt.UTC().Format("2006-01-02"))
	for _, kind := range fleet.ChangeKinds() {
		u.field(kindWords(kind), number(counts[kind]))
	}
	if len(counts) == 0 {
		u.line(good, "Nothing differs.")
		return u.err
	}
	rows := func(yield func([]string, error) bool) {
		for _, kind := range fleet.ChangeKinds() {
			if counts[kind] > 0 && !changesOf(kind, room.fleet.Diff(ctx, before.ID, after.ID), yield) {
				return
			}
		}
	}
	return errors.Join(u.longTable([]string{"CHANGE", "TENANT", "CREDENTIAL", "THEN", "NOW"}, rows), u.err)
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
		if !yield([]string{kindWords(kind), row.Tenant, row.Credential, wasState(change.Before), wasState(change.After)}, nil) {
			return false
		}
	}
	return true
}

func kindWords(kind fleet.ChangeKind) string { return strings.ReplaceAll(string(kind), "_", " ") }

// wasState words one side of a change.
func wasState(row *schemas.AuditRow) string {
	if row == nil {
		return ""
	}
	text := stateWords(*row)
	switch {
	case row.PartnerID != "":
		return fmt.Sprintf("%s %s", text, row.PartnerID)
	case row.Problem != nil:
		return fmt.Sprintf("%s (%s)", text, row.Problem.Code)
	}
	return text
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
