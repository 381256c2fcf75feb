package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

type ledgerPruneOptions struct {
	before string
	keys   keyOptions
}

// newLedgerPrune builds `ledger prune`.
func newLedgerPrune(f *Factory) *cobra.Command {
	options := &ledgerPruneOptions{}
	command := &cobra.Command{
		Use:   "prune",
		Short: "Remove old entries, and leave a signed checkpoint",
		Long: `Remove entries older than a date. A signed checkpoint takes their place, so that the
rest can still be verified, and an entry says what was removed. A write whose outcome
is not known, and what came after it, stays. Exports and backups keep what they have.`,
		Example: "  mcp-partner ledger prune --before 2025-01-01",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runLedgerPrune(command.Context(), f, options) },
	}
	command.Flags().StringVar(&options.before, "before", "", "remove entries older than this `DATE`: 2026-01-31 (UTC) or RFC 3339")
	options.keys.add(command.Flags())
	return command
}

func runLedgerPrune(ctx context.Context, f *Factory, o *ledgerPruneOptions) error {
	before, err := parseDate("before", o.before)
	switch {
	case err != nil:
		return err
	case o.before == "":
		return usage("mcp-partner ledger prune --help", "--before is missing")
	case before.After(time.Now()):
		return refused("give a date that has passed", "--before lies in the future, so that everything would be removed")
	}
	h, err := f.openLedger(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	made, err := h.ledger.Prune(ctx, before)
	if err != nil {
		return err
	}
	u := f.IO.ui()
	if made.Removed == 0 {
		u.line(plain, "There was nothing to remove.")
		return u.err
	}
	u.linef(good, "Removed %d entries up to entry %d; %d are left.", made.Removed, made.Seq, made.Count)
	return u.err
}
