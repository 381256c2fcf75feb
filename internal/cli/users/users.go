// Package users has the commands of people: those who approve on the terminal, and those
// who sign in to a server.
package users

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// NewCmdUsers builds `users` with its subcommands.
func NewCmdUsers(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:        "users",
		SuggestFor: []string{"approvers"},
		Short:      "Manage the people who approve writes or sign in",
	}
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(newCmdAdd(deps), newCmdInvite(deps), newCmdReset(deps), newCmdConfirm(deps), newCmdList(deps), newCmdSignOut(deps), newCmdRemove(deps))
	return command
}

const userArgument = "the user's name"

// userFlags are what a user may do, and who else the same human is.
type userFlags struct {
	scopes, tenants, tools, partnerIDs, also, accounts cmdutil.List
}

func (o *userFlags) add(flags *pflag.FlagSet) {
	flags.Var(&o.scopes, "scopes", "allowed `SCOPES`, separated by commas (default "+string(access.ScopeApprove)+")")
	flags.Var(&o.tenants, "tenants", "allowed `TENANTS`: names or globs, separated by commas (default *)")
	flags.Var(&o.tools, "tools", "only these `TOOLS` of the scopes, separated by commas")
	flags.Var(&o.partnerIDs, "partner-ids", "only writes of these partner `IDS`, separated by commas")
	flags.Var(&o.also, "also", "other `CALLERS` who are the same person, such as entra:TENANT:OBJECT")
	flags.Var(&o.accounts, "accounts", "operating-system `ACCOUNTS` of the same person")
	config.Typed(flags, "scopes", "tenants", "tools", "partner-ids", "also", "accounts")
}

func (o *userFlags) user(name string) guard.User {
	return guard.User{
		Name: name, Also: xslices.Map(o.also, func(c string) access.Caller { return access.Caller(c) }), Accounts: o.accounts,
		Grant: access.Grant{
			Scopes:  xslices.Map(o.scopes, func(s string) access.Scope { return access.Scope(s) }),
			Tenants: o.tenants, Tools: o.tools, PartnerIDs: o.partnerIDs,
		},
	}
}

func newCmdAdd(deps *cmdutil.Deps) *cobra.Command {
	var flags userFlags
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user with a passphrase, who approves on the terminal",
		Args:  cmdutil.OneArgument(userArgument),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			return addUser(ctx, deps, session.Guard, flags.user(args[0]))
		}),
	}
	flags.add(command.Flags())
	return command
}

func addUser(ctx context.Context, deps *cmdutil.Deps, decider *guard.Guard, user guard.User) error {
	have, err := decider.Users(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(have, func(u guard.User) bool { return u.Name == user.Name && u.Key != nil }) {
		return exit.Refused("mcp-partner users list", "there is a user %s with a passphrase already", untrusted.Shown(user.Name))
	}
	approvers, err := decider.Approvers(ctx)
	if err != nil {
		return err
	}
	add := func(by guard.Credentials) error {
		added, err := askNewCredentials(ctx, deps.IO, user.Name)
		if err != nil {
			return err
		}
		defer clear(added.Passphrase)
		return decider.AddUser(ctx, user, added.Passphrase, by)
	}
	if len(approvers) > 0 {
		err = WithConsent(ctx, deps, decider, "", "An existing approver must consent.", add)
	} else {
		err = add(guard.Credentials{})
	}
	if err != nil {
		return err
	}
	deps.IO.ChangeMade()
	u := deps.IO.UI()
	u.Linef(term.Good, "%s can approve writes now.", user.Name)
	u.Field("next", deps.Command()+" users list")
	return u.Err
}

// link is where invitations are opened.
type link struct{ publicURL string }

func (l *link) add(flags *pflag.FlagSet) {
	flags.StringVar(&l.publicURL, "public-url", "", "the `URL` of the server, such as https://partner.example.com")
	config.Standing(flags, "public-url")
}

// to returns the link of a handle. The handle is in the fragment, which a browser sends
// to nobody.
func (l *link) to(handle string) (string, error) {
	at, err := url.Parse(l.publicURL)
	if err != nil || at.Host == "" || at.Scheme != "https" && (at.Scheme != "http" || at.Hostname() != "localhost") {
		return "", exit.Usage("give --public-url https://partner.example.com, as the server has it", "an invitation needs the URL of the server, with https or on localhost")
	}
	if _, err := netip.ParseAddr(at.Hostname()); err == nil {
		return "", exit.Usage("give --public-url https://partner.example.com, as the server has it", "--public-url has an address in place of a name, to which browsers bind no passkey")
	}
	return (&url.URL{Scheme: at.Scheme, Host: at.Host, Path: "/invite", Fragment: handle}).String(), nil
}

// inviting makes a change that ends with a link.
func inviting(ctx context.Context, deps *cmdutil.Deps, session *app.Session, l link, name string, change func(by guard.Credentials) (string, error)) error {
	if _, err := l.to(""); err != nil {
		return err
	}
	var address string
	err := withConsentIfAny(ctx, deps, session.Guard, name, func(by guard.Credentials) error {
		handle, err := change(by)
		if err != nil {
			return err
		}
		address, err = l.to(handle)
		return err
	})
	if err != nil {
		return err
	}
	u := deps.IO.UI()
	u.Linef(term.Bold, "Send this link to %s over a channel that only they read. It works once, for 15 minutes, and is not shown again:", name)
	u.Write(address + "\n")
	users, err := session.Guard.Users(ctx)
	for _, user := range users {
		if user.Name == name {
			row := userRowOf(user, 0, time.Now())
			u.Field("scopes", row.scopes())
			u.Field("tenants", strings.Join(row.Tenants, ", "))
		}
	}
	if err != nil {
		return err
	}
	u.Field("next", "once the passkey is made, ask "+name+" whether it was theirs; then another approver may run "+deps.Command()+" users confirm "+name)
	return u.Err
}

func newCmdInvite(deps *cmdutil.Deps) *cobra.Command {
	var flags userFlags
	var l link
	command := &cobra.Command{
		Use:   "invite NAME",
		Short: "Print a link with which a user makes a passkey",
		Args:  cmdutil.OneArgument(userArgument),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			return inviting(ctx, deps, session, l, args[0], func(by guard.Credentials) (string, error) {
				return session.Guard.InviteUser(ctx, flags.user(args[0]), by)
			})
		}),
	}
	flags.add(command.Flags())
	l.add(command.Flags())
	return command
}

