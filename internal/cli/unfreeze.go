package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// newUnfreeze builds `unfreeze`.
func newUnfreeze(f *Factory) *cobra.Command {
	options := &freezeOptions{}
	command := &cobra.Command{
		Use:     "unfreeze",
		Short:   "Let everything run again, with an approver's passphrase",
		Example: "  mcp-partner unfreeze --approver alice",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runUnfreeze(command.Context(), f, options) },
	}
	command.Flags().StringVar(&options.approver, "approver", "", "`NAME` of the approver (default: asked for)")
	options.keys.add(command.Flags())
	return command
}

func runUnfreeze(ctx context.Context, f *Factory, o *freezeOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	if o.approver == "" {
		if o.approver, err = f.IO.askLine(ctx, "Approver's name: "); err != nil {
			return err
		}
	}
	by, err := f.IO.askCredentials(ctx, o.approver)
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	if err := room.decider.Unfreeze(ctx, by); err != nil {
		return err
	}
	u := f.IO.ui()
	u.line(good, "Everything runs again, as far as the policy allows it.")
	return u.err
}
