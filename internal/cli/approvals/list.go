package approvals

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
)

type listOptions struct {
	cmdutil.ListFlags
	keys app.KeyFiles
}

// newCmdList builds `approvals list`.
func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	options := &listOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the questions for approvers, pending first",
		Example: "  mcp-partner approvals list\n  mcp-partner approvals list --json",
		Args:    cmdutil.NoArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runList(command.Context(), deps, options) },
	}
	options.Add(command.Flags(), "approvals")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

func runList(ctx context.Context, deps *cmdutil.Deps, o *listOptions) error {
	rows, err := approvalRows(ctx, deps, o.keys)
	if err != nil {
		return err
	}
	if o.JSON {
		return deps.IO.PrintJSON(map[string][]ApprovalRow{"approvals": rows})
	}
	u := o.UI(deps.IO)
	if len(rows) == 0 {
		u.Line(term.Plain, "Nothing waits for an approver.")
		return u.Err
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.ID, r.State, r.Tool, r.Company, r.Tenant, r.PartnerID, r.Before, r.Caller, r.ExpiresAt}
	}
	u.Table([]string{"ID", "STATE", "TOOL", "COMPANY", "TENANT", "PARTNER ID", "LINKED NOW", "CALLER", "EXPIRES"}, cells)
	return u.Err
}

func approvalRows(ctx context.Context, deps *cmdutil.Deps, keys app.KeyFiles) ([]ApprovalRow, error) {
	session, err := deps.OpenSession(keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return nil, err
	}
	defer session.Close()
	tickets, err := session.Guard.Questions(ctx)
	if err != nil {
		return nil, err
	}
	pending := func(t guard.Ticket) int { return map[bool]int{false: 1}[session.Guard.State(t) == guard.StatePending] }
	slices.SortStableFunc(tickets, func(a, b guard.Ticket) int { return pending(a) - pending(b) })
	rows := make([]ApprovalRow, len(tickets))
	for i, ticket := range tickets {
		rows[i] = approvalRowOf(session, ticket)
	}
	return rows, nil
}
