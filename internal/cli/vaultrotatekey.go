package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/vault"
)

type rotateKeyOptions struct {
	dryRun, json, passphrase, keyFile bool
	passphraseFile, identityFile      string
	keys                              keyOptions
}

// newVaultRotateKey builds `vault rotate-key`.
func newVaultRotateKey(f *Factory) *cobra.Command {
	options := &rotateKeyOptions{}
	command := &cobra.Command{
		Use:   "rotate-key",
		Short: "Encrypt the vault again under a new key",
		Long: `Encrypt the vault again under a new key. A key that this program keeps, in vault.key
or in the backend, is replaced there. For a vault with a passphrase or an identity of
your own, a flag says what the new key is. Whenever it is interrupted the vault opens
as before, and running it again finishes the change. The key that seals questions is
new afterwards too; the keys of the ledger stay, because its chain hangs on them.

Secrets that are in HashiCorp Vault or Azure Key Vault are encrypted there, by keys of
the server: this changes the key of the program's own keys.`,
		Example: `  mcp-partner vault rotate-key --dry-run
  mcp-partner vault rotate-key
  mcp-partner vault rotate-key --new-passphrase
  mcp-partner vault rotate-key --passphrase-file OLD --new-passphrase-file NEW`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return runVaultRotateKey(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.dryRun, "dry-run", false, "say what would be done, and change nothing")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	flags.BoolVar(&options.passphrase, "new-passphrase", false, "ask for the new passphrase on the terminal")
	flags.StringVar(&options.passphraseFile, "new-passphrase-file", "", "`FILE` with the new passphrase")
	flags.StringVar(&options.identityFile, "new-identity-file", "", "`FILE` with the new age identity")
	flags.BoolVar(&options.keyFile, "new-key-file", false, "keep a new key beside the vault")
	config.Typed(flags, "new-passphrase", "new-passphrase-file", "new-identity-file", "new-key-file")
	options.keys.add(flags)
	return command
}

func runVaultRotateKey(ctx context.Context, f *Factory, o *rotateKeyOptions) error {
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	done, err := h.vault.RotateKey(ctx, vault.RotateOptions{
		DryRun: o.dryRun, AskPassphrase: o.passphrase, KeyFile: o.keyFile, Fresh: []string{sealKey},
		To: vault.KeySource{PassphraseFile: o.passphraseFile, IdentityFile: o.identityFile},
	})
	if err != nil {
		return err
	}
	if !o.dryRun {
		f.record(ctx, h, guard.KindSecret, "The key of the vault was replaced, and everything in it encrypted again.")
	}
	if o.json {
		return f.IO.printJSON(done)
	}
	u := f.IO.ui()
	u.linef(good, "%s %s and %s.", rotationVerb(o.dryRun, done.Resumed), count(done.Secrets, "secret"), count(done.Keys, "key")+" of the program")
	u.field("old key", done.From)
	u.field("new key", done.To)
	if !o.dryRun {
		u.field("next", "make a new backup, and destroy what the old key opens: older backups and copies of the vault")
	}
	return u.err
}

func rotationVerb(dryRun, resumed bool) string {
	switch {
	case dryRun && resumed:
		return "Would finish a change of the key that was interrupted:"
	case dryRun:
		return "Would encrypt again"
	case resumed:
		return "Finished a change of the key that was interrupted:"
	}
	return "Encrypted again"
}
