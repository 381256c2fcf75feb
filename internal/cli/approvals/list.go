package approvals

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
)

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	var flags cmdutil.ListFlags
	command := &cobra.Command{
		Use:     "list",
		Short:   "List approvals, pending first",
		Example: "  mcp-partner approvals list\n  mcp-partner approvals list --json",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			tickets, err := session.Guard.Questions(ctx)
			if err != nil {
				return err
			}
			pending := func(t guard.Ticket) int { return map[bool]int{false: 1}[session.Guard.State(t) == guard.StatePending] }
			slices.SortStableFunc(tickets, func(a, b guard.Ticket) int { return pending(a) - pending(b) })
			rows := xslices.Map(tickets, func(ticket guard.Ticket) ApprovalRow { return approvalRowOf(session, ticket) })
			return cmdutil.Listing[ApprovalRow]{
				Name: "approvals", Rows: rows, Empty: "Nothing waits for an approver.",
				Header: []string{"ID", "STATE", "TOOL", "COMPANY", "DOMAIN", "TENANT", "PARTNER ID", "LINKED NOW", "CALLER", "EXPIRES"},
				Cells: func(r ApprovalRow) []string {
					return []string{r.ID, r.State, r.Tool, r.Company, r.Domain, r.Tenant, r.PartnerID, phrase.Words(r.Before), r.Caller, r.ExpiresAt}
				},
			}.Show(deps.IO, &flags)
		}),
	}
	flags.Add(command.Flags(), "approvals")
	return command
}
