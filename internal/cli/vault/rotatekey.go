package vault

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/phrase"
	"mcp-partner/vault"
)

type rotateKeyOptions struct {
	dryRun, json, passphrase, keyFile bool
	passphraseFile, identityFile      string
}

func newCmdRotateKey(deps *cmdutil.Deps) *cobra.Command {
	options := &rotateKeyOptions{}
	command := &cobra.Command{
		Use:   "rotate-key",
		Short: "Encrypt the vault again with a new key",
		Long: `Encrypt the vault again with a new key. A key that this program keeps, in vault.key or
in the backend, is replaced. For a vault with a passphrase or your own identity, give
the new one by a flag. If the command is interrupted, the vault opens as before;
run it again to finish. The key that seals questions is replaced too. The keys of the
ledger stay, because its chain depends on them.

HashiCorp Vault and Azure Key Vault encrypt secrets with keys of their own; there this
command replaces the key of the program's own keys.`,
		Example: `  mcp-partner vault rotate-key --dry-run
  mcp-partner vault rotate-key
  mcp-partner vault rotate-key --new-passphrase
  mcp-partner vault rotate-key --passphrase-file OLD --new-passphrase-file NEW`,
		RunE: deps.OnVault(func(ctx context.Context, a *app.App, _ []string) error {
			return runRotateKey(ctx, deps, a, options)
		}),
	}
	flags := command.Flags()
	flags.BoolVar(&options.dryRun, "dry-run", false, "show what would be done, and change nothing")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	flags.BoolVar(&options.passphrase, "new-passphrase", false, "ask for the new passphrase on the terminal")
	flags.StringVar(&options.passphraseFile, "new-passphrase-file", "", "`FILE` with the new passphrase")
	flags.StringVar(&options.identityFile, "new-identity-file", "", "`FILE` with the new age identity")
	flags.BoolVar(&options.keyFile, "new-key-file", false, "keep a new key beside the vault")
	config.Typed(flags, "new-passphrase", "new-passphrase-file", "new-identity-file", "new-key-file")
	return command
}

func runRotateKey(ctx context.Context, deps *cmdutil.Deps, a *app.App, o *rotateKeyOptions) error {
	done, err := a.Vault.RotateKey(ctx, vault.RotateOptions{
		DryRun: o.dryRun, AskPassphrase: o.passphrase, KeyFile: o.keyFile, Fresh: []string{app.SealKey},
		To: vault.KeySource{PassphraseFile: o.passphraseFile, IdentityFile: o.identityFile},
	})
	if err != nil {
		return err
	}
	if !o.dryRun {
		deps.Record(ctx, a, guard.KindSecret, "The vault was encrypted again with a new key.")
	}
	return deps.IO.Answer(o.json, done, func(u *term.UI) {
		u.Linef(term.Good, "%s %s and %s of the program.", rotationVerb(o.dryRun, done.Resumed), phrase.Count(done.Secrets, "secret"), phrase.Count(done.Keys, "key"))
		u.Field("old key", done.From)
		u.Field("new key", done.To)
		if !o.dryRun {
			u.Field("next", "make a new backup, and destroy what the old key opens: older backups and copies of the vault")
		}
	})
}

func rotationVerb(dryRun, resumed bool) string {
	switch {
	case dryRun && resumed:
		return "Would finish an interrupted rotation:"
	case dryRun:
		return "Would encrypt again"
	case resumed:
		return "Finished an interrupted rotation:"
	}
	return "Encrypted again"
}
