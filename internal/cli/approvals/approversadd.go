package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

// newCmdApproversAdd builds `approvers add`.
func newCmdApproversAdd(deps *cmdutil.Deps) *cobra.Command {
	options := &approverOptions{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Set an approver up",
		Long: `Set an approver up. The new passphrase is asked for on the terminal, twice. Where
there are approvers already, one of them is asked to consent.`,
		Example: "  mcp-partner approvers add alice",
		Args:    cmdutil.OneArgument("the approver's name"),
		RunE: func(command *cobra.Command, args []string) error {
			options.name = args[0]
			return runApproversAdd(command.Context(), deps, options)
		},
	}
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runApproversAdd(ctx context.Context, deps *cmdutil.Deps, o *approverOptions) error {
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	have, err := session.Guard.Approvers(ctx)
	if err != nil {
		return err
	}
	var by guard.Credentials
	if len(have) > 0 {
		if by, err = AskConsent(ctx, deps, "An approver has to consent."); err != nil {
			return err
		}
	}
	defer clear(by.Passphrase)
	added, err := askNewCredentials(ctx, deps.IO, o.name)
	if err != nil {
		return err
	}
	defer clear(added.Passphrase)
	if err := session.Guard.AddApprover(ctx, added, by); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Linef(term.Good, "%s may approve writes from now on.", o.name)
	u.Field("next", deps.Command()+" approvals list")
	return u.Err
}
