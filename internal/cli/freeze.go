package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type freezeOptions struct {
	reads            bool
	reason, approver string
	keys             keyOptions
}

// newFreeze builds `freeze`.
func newFreeze(f *Factory) *cobra.Command {
	options := &freezeOptions{}
	command := &cobra.Command{
		Use:   "freeze",
		Short: "Stop all writes of every server on this state directory, at once",
		Long: `Stop all writes of every server on this state directory, and with --reads all reads
of Azure too. It is seen at the next call; what has begun is completed. Agents are
told the reason. It takes no passphrase; to unfreeze takes an approver's.`,
		Example: `  mcp-partner freeze --reason 'the agent of Team Nord runs wild'
  mcp-partner freeze --reads --reason 'credential leaked'`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runFreeze(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.reads, "reads", false, "stop reads too")
	command.Flags().StringVar(&options.reason, "reason", "", "why, for agents and the record")
	options.keys.add(command.Flags())
	return command
}

func runFreeze(ctx context.Context, f *Factory, o *freezeOptions) error {
	if o.reason == "" {
		return usage("mcp-partner freeze --help", "--reason is missing: agents are told it")
	}
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	if err := room.decider.SetFreeze(ctx, o.reads, o.reason); err != nil {
		return err
	}
	now, err := room.decider.Frozen(ctx)
	if err != nil {
		return err
	}
	u := f.IO.ui()
	u.linef(warn, "Frozen for every server on %s: %s.", f.StateDir, now.Scope())
	u.field("next", f.command()+" unfreeze --approver NAME")
	if approvers, err := room.decider.Approvers(ctx); err == nil && len(approvers) == 0 {
		u.field("", "There is no approver yet. First: "+f.command()+" approvers add NAME")
	}
	return u.err
}
