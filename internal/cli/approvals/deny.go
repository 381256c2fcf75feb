package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

func newCmdDeny(deps *cmdutil.Deps) *cobra.Command {
	var reason string
	command := &cobra.Command{
		Use:     "deny ID",
		Short:   "Deny a write, with a reason for the agent",
		Long:    `Deny a write. No passphrase is needed. The agent receives the reason.`,
		Example: "  mcp-partner approvals deny ap_0123456789abcdef01 --reason 'Contoso left us'",
		Args:    cmdutil.OneArgument("the approval's ID"),
		PreRunE: needReason(&reason),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			ticket, err := find(ctx, session, args[0])
			if err != nil {
				return err
			}
			if ticket, err = session.Guard.Deny(ctx, ticket.ID, reason); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "Denied %s.", ticket.ID)
		}),
	}
	command.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for the agent and the record")
	return command
}
