package vault

import (
	"context"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/signin"
)

// LoginOptions say who signs in, and at which tenant.
type LoginOptions struct {
	Credential, Tenant string
	noBrowser          bool
}

func newCmdLogin(deps *cmdutil.Deps) *cobra.Command {
	options := &LoginOptions{}
	command := &cobra.Command{
		Use:   "login NAME",
		Short: "Sign in for a credential that is a person",
		Long: `Sign in for a credential of the kind device-code or browser. The vault keeps the
refresh token, encrypted, for every tenant that uses the credential; it expires after
90 days without use or when Entra ID ends it. A server never asks a person to sign in:
it answers interaction_required with this command.

You sign in at the first tenant that uses the credential, or at --tenant. Anyone other
than the pinned identity is refused.`,
		Example:           "  mcp-partner vault login alice\n  mcp-partner vault login alice --tenant fabrikam",
		Args:              cmdutil.OneArgument("the name of the credential"),
		ValidArgsFunction: cmdutil.CompleteFirst(deps.CredentialNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.Credential = args[0]
			return RunLogin(command.Context(), deps, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Tenant, "tenant", "", "sign in at this `TENANT` of the directory")
	flags.BoolVar(&options.noBrowser, "no-browser", false, "show the address of the sign-in page and open no browser")
	return command
}

// RunLogin signs a person in as `vault login` does. It refuses a credential that no
// tenant uses, and a person other than the pinned identity.
func RunLogin(ctx context.Context, deps *cmdutil.Deps, o *LoginOptions) error {
	a, err := deps.Open(nil)
	if err != nil {
		return err
	}
	defer a.Close()
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
