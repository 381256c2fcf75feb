package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// newApproversRemove builds `approvers remove`.
func newApproversRemove(f *Factory) *cobra.Command {
	options := &approverOptions{}
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an approver; what that one approved and nobody used is void",
		Long: `Remove an approver, with the passphrase of this or another one. What the approver
approved and nobody has used is void from then on.`,
		Example: "  mcp-partner approvers remove alice",
		Args:    oneArgument("the approver's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runApproversRemove(command.Context(), f, options)
		},
	}
	options.keys.add(command.Flags())
	return command
}

func runApproversRemove(ctx context.Context, f *Factory, o *approverOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	by, err := f.askConsent(ctx, "An approver has to consent.")
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	if err := room.decider.RemoveApprover(ctx, o.name, by); err != nil {
		return err
	}
	u := f.IO.ui()
	u.linef(good, "%s may not approve any more.", o.name)
	return u.err
}
