package approvals

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// NewCmdApprovers builds `approvers` with its subcommands.
func NewCmdApprovers(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:   "approvers",
		Short: "Manage the people who may approve writes",
		Long: `Manage the people who may approve writes. An approver has a passphrase, which is typed
on the terminal and never read from a flag, a variable or standard input. You can add
the first approver yourself; each further one needs an existing approver's consent.`,
		Example: "  mcp-partner approvers add alice\n  mcp-partner approvers list",
	}
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(newCmdApproversAdd(deps), newCmdApproversList(deps), newCmdApproversRemove(deps))
	return command
}

func newCmdApproversAdd(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME",
		Short: "Add an approver",
		Long: `Add an approver. The command asks for the new passphrase on the terminal, twice. If
there are approvers already, one of them must consent.`,
		Example: "  mcp-partner approvers add alice",
		Args:    cmdutil.OneArgument("the approver's name"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			return addApprover(ctx, deps, session, args[0])
		}),
	}
}

func addApprover(ctx context.Context, deps *cmdutil.Deps, session *app.Session, name string) error {
	have, err := session.Guard.Approvers(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(have, func(a guard.Approver) bool { return a.Name == name }) {
		return exit.Refused("mcp-partner approvers list", "there is an approver %s already", untrusted.Shown(name))
	}
	var by guard.Credentials
	if len(have) > 0 {
		if by, err = Consent(ctx, deps, session.Guard, "", "An existing approver must consent."); err != nil {
			return err
		}
	}
	defer clear(by.Passphrase)
	added, err := askNewCredentials(ctx, deps.IO, name)
	if err != nil {
		return err
	}
	defer clear(added.Passphrase)
	if err := session.Guard.AddApprover(ctx, added, by); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Linef(term.Good, "%s can approve writes now.", name)
	u.Field("next", deps.Command()+" approvals list")
	return u.Err
}

type approverRow struct {
	Name    string `json:"name"`
	AddedAt string `json:"added_at"`
}

func newCmdApproversList(deps *cmdutil.Deps) *cobra.Command {
	var flags cmdutil.ListFlags
	command := &cobra.Command{
		Use:     "list",
		Short:   "List the approvers",
		Example: "  mcp-partner approvers list\n  mcp-partner approvers list --json",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			approvers, err := session.Guard.Approvers(ctx)
			if err != nil {
				return err
			}
			rows := xslices.Map(approvers, func(a guard.Approver) approverRow { return approverRow{a.Name, phrase.Stamp(a.AddedAt)} })
			return cmdutil.Listing[approverRow]{
				Name: "approvers", Rows: rows, Empty: "There are no approvers yet.", Next: deps.Command() + " approvers add NAME",
				Header: []string{"NAME", "ADDED"}, Cells: func(r approverRow) []string { return []string{r.Name, r.AddedAt} },
			}.Show(deps.IO, &flags)
		}),
	}
	flags.Add(command.Flags(), "approvers")
	return command
}

func newCmdApproversRemove(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an approver, and void their unused approvals",
		Long: `Remove an approver, with the passphrase of that approver or another one. Approvals
that the approver gave and nobody has used become void.`,
		Example: "  mcp-partner approvers remove alice",
		Args:    cmdutil.OneArgument("the approver's name"),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			if err := knownApprover(ctx, session.Guard, args[0]); err != nil {
				return err
			}
			by, err := Consent(ctx, deps, session.Guard, "", "An existing approver must consent.")
			if err != nil {
				return err
			}
			defer clear(by.Passphrase)
			if err := session.Guard.RemoveApprover(ctx, args[0], by); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "%s can no longer approve writes.", args[0])
		}),
	}
}
