package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

// NewCmdUnfreeze builds `unfreeze`.
func NewCmdUnfreeze(deps *cmdutil.Deps) *cobra.Command {
	options := &freezeOptions{}
	command := &cobra.Command{
		Use:     "unfreeze",
		Short:   "Let everything run again, with an approver's passphrase",
		Example: "  mcp-partner unfreeze --approver alice",
		Args:    cmdutil.NoArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runUnfreeze(command.Context(), deps, options) },
	}
	command.Flags().StringVar(&options.approver, "approver", "", "`NAME` of the approver (default: asked for)")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runUnfreeze(ctx context.Context, deps *cmdutil.Deps, o *freezeOptions) error {
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	if o.approver == "" {
		if o.approver, err = deps.IO.AskLine(ctx, "Approver's name: "); err != nil {
			return err
		}
	}
	by, err := AskCredentials(ctx, deps.IO, o.approver)
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	if err := session.Guard.Unfreeze(ctx, by); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Line(term.Good, "Everything runs again, as far as the policy allows it.")
	return u.Err
}
