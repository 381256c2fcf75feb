package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type denyOptions struct {
	id, reason string
	keys       keyOptions
}

// newApprovalsDeny builds `approvals deny`.
func newApprovalsDeny(f *Factory) *cobra.Command {
	options := &denyOptions{}
	command := &cobra.Command{
		Use:   "deny ID",
		Short: "Deny a write; the agent is told the reason",
		Long: `Deny a write. It takes no passphrase, because a no does no harm. The agent is told
the reason.`,
		Example: "  mcp-partner approvals deny ap_0123456789abcdef01 --reason 'Contoso left us'",
		Args:    oneArgument("the approval's ID"),
		RunE: func(command *cobra.Command, args []string) error {
			options.id = args[0]
			return runApprovalsDeny(command.Context(), f, options)
		},
	}
	command.Flags().StringVar(&options.reason, "reason", "", "why, for the agent and the record")
	options.keys.add(command.Flags())
	return command
}

func runApprovalsDeny(ctx context.Context, f *Factory, o *denyOptions) error {
	if o.reason == "" {
		return usage("mcp-partner approvals deny --help", "--reason is missing")
	}
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	ticket, err := room.decider.Deny(ctx, o.id, o.reason)
	if err != nil {
		return err
	}
	u := f.IO.ui()
	u.linef(good, "Denied %s.", ticket.ID)
	return u.err
}
