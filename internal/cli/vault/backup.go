package vault

import (
	"context"
	"fmt"
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
	key        vault.KeySource
	recipients []string
	json       bool
}

func newCmdBackup(deps *cmdutil.Deps) *cobra.Command {
	options := &backupOptions{key: vault.KeySource{Terminal: cmdutil.Prompter{Streams: deps.IO}}}
	command := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write secrets, keys and tenants to one encrypted file",
		Args:  cmdutil.OneArgument("the file to write"),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := os.Lstat(args[0]); err == nil {
				return exit.Refused("give another file", "%s exists already", args[0])
			}
			return deps.OnVault(func(ctx context.Context, a *app.App, _ []string) error {
				return runBackup(ctx, deps, a, args[0], options)
			})(command, args)
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&options.recipients, "to", nil, "age public `KEY` that opens the backup; repeatable")
	flags.StringVar(&options.key.PassphraseFile, "backup-passphrase-file", "", "`FILE` with the passphrase of the backup")
	flags.BoolVar(&options.json, "json", false, "print JSON")
	config.Typed(flags, "to", "backup-passphrase-file")
	return command
}

func runBackup(ctx context.Context, deps *cmdutil.Deps, a *app.App, file string, o *backupOptions) error {
	data, info, err := a.Vault.Backup(ctx, o.recipients, o.key, tenants.Files{Dir: a.Files})
	if err != nil {
		return err
	}
	if err := cmdutil.WriteOutput(file, data, false); err != nil {
		return err
	}
	deps.Record(ctx, a, guard.KindSecret, "A backup of the vault was written.")
	return deps.IO.Answer(o.json, info, func(u *term.UI) {
		u.Linef(term.Good, "Wrote a backup of %s and %s of the program to %s.", phrase.Count(len(info.Secrets), "secret"), phrase.Count(info.Keys, "key"), file)
		backupFields(u, info)
		left := "the ledger"
		if info.Backend.Shared() {
			left = "the secrets, which are on the server, and the ledger"
		}
		u.Field("not in it", left)
	})
}

func backupFields(u *term.UI, info vault.BackupInfo) {
	u.Field("made", phrase.Stamp(info.MadeAt))
	u.Field("generation", fmt.Sprint(info.Generation))
	u.Field("secrets", strings.Join(info.Secrets, ", "))
}

func newCmdRestore(deps *cmdutil.Deps) *cobra.Command {
	options, asJSON := vault.RestoreOptions{Key: vault.KeySource{Terminal: cmdutil.Prompter{Streams: deps.IO}}}, false
	command := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into a vault that vault init created",
		Args:  cmdutil.OneArgument("the file of the backup"),
		RunE: func(command *cobra.Command, args []string) error {
			data, err := cmdutil.ReadInput("", args[0], maxBackupBytes)
			if err != nil {
				return err
			}
			return deps.OnVault(func(ctx context.Context, a *app.App, _ []string) error {
				return runRestore(ctx, deps, a, data, options, asJSON)
			})(command, args)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Key.IdentityFile, "backup-identity-file", "", "`FILE` with the age identity that opens the backup")
	flags.StringVar(&options.Key.PassphraseFile, "backup-passphrase-file", "", "`FILE` with the passphrase of the backup")
	flags.BoolVar(&options.Force, "force", false, "replace or remove existing secrets")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	config.Typed(flags, "force", "backup-identity-file", "backup-passphrase-file")
	return command
}

func runRestore(ctx context.Context, deps *cmdutil.Deps, a *app.App, data []byte, o vault.RestoreOptions, asJSON bool) error {
	o.Tenants = tenants.Files{Dir: a.Files}
	done, err := a.Vault.Restore(ctx, data, o)
	if err != nil {
		return err
	}
	deps.IO.ChangeMade()
	// A ledger that is still to be put back must not be begun anew.
	lost := a.MissingLedger(ctx) != nil
	if !lost {
		deps.Record(ctx, a, guard.KindSecret, "A backup of the vault (generation %d of %s) was restored.", done.Generation, phrase.Stamp(done.MadeAt))
	}
	return deps.IO.Answer(asJSON, done, func(u *term.UI) { showRestored(u, a, done, lost) })
}

func showRestored(u *term.UI, a *app.App, done vault.Restored, lost bool) {
	u.Linef(term.Good, "Restored %s.", phrase.Count(len(done.Secrets), "secret"))
	backupFields(u, done.BackupInfo)
	if done.Older {
		u.Field("", "It is older than the vault was.")
	}
	u.Field("replaced", strings.Join(done.Replaced, ", "))
	if !done.Tenants && done.Directory {
		u.Field("", "The existing tenant directory was kept.")
	}
	if !done.OwnKeys && done.Keys > 0 {
		u.Field("", "The program's existing keys were kept, because the ledger depends on them.")
	}
	if lost {
		u.Field("next", fmt.Sprintf("restore ledger.db to %s before anything else runs; otherwise the next entry records that %d are missing", a.Ledger.Path(), done.Entries))
	}
}
