package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

// newCmdApproversRemove builds `approvers remove`.
func newCmdApproversRemove(deps *cmdutil.Deps) *cobra.Command {
	options := &approverOptions{}
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an approver; what that one approved and nobody used is void",
		Long: `Remove an approver, with the passphrase of this or another one. What the approver
approved and nobody has used is void from then on.`,
		Example: "  mcp-partner approvers remove alice",
		Args:    cmdutil.OneArgument("the approver's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runApproversRemove(command.Context(), deps, options)
		},
	}
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runApproversRemove(ctx context.Context, deps *cmdutil.Deps, o *approverOptions) error {
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	by, err := AskConsent(ctx, deps, "An approver has to consent.")
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	if err := session.Guard.RemoveApprover(ctx, o.name, by); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Linef(term.Good, "%s may not approve any more.", o.name)
	return u.Err
}
