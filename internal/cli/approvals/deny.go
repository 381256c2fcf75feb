package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
)

type denyOptions struct {
	id, reason string
	keys       app.KeyFiles
}

// newCmdDeny builds `approvals deny`.
func newCmdDeny(deps *cmdutil.Deps) *cobra.Command {
	options := &denyOptions{}
	command := &cobra.Command{
		Use:   "deny ID",
		Short: "Deny a write; the agent is told the reason",
		Long: `Deny a write. It takes no passphrase, because a no does no harm. The agent is told
the reason.`,
		Example: "  mcp-partner approvals deny ap_0123456789abcdef01 --reason 'Contoso left us'",
		Args:    cmdutil.OneArgument("the approval's ID"),
		RunE: func(command *cobra.Command, args []string) error {
			options.id = args[0]
			return runDeny(command.Context(), deps, options)
		},
	}
	command.Flags().StringVar(&options.reason, "reason", "", "why, for the agent and the record")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runDeny(ctx context.Context, deps *cmdutil.Deps, o *denyOptions) error {
	if o.reason == "" {
		return exit.Usage("mcp-partner approvals deny --help", "--reason is missing")
	}
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	ticket, err := find(ctx, session, o.id)
	if err != nil {
		return err
	}
	ticket, err = session.Guard.Deny(ctx, ticket.ID, o.reason)
	if err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Linef(term.Good, "Denied %s.", ticket.ID)
	return u.Err
}
