package ledger

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

func newCmdPrune(deps *cmdutil.Deps) *cobra.Command {
	var before string
	command := &cobra.Command{
		Use:   "prune",
		Short: "Remove old entries and leave a signed checkpoint",
		Long: `Remove entries older than a date. A signed checkpoint replaces them, so that the rest
can still be verified, and a new entry records the removal. A write with an unknown
outcome stays, with everything after it. Exports and backups are not changed.`,
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
	a, err := openLedger(ctx, deps)
	if err != nil {
		return err
	}
	defer a.Close()
	made, err := a.Ledger.Prune(ctx, before)
	if err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	if made.Removed == 0 {
		u.Line(term.Plain, "There are no entries to remove.")
		return u.Err
	}
	u.Linef(term.Good, "Removed %d entries up to entry %d; %d remain.", made.Removed, made.Seq, made.Count)
	return u.Err
}
