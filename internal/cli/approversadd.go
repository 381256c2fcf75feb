package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
)

// newApproversAdd builds `approvers add`.
func newApproversAdd(f *Factory) *cobra.Command {
	options := &approverOptions{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Set an approver up",
		Long: `Set an approver up. The new passphrase is asked for on the terminal, twice. Where
there are approvers already, one of them is asked to consent.`,
		Example: "  mcp-partner approvers add alice",
		Args:    oneArgument("the approver's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runApproversAdd(command.Context(), f, options)
		},
	}
	options.keys.add(command.Flags())
	return command
}

func runApproversAdd(ctx context.Context, f *Factory, o *approverOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	have, err := room.decider.Approvers(ctx)
	if err != nil {
		return err
	}
	var by guard.Credentials
	if len(have) > 0 {
		if by, err = f.askConsent(ctx, "An approver has to consent."); err != nil {
			return err
		}
	}
	defer clear(by.Passphrase)
	added, err := f.IO.askNewCredentials(ctx, o.name)
	if err != nil {
		return err
	}
	defer clear(added.Passphrase)
	if err := room.decider.AddApprover(ctx, added, by); err != nil {
		return err
	}
	u := f.IO.ui()
	u.linef(good, "%s may approve writes from now on.", o.name)
	u.field("next", f.command()+" approvals list")
	return u.err
}
