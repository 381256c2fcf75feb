package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// maxBackupBytes bounds what is read of a backup.
const maxBackupBytes = 256 << 20

type vaultBackupOptions struct {
	file, passphraseFile string
	recipients           []string
	json                 bool
	keys                 keyOptions
}

// newVaultBackup builds `vault backup`.
func newVaultBackup(f *Factory) *cobra.Command {
	options := &vaultBackupOptions{}
	command := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write secrets, keys and tenants into one encrypted file",
		Long: `Write the secrets, the program's own keys, the tenants and the choice of the backend
into one encrypted file. It opens with a passphrase of its own, asked for on the
terminal, or for an age identity of --to; not with the key of the vault, which may be
lost together with it. A file that is there is never replaced.

Secrets that are in HashiCorp Vault or Azure Key Vault are not in it, nor is the
ledger: copy ledger.db while nothing runs, or use ledger export.`,
		Example: `  mcp-partner vault backup vault-2026-11.age
  mcp-partner vault backup vault-2026-11.age --to age1...`,
		Args: oneArgument("the file to write"),
		RunE: func(command *cobra.Command, args []string) error {
			options.file = args[0]
			return runVaultBackup(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&options.recipients, "to", nil, "age public `KEY` that opens the backup; may be given again")
	flags.StringVar(&options.passphraseFile, "backup-passphrase-file", "", "`FILE` with the passphrase of the backup")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	config.Typed(flags, "to", "backup-passphrase-file")
	options.keys.add(flags)
	return command
}

func runVaultBackup(ctx context.Context, f *Factory, o *vaultBackupOptions) error {
	if _, err := os.Lstat(o.file); err == nil {
		return refused("give another file", "%s is there already", o.file)
	}
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	lock := vault.Locker{Recipients: o.recipients, Key: vault.KeySource{PassphraseFile: o.passphraseFile, Terminal: prompter{streams: f.IO}}}
	dir, err := f.stateDirectory()
	if err != nil {
		return err
	}
	data, info, err := h.vault.Backup(ctx, lock, tenants.FilesIn(dir))
	if err != nil {
		return err
	}
	if err := writeOutput(o.file, data, false); err != nil {
		return err
	}
	f.record(ctx, h, guard.KindSecret, "A backup of the vault was written.")
	if o.json {
		return f.IO.printJSON(info)
	}
	u := f.IO.ui()
	u.linef(good, "Wrote a backup of %s and %s to %s.", count(len(info.Secrets), "secret"), count(info.Keys, "key")+" of the program", o.file)
	u.backupFields(info)
	u.field("not in it", notInBackup(info))
	return u.err
}

func (u *ui) backupFields(info vault.BackupInfo) {
	u.field("made", stamp(info.MadeAt))
	u.field("generation", fmt.Sprint(info.Generation))
	u.field("secrets", strings.Join(info.Secrets, ", "))
}

func notInBackup(info vault.BackupInfo) string {
	switch info.Backend {
	case vault.BackendHashiCorp, vault.BackendAzureKeyVault:
		return "the secrets, which are on the server, and the ledger"
	}
	return "the ledger"
}

type vaultRestoreOptions struct {
	file, passphraseFile, identityFile string
	force, json                        bool
	keys                               keyOptions
}

// newVaultRestore builds `vault restore`.
func newVaultRestore(f *Factory) *cobra.Command {
	options := &vaultRestoreOptions{}
	command := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup back into a vault that vault init has made",
		Long: `Put a backup back into a vault that vault init has made, with the backend of your
choice. Secrets become those of the backup. If that would replace or remove secrets
that are here, as an older backup does, it is refused and needs --force. Tenants come
back where there are none. The program's own keys come back where there are none yet:
put ledger.db back too, before anything else is run.`,
		Example: `  mcp-partner vault init && mcp-partner vault restore vault-2026-11.age
  mcp-partner vault restore vault-2026-11.age --backup-identity-file key.txt`,
		Args: oneArgument("the file of the backup"),
		RunE: func(command *cobra.Command, args []string) error {
			options.file = args[0]
			return runVaultRestore(command.Context(), f, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.identityFile, "backup-identity-file", "", "`FILE` with the age identity that opens the backup")
	flags.StringVar(&options.passphraseFile, "backup-passphrase-file", "", "`FILE` with the passphrase of the backup")
	flags.BoolVar(&options.force, "force", false, "replace or remove secrets that are here")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	config.Typed(flags, "force", "backup-identity-file", "backup-passphrase-file")
	options.keys.add(flags)
	return command
}

func runVaultRestore(ctx context.Context, f *Factory, o *vaultRestoreOptions) error {
	data, err := readBackup(o.file)
	if err != nil {
		return err
	}
	h, err := f.openVault(ctx, o.keys)
	if err != nil {
		return err
	}
	defer h.Close()
	dir, err := f.stateDirectory()
	if err != nil {
		return err
	}
	done, err := h.vault.Restore(ctx, data, vault.RestoreOptions{
		Force:   o.force,
		Tenants: tenants.FilesIn(dir),
		Lock:    vault.Locker{Key: vault.KeySource{IdentityFile: o.identityFile, PassphraseFile: o.passphraseFile, Terminal: prompter{streams: f.IO}}},
	})
	if err != nil {
		return err
	}
	// A ledger that is still to be put back must not be begun anew.
	lost := h.missingLedger(ctx) != nil
	if !lost {
		f.record(ctx, h, guard.KindSecret, "A backup of the vault (generation %d of %s) was put back.", done.Generation, stamp(done.MadeAt))
	}
	if o.json {
		return f.IO.printJSON(done)
	}
	return f.showRestored(h, done, lost)
}

func (f *Factory) showRestored(h *house, done vault.Restored, lost bool) error {
	u := f.IO.ui()
	u.linef(good, "Put %s back.", count(len(done.Secrets), "secret"))
	u.backupFields(done.BackupInfo)
	if done.Older {
		u.field("", "It is older than what was here.")
	}
	u.field("replaced", strings.Join(done.Replaced, ", "))
	if !done.Tenants && done.Directory {
		u.field("", "The directory of tenants that is here was kept.")
	}
	if !done.OwnKeys && done.Keys > 0 {
		u.field("", "The program's own keys that are here were kept: the ledger here belongs to them.")
	}
	if lost {
		u.field("next", fmt.Sprintf("put ledger.db back to %s before anything else runs; without it, the next entry says that %d are missing", h.ledger.Path(), done.Entries))
	}
	return u.err
}

func readBackup(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usage("give the path of a backup that you can read", "%s cannot be read", path)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxBackupBytes {
		return nil, usage("give the path of a backup", "%s is no file of a backup", path)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, failed("look at the disk", "%s cannot be read", path)
	}
	return data, nil
}
