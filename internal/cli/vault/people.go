package vault

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/signin"
	"mcp-partner/vault"
)

func newCmdRecipients(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.Parent("recipients", "Manage who else can open a vault file",
		newCmdRecipientsAdd(deps), newCmdRecipientsList(deps), newCmdRecipientsRemove(deps))
}

func newCmdRecipientsAdd(deps *cmdutil.Deps) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME PUBLIC-KEY",
		Short: "Add an age public key that can open the vault",
		Args: func(command *cobra.Command, args []string) error {
			if len(args) != 2 || strings.HasPrefix(strings.ToUpper(args[1]), "AGE-SECRET-KEY") {
				return exit.Usage(cmdutil.Help(command), "%s takes a name and an age public key, which begins with age1", command.CommandPath())
			}
			return nil
		},
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			if err := a.Vault.AddRecipient(ctx, args[0], args[1]); err != nil {
				return err
			}
			deps.Record(ctx, a, guard.KindSecret, "The recipient %s was added to the vault.", args[0])
			u := deps.IO.UI()
			u.Linef(term.Good, "%s can open the vault now.", args[0])
			u.Field("next", "give them vault.age and directory.json; they use --identity-file FILE")
			return u.Err
		}),
	}
}

func newCmdRecipientsList(deps *cmdutil.Deps) *cobra.Command {
	return cmdutil.ListCommand(deps, "recipients", "List who can open the vault", deps.OnVault, func(ctx context.Context, a *app.App) (cmdutil.Listing[vault.Recipient], error) {
		recipients, err := a.Vault.Recipients(ctx)
		return cmdutil.Listing[vault.Recipient]{
			Rows: recipients, Empty: "The vault has one key and no recipients.", Header: []string{"NAME", "PUBLIC KEY", "ADDED"},
			Cells: func(r vault.Recipient) []string { return []string{r.Name, r.Key, r.AddedAt.Format(time.DateOnly)} },
		}, err
	})
}

func newCmdRecipientsRemove(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a recipient and encrypt the vault again",
		Args:  cmdutil.OneArgument("the name of the recipient"),
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			known, err := a.Vault.RemoveRecipient(ctx, args[0])
			if err != nil {
				return err
			}
			deps.Record(ctx, a, guard.KindSecret, "The vault was encrypted again without the recipient %s.", args[0])
			answer := map[string]any{"removed": args[0], "rotate": append([]string{}, known...)}
			return deps.IO.Answer(asJSON, answer, func(u *term.UI) {
				u.Linef(term.Good, "Encrypted the vault again without %s.", args[0])
				if len(known) > 0 {
					u.Line(term.Warn, "They could read these secrets and may have kept them. Replace each:")
				}
				for _, secret := range known {
					u.Field("next", "mcp-partner vault rotate-secret "+phrase.ShellWord(secret))
				}
			})
		}),
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// LoginOptions say who signs in, and at which tenant.
type LoginOptions struct {
	Credential, Tenant string
	noBrowser          bool
}

func newCmdLogin(deps *cmdutil.Deps) *cobra.Command {
	options := &LoginOptions{}
	command := &cobra.Command{
		Use:               "login NAME",
		Short:             "Sign in for a credential that is a person",
		Args:              cmdutil.OneArgument("the name of the credential"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.CredentialNames),
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, args []string) error {
			options.Credential = args[0]
			return RunLogin(ctx, deps, a, options)
		}),
	}
	flags := command.Flags()
	flags.StringVar(&options.Tenant, "tenant", "", "sign in at this `TENANT` of the directory")
	flags.BoolVar(&options.noBrowser, "no-browser", false, "show the address of the sign-in page and open no browser")
	return command
}

// RunLogin signs a person in as `vault login` does. It refuses a credential that no
// tenant uses, and a person other than the pinned identity.
func RunLogin(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *LoginOptions) error {
	config, err := a.Directory.Credential(o.Credential)
	if err != nil {
		return err
	}
	entry, ok, err := a.TenantFor(config.Name, o.Tenant)
	switch {
	case err != nil:
		return err
	case !ok:
		return exit.Refused("mcp-partner tenants add NAME --tenant-id GUID --credential "+config.Name, "no tenant uses the credential %s", config.Name)
	}
	if err := a.Open(ctx); err != nil {
		return err
	}
	u := deps.IO.UI()
	who, err := a.Source.Login(ctx, entry.Name, config.Name, loginUI(u, o.noBrowser))
	if err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindSecret, "%s (object ID %s) signed in for the credential %s.", who.Account, who.ObjectID, config.Name)
	u = deps.IO.UI()
	u.Linef(term.Good, "Signed in for the credential %s.", config.Name)
	u.Field("account", who.Account)
	u.Field("tenant", who.TenantID)
	u.Field("object ID", who.ObjectID)
	u.Field("next", "mcp-partner call check_partner_link --tenant "+entry.Name)
	return u.Err
}

func loginUI(u *term.UI, noBrowser bool) signin.LoginUI {
	return signin.LoginUI{
		Device: func(p signin.DevicePrompt) error {
			u.Line(term.Bold, "Open this page on any device and type the code.")
			u.Field("page", p.URL)
			u.Field("code", p.Code)
			u.Field("until", p.Expires.Local().Format(time.TimeOnly))
			return u.Err
		},
		Open: func(page string) error {
			u.Line(term.Bold, "Sign in with your browser. If it does not open, open this page on this machine.")
			u.Field("page", page)
			if !noBrowser {
				openBrowser(page)
			}
			return u.Err
		},
	}
}

// openBrowser tries; the address was shown in any case.
func openBrowser(page string) {
	name, args := "xdg-open", []string{page}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", page}
	}
	command := exec.Command(name, args...)
	if command.Start() == nil {
		go func() { _ = command.Wait() }()
	}
}
