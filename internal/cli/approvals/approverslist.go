package approvals

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/phrase"
)

// newCmdApproversList builds `approvers list`.
func newCmdApproversList(deps *cmdutil.Deps) *cobra.Command {
	options := &approverOptions{}
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the approvers",
		Example: "  mcp-partner approvers list\n  mcp-partner approvers list --json",
		Args:    cmdutil.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return runApproversList(command.Context(), deps, options)
		},
	}
	command.Flags().BoolVar(&options.json, "json", false, "print {\"approvers\":[{name,added_at}]}")
	cmdutil.AddKeyFlags(&options.keys, command.Flags())
	return command
}

type approverRow struct {
	Name    string `json:"name"`
	AddedAt string `json:"added_at"`
}

func runApproversList(ctx context.Context, deps *cmdutil.Deps, o *approverOptions) error {
	session, err := deps.OpenSession(o.keys, cmdutil.OperatorRules(nil))
	if err != nil {
		return err
	}
	defer session.Close()
	approvers, err := session.Guard.Approvers(ctx)
	if err != nil {
		return err
	}
	rows, cells := make([]approverRow, len(approvers)), make([][]string, len(approvers))
	for i, a := range approvers {
		rows[i] = approverRow{a.Name, phrase.Stamp(a.AddedAt)}
		cells[i] = []string{a.Name, phrase.Stamp(a.AddedAt)}
	}
	if o.json {
		return deps.IO.PrintJSON(map[string][]approverRow{"approvers": rows})
	}
	u := deps.IO.UI()
	if len(rows) == 0 {
		u.Line(term.Warn, "There is no approver yet.")
		u.Field("next", deps.Command()+" approvers add NAME")
		return u.Err
	}
	u.Table([]string{"NAME", "ADDED"}, cells)
	return u.Err
}
