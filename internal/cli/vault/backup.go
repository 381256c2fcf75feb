package vault

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

const maxBackupBytes = 256 << 20

type backupOptions struct {
	passphraseFile string
	recipients     []string
	json           bool
	keys           app.KeyFiles
}

func newCmdBackup(deps *cmdutil.Deps) *cobra.Command {
	options := &backupOptions{}
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
		Args: cmdutil.OneArgument("the file to write"),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := os.Lstat(args[0]); err == nil {
				return exit.Refused("give another file", "%s is there already", args[0])
			}
			return deps.OnVault(&options.keys, func(ctx context.Context, a *app.App, _ []string) error {
				return runBackup(ctx, deps, a, args[0], options)
			})(command, args)
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&options.recipients, "to", nil, "age public `KEY` that opens the backup; may be given again")
	flags.StringVar(&options.passphraseFile, "backup-passphrase-file", "", "`FILE` with the passphrase of the backup")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	config.Typed(flags, "to", "backup-passphrase-file")
	cmdutil.AddKeyFlags(&options.keys, flags)
	return command
}

func runBackup(ctx context.Context, deps *cmdutil.Deps, a *app.App, file string, o *backupOptions) error {
	lock := vault.Locker{Recipients: o.recipients, Key: vault.KeySource{PassphraseFile: o.passphraseFile, Terminal: cmdutil.Prompter{Streams: deps.IO}}}
	data, info, err := a.Vault.Backup(ctx, lock, tenants.FilesIn(deps.Disk()))
	if err != nil {
		return err
	}
	if err := cmdutil.WriteOutput(file, data, false); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindSecret, "A backup of the vault was written.")
	if o.json {
		return deps.IO.PrintJSON(info)
	}
	u := deps.IO.UI()
	u.Linef(term.Good, "Wrote a backup of %s and %s to %s.", phrase.Count(len(info.Secrets), "secret"), phrase.Count(info.Keys, "key")+" of the program", file)
	backupFields(u, info)
	u.Field("not in it", notInBackup(info))
	return u.Err
}

func backupFields(u *term.UI, info vault.BackupInfo) {
	u.Field("made", phrase.Stamp(info.MadeAt))
	u.Field("generation", fmt.Sprint(info.Generation))
	u.Field("secrets", strings.Join(info.Secrets, ", "))
}

func notInBackup(info vault.BackupInfo) string {
	switch info.Backend {
	case vault.BackendHashiCorp, vault.BackendAzureKeyVault:
		return "the secrets, which are on the server, and the ledger"
	}
	return "the ledger"
}

type restoreOptions struct {
	passphraseFile, identityFile string
	force, json                  bool
	keys                         app.KeyFiles
}

func newCmdRestore(deps *cmdutil.Deps) *cobra.Command {
	options := &restoreOptions{}
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
		Args: cmdutil.OneArgument("the file of the backup"),
		RunE: func(command *cobra.Command, args []string) error {
			data, err := readBackup(args[0])
			if err != nil {
				return err
			}
			return deps.OnVault(&options.keys, func(ctx context.Context, a *app.App, _ []string) error {
				return runRestore(ctx, deps, a, data, options)
			})(command, args)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.identityFile, "backup-identity-file", "", "`FILE` with the age identity that opens the backup")
	flags.StringVar(&options.passphraseFile, "backup-passphrase-file", "", "`FILE` with the passphrase of the backup")
	flags.BoolVar(&options.force, "force", false, "replace or remove secrets that are here")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	config.Typed(flags, "force", "backup-identity-file", "backup-passphrase-file")
	cmdutil.AddKeyFlags(&options.keys, flags)
	return command
}

func runRestore(ctx context.Context, deps *cmdutil.Deps, a *app.App, data []byte, o *restoreOptions) error {
	done, err := a.Vault.Restore(ctx, data, vault.RestoreOptions{
		Force:   o.force,
		Tenants: tenants.FilesIn(deps.Disk()),
		Lock:    vault.Locker{Key: vault.KeySource{IdentityFile: o.identityFile, PassphraseFile: o.passphraseFile, Terminal: cmdutil.Prompter{Streams: deps.IO}}},
	})
	if err != nil {
		return err
	}
	deps.IO.ChangeMade()
	// A ledger that is still to be put back must not be begun anew.
	lost := a.MissingLedger(ctx) != nil
	if !lost {
		deps.Record(ctx, a, guard.KindSecret, "A backup of the vault (generation %d of %s) was put back.", done.Generation, phrase.Stamp(done.MadeAt))
	}
	if o.json {
		return deps.IO.PrintJSON(done)
	}
	return showRestored(deps, a, done, lost)
}

func showRestored(deps *cmdutil.Deps, a *app.App, done vault.Restored, lost bool) error {
	u := deps.IO.UI()
	u.Linef(term.Good, "Put %s back.", phrase.Count(len(done.Secrets), "secret"))
	backupFields(u, done.BackupInfo)
	if done.Older {
		u.Field("", "It is older than what was here.")
	}
	u.Field("replaced", strings.Join(done.Replaced, ", "))
	if !done.Tenants && done.Directory {
		u.Field("", "The directory of tenants that is here was kept.")
	}
	if !done.OwnKeys && done.Keys > 0 {
		u.Field("", "The program's own keys that are here were kept: the ledger here belongs to them.")
	}
	if lost {
		u.Field("next", fmt.Sprintf("put ledger.db back to %s before anything else runs; without it, the next entry says that %d are missing", a.Ledger.Path(), done.Entries))
	}
	return u.Err
}

func readBackup(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, exit.Usage("give the path of a backup that you can read", "%s cannot be read", path)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxBackupBytes {
		return nil, exit.Usage("give the path of a backup", "%s is no file of a backup", path)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, exit.Failed("look at the disk", "%s cannot be read", path)
	}
	return data, nil
}
