package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type approvalsListOptions struct {
	json bool
	keys keyOptions
}

// newApprovalsList builds `approvals list`.
func newApprovalsList(f *Factory) *cobra.Command {
	options := &approvalsListOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the questions for approvers, newest first",
		Example: "  mcp-partner approvals list\n  mcp-partner approvals list --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runApprovalsList(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.json, "json", false, "print {\"approvals\":[...]}")
	options.keys.add(command.Flags())
	return command
}

func runApprovalsList(ctx context.Context, f *Factory, o *approvalsListOptions) error {
	rows, err := f.approvalRows(ctx, o.keys)
	if err != nil {
		return err
	}
	if o.json {
		return f.IO.printJSON(map[string][]approvalRow{"approvals": rows})
	}
	u := f.IO.ui()
	if len(rows) == 0 {
		u.line(plain, "Nothing waits for an approver.")
		return u.err
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.ID, r.State, r.Tool, r.Tenant, r.PartnerID, r.Before, r.Caller, r.ExpiresAt}
	}
	u.table([]string{"ID", "STATE", "TOOL", "TENANT", "PARTNER ID", "LINKED NOW", "CALLER", "EXPIRES"}, cells)
	return u.err
}

func (f *Factory) approvalRows(ctx context.Context, keys keyOptions) ([]approvalRow, error) {
	room, err := f.operator(keys, operatorRules(nil))
	if err != nil {
		return nil, err
	}
	defer room.Close()
	tickets, err := room.decider.Questions(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]approvalRow, len(tickets))
	for i, ticket := range tickets {
		rows[i] = room.approvalRow(ticket)
	}
	return rows, nil
}