func newCmdReset(deps *cmdutil.Deps) *cobra.Command {
	var l link
	command := &cobra.Command{
		Use:   "reset NAME",
		Short: "Remove the passkeys and passphrase of a user, and invite them anew",
		Args:  cmdutil.OneArgument(userArgument),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			return inviting(ctx, deps, session, l, args[0], func(by guard.Credentials) (string, error) {
				return session.Guard.ResetUser(ctx, args[0], by)
			})
		}),
	}
	l.add(command.Flags())
	return command
}

func newCmdConfirm(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm NAME",
		Short: "Let the new passkey of a user approve at once",
		Args:  cmdutil.OneArgument(userArgument),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			err := WithConsent(ctx, deps, session.Guard, "", "Another approver must consent.", func(by guard.Credentials) error {
				return session.Guard.ConfirmUser(ctx, args[0], by)
			})
			if err != nil {
				return err
			}
			return deps.IO.Say(term.Good, "The passkey of %s can approve now.", args[0])
		}),
	}
}

type userRow struct {
	Name   string         `json:"name"`
	SignIn []string       `json:"sign_in"`
	Scopes []access.Scope `json:"scopes"`
	// Tenants may be globs; Tools and PartnerIDs are left out where all are allowed.
	Tenants    []string        `json:"tenants"`
	Tools      []string        `json:"tools,omitempty"`
	PartnerIDs []string        `json:"partner_ids,omitempty"`
	Also       []access.Caller `json:"also,omitempty"`
	Accounts   []string        `json:"accounts,omitempty"`
	Sessions   int             `json:"sessions"`
	AddedAt    string          `json:"added_at"`
}

func userRowOf(u guard.User, sessions int, now time.Time) userRow {
	row := userRow{
		Name: u.Name, SignIn: []string{}, Scopes: u.Grant.Scopes, Tenants: u.Grant.Tenants, Tools: u.Grant.Tools, PartnerIDs: u.Grant.PartnerIDs,
		Also: u.Also, Accounts: u.Accounts, Sessions: sessions, AddedAt: phrase.Stamp(u.AddedAt),
	}
	if u.Key != nil {
		row.SignIn = append(row.SignIn, "passphrase")
	}
	switch {
	case u.Fresh(now):
		row.SignIn = append(row.SignIn, "new passkey")
	case len(u.Passkeys) > 0:
		row.SignIn = append(row.SignIn, "passkey")
	}
	return row
}

func (r userRow) scopes() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(r.Scopes), "[]"), " ", ", ")
}

func newCmdList(deps *cmdutil.Deps) *cobra.Command {
	var flags cmdutil.ListFlags
	command := &cobra.Command{
		Use:   "list",
		Short: "List the users, and how they approve and sign in",
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, _ []string) error {
			rows, err := userRows(ctx, session.Guard)
			if err != nil {
				return err
			}
			return cmdutil.Listing[userRow]{
				Name: "users", Rows: rows, Empty: "There are no users yet.", Next: deps.Command() + " users add NAME",
				Header: []string{"NAME", "SIGNS IN WITH", "SCOPES", "TENANTS", "SESSIONS", "ADDED"},
				Cells: func(r userRow) []string {
					return []string{r.Name, strings.Join(r.SignIn, ", "), r.scopes(), strings.Join(r.Tenants, ", "), fmt.Sprint(r.Sessions), r.AddedAt}
				},
			}.Show(deps.IO, &flags)
		}),
	}
	flags.Add(command.Flags(), "users")
	return command
}

func userRows(ctx context.Context, decider *guard.Guard) (rows []userRow, err error) {
	users, err := decider.Users(ctx)
	for _, user := range users {
		sessions, err := decider.Sessions(ctx, user)
		if err != nil {
			return nil, err
		}
		rows = append(rows, userRowOf(user, sessions, time.Now()))
	}
	return rows, err
}

func newCmdSignOut(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "sign-out NAME",
		Short: "End the sessions of a user, and the tokens of their clients",
		Args:  cmdutil.OneArgument(userArgument),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			if err := session.Guard.SignOutUser(ctx, args[0], ""); err != nil {
				return err
			}
			deps.IO.ChangeMade()
			return deps.IO.Say(term.Good, "%s is signed out everywhere.", args[0])
		}),
	}
}

func newCmdRemove(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user, and void their unused approvals",
		Args:  cmdutil.OneArgument(userArgument),
		RunE: deps.OnLedger(func(ctx context.Context, session *app.Session, args []string) error {
			users, err := session.Guard.Users(ctx)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(users, func(u guard.User) bool { return u.Name == args[0] }) {
				return exit.Refused("mcp-partner users list", "there is no user %s", untrusted.Shown(args[0]))
			}
			err = withConsentIfAny(ctx, deps, session.Guard, args[0], func(by guard.Credentials) error {
				return session.Guard.RemoveUser(ctx, args[0], by)
			})
			if err != nil {
				return err
			}
			return deps.IO.Say(term.Good, "%s is removed and can no longer approve writes or sign in.", args[0])
		}),
	}
}
