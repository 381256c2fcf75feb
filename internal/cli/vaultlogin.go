package cli

import (
	"context"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/signin"
	"mcp-partner/tenants"
)

type vaultLoginOptions struct {
	credential, tenant string
	noBrowser          bool
	keys               keyOptions
}

// newVaultLogin builds `vault login`.
func newVaultLogin(f *Factory) *cobra.Command {
	options := &vaultLoginOptions{}
	command := &cobra.Command{
		Use:   "login NAME",
		Short: "Sign in for a credential that is a person",
		Long: `Sign in for a credential of the kind device-code or browser. What lasts of the
sign-in is kept encrypted in the vault and serves every tenant that uses the
credential, until it is not used for 90 days or ended by Entra ID. A server never
asks anybody: it answers interaction_required with this command.

You sign in at the tenant of the first entry that uses the credential, or that of
--tenant. Somebody else than the pinned identity is refused.`,
		Example:           "  mcp-partner vault login alice\n  mcp-partner vault login alice --tenant fabrikam",
		Args:              oneArgument("the name of the credential"),
		ValidArgsFunction: first(f.credentialNames),
		RunE: func(command *cobra.Command, args []string) error {
			options.credential = args[0]
			return runVaultLogin(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.tenant, "tenant", "", "sign in at this `TENANT` of the directory")
	flags.BoolVar(&options.noBrowser, "no-browser", false, "show the address of the sign-in page and open no browser")
	options.keys.add(flags)
	return command
}

func runVaultLogin(ctx context.Context, f *Factory, o *vaultLoginOptions) error {
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	config, err := h.directory.Credential(o.credential)
	if err != nil {
		return err
	}
	entry, err := h.tenantOf(config, o.tenant)
	if err != nil {
		return err
	}
	if err := h.open(ctx); err != nil {
		return err
	}
	u := f.IO.ui()
	who, err := h.source.Login(ctx, entry.Name, config.Name, u.loginUI(o.noBrowser))
	if err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "%s (object ID %s) signed in for the credential %s.", who.Account, who.ObjectID, config.Name)
	u.linef(good, "Signed in for the credential %s.", config.Name)
	u.field("account", who.Account)
	u.field("tenant", who.TenantID)
	u.field("object ID", who.ObjectID)
	u.field("next", "mcp-partner call check_partner_link --tenant "+entry.Name)
	return u.err
}

// tenantOf is the entry at which a person signs in.
func (h *house) tenantOf(config tenants.CredentialConfig, tenant string) (tenants.Entry, error) {
	if tenant != "" {
		return h.directory.Resolve(tenant)
	}
	entries, err := h.directory.List()
	if err != nil {
		return tenants.Entry{}, err
	}
	for _, entry := range entries {
		if _, err := entry.Credential(config.Name); err == nil {
			return entry, nil
		}
	}
	return tenants.Entry{}, refused("mcp-partner tenants add NAME --tenant-id GUID --credential "+config.Name, "no tenant uses the credential %s", config.Name)
}

// loginUI shows a person how to sign in.
func (u *ui) loginUI(noBrowser bool) signin.LoginUI {
	return signin.LoginUI{
		Device: func(p signin.DevicePrompt) error {
			u.line(bold, "Open this page on any device, and type the code there.")
			u.field("page", p.URL)
			u.field("code", p.Code)
			u.field("until", p.Expires.Local().Format(time.TimeOnly))
			return u.err
		},
		Open: func(page string) error {
			u.line(bold, "Sign in in your browser. If it does not open by itself, open this page on this machine.")
			u.field("page", page)
			if !noBrowser {
				openBrowser(page)
			}
			return u.err
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
