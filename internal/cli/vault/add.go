package vault

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/tenants"
)

func newCmdAdd(deps *cmdutil.Deps) *cobra.Command {
	options := &credential.Options{}
	command := &cobra.Command{
		Use:   "add NAME",
		Short: "Store a secret under a new name",
		Long: `Store a client secret, or a certificate with its key, under a new name. A credential
uses the secret with its own name: tenants add --credential NAME finds it there, as it
finds one that another program put into a backend. Usually tenants add stores the
secret itself. To replace a secret, use vault rotate-secret.`,
		Example: `  mcp-partner vault add contoso-app --secret-stdin < secret
  mcp-partner vault add contoso-app --certificate-file app.pem`,
		Args: cmdutil.OneArgument("the name of the secret"),
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, args []string) error {
			return runAdd(ctx, deps, a, args[0], options)
		}),
	}
	flags := command.Flags()
	cmdutil.AddSecretFlags(&options.Secret, flags)
	cmdutil.AddCertificateFlags(&options.Kind, flags, "the certificate")
	config.Typed(flags, "certificate-file", "certificate-stdin", "certificate-passphrase-file")
	return command
}

func runAdd(ctx context.Context, deps *cmdutil.Deps, a *app.App, name string, o *credential.Options) error {
	if o.Kind.Certificate() && o.Secret.Given() {
		return exit.Usage("give one of them", "a secret and a certificate were both given")
	}
	taken, err := a.Holds(ctx, name)
	if err != nil {
		return err
	}
	if taken {
		return exit.Refused("mcp-partner vault rotate-secret "+phrase.ShellWord(name), "the vault already holds a secret with that name")
	}
	config := tenants.CredentialConfig{Name: name, Kind: tenants.KindClientSecret}
	if o.Kind.Certificate() {
		config.Kind = tenants.KindClientCertificate
	}
	got, err := cmdutil.AskSecret(ctx, o, deps, config)
	if err != nil {
		return err
	}
	if err := a.Store.Put(ctx, name, got.Secret); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindSecret, "The secret %s was stored.", name)
	u := deps.IO.UI()
	u.Linef(term.Good, "Stored the secret %s.", name)
	next := "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --credential " + phrase.ShellWord(name)
	if o.Kind.Certificate() {
		next += " --kind " + string(config.Kind)
	}
	u.Field("next", next)
	return u.Err
}
