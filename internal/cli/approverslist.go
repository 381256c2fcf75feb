package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// newApproversList builds `approvers list`.
func newApproversList(f *Factory) *cobra.Command {
	options := &approverOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the approvers",
		Example: "  mcp-partner approvers list\n  mcp-partner approvers list --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runApproversList(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.json, "json", false, "print {\"approvers\":[{name,added_at}]}")
	options.keys.add(command.Flags())
	return command
}

type approverRow struct {
	Name    string `json:"name"`
	AddedAt string `json:"added_at"`
}

func runApproversList(ctx context.Context, f *Factory, o *approverOptions) error {
	room, err := f.operator(o.keys, operatorRules(nil))
	if err != nil {
		return err
	}
	defer room.Close()
	approvers, err := room.decider.Approvers(ctx)
	if err != nil {
		return err
	}
	rows, cells := make([]approverRow, len(approvers)), make([][]string, len(approvers))
	for i, a := range approvers {
		rows[i] = approverRow{a.Name, stamp(a.AddedAt)}
		cells[i] = []string{a.Name, stamp(a.AddedAt)}
	}
	if o.json {
		return f.IO.printJSON(map[string][]approverRow{"approvers": rows})
	}
	u := f.IO.ui()
	if len(rows) == 0 {
		u.line(warn, "There is no approver yet.")
		u.field("next", f.command()+" approvers add NAME")
		return u.err
	}
	u.table([]string{"NAME", "ADDED"}, cells)
	return u.err
}
