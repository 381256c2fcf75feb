package approvals

import (
	"context"
	"slices"
	"strings"

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
	if slices.ContainsFunc(have, func(a guard.User) bool { return a.Name == name }) {
		return exit.Refused("mcp-partner approvers list", "there is an approver %s already", untrusted.Shown(name))
	}
	add := func(by guard.Credentials) error {
		added, err := askNewCredentials(ctx, deps.IO, name)
		if err != nil {
			return err
		}
		defer clear(added.Passphrase)
		return session.Guard.AddUser(ctx, guard.User{Name: name}, added.Passphrase, by)
	}
	if len(have) > 0 {
		err = WithConsent(ctx, deps, session.Guard, "", "An existing approver must consent.", add)
	} else {
		err = add(guard.Credentials{})
	}
	if err != nil {
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
			rows := xslices.Map(approvers, func(a guard.User) approverRow { return approverRow{a.Name, phrase.Stamp(a.AddedAt)} })
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
			err := WithConsent(ctx, deps, session.Guard, "", "An existing approver must consent.", func(by guard.Credentials) error {
				return session.Guard.RemoveUser(ctx, args[0], by)
			})
			if err != nil {
				return err
			}
			return deps.IO.Say(term.Good, "%s can no longer approve writes.", args[0])
		}),
	}
}

// knownApprover refuses a name that no approver has, before a passphrase is asked
// for. Without a name it only needs an approver to be there.
func knownApprover(ctx context.Context, decider *guard.Guard, name string) error {
	approvers, err := decider.Approvers(ctx)
	if err != nil {
		return err
	}
	names := xslices.Map(approvers, func(a guard.User) string { return a.Name })
	switch {
	case len(names) == 0:
		return exit.Refused("mcp-partner approvers add NAME", "there are no approvers yet")
	case name != "" && !slices.Contains(names, name):
		return exit.Refused("give the name of one of them, or run mcp-partner approvers add NAME",
			"there is no approver %s; the approvers are %s", untrusted.Shown(name), strings.Join(names, ", "))
	}
	return nil
}

func approverName(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string) (string, error) {
	if err := knownApprover(ctx, decider, name); err != nil || name != "" {
		return name, err
	}
	name, err := deps.IO.Ask(ctx, strings.TrimSpace(why+" Approver's name:")+" ", false)
	if err != nil {
		return "", err
	}
	return name, knownApprover(ctx, decider, name)
}

// Consent asks an approver for the passphrase; without a name, for that too.
func Consent(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string) (by guard.Credentials, err error) {
	if name, err = approverName(ctx, deps, decider, name, why); err != nil {
		return by, err
	}
	return askCredentials(ctx, deps.IO, name)
}

// WithConsent makes a change to which an approver consents.
func WithConsent(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, name, why string, change func(by guard.Credentials) error) error {
	by, err := Consent(ctx, deps, decider, name, why)
	if err != nil {
		return err
	}
	defer clear(by.Passphrase)
	if err := change(by); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	return nil
}

func askCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
	typed, err := s.Ask(ctx, "Passphrase of approver "+name+" (not shown): ", true)
	return guard.Credentials{Name: name, Passphrase: []byte(typed)}, err
}

func askNewCredentials(ctx context.Context, s *term.Streams, name string) (guard.Credentials, error) {
	first, err := s.Ask(ctx, "New passphrase of approver "+name+" (not shown): ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	second, err := s.Ask(ctx, "Repeat it: ", true)
	if err != nil {
		return guard.Credentials{}, err
	}
	if first != second {
		return guard.Credentials{}, exit.Refused("", "the two passphrases differ, so nothing was changed")
	}
	return guard.Credentials{Name: name, Passphrase: []byte(first)}, nil
}
