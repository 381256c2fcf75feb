// Package vault has the commands of the vault.
package vault

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/vault"
)

// NewCmdVault builds `vault` with its subcommands.
func NewCmdVault(deps *cmdutil.Deps) *cobra.Command {
	command := &cobra.Command{
		Use:     "vault",
		Short:   "Manage the secrets: store, list, test, rotate and back up",
		Example: "  mcp-partner vault init\n  mcp-partner vault status",
	}
	deps.AddKeyFlags(command.PersistentFlags())
	command.AddCommand(newCmdInit(deps), newCmdStatus(deps), newCmdRemove(deps),
		newCmdAdd(deps), newCmdList(deps), newCmdShow(deps), newCmdTest(deps),
		newCmdRotateKey(deps), newCmdRotateSecret(deps),
		newCmdBackup(deps), newCmdRestore(deps), newCmdRecipients(deps), newCmdLogin(deps))
	return command
}

func newCmdInit(deps *cmdutil.Deps) *cobra.Command {
	options := &initOptions{}
	command := &cobra.Command{
		Use:   "init",
		Short: "Create an empty vault",
		Long: `Create an empty vault: one file in the state directory, encrypted with age. By default
its key is a file beside it that only you can read. --passphrase asks for a passphrase
on the terminal, twice; it is never an argument. An existing vault is never replaced.

--backend keychain keeps the key of that file in the keychain of this system.
--backend hashicorp and --backend azurekeyvault keep the secrets on a server. The
choice is permanent: no flag or variable of a later call changes it. docs/vault.md
helps to choose.`,
		Example: `  mcp-partner vault init
  mcp-partner vault init --passphrase
  mcp-partner vault init --passphrase-file /run/secrets/vault
  mcp-partner vault init --identity-file ~/.age/identity.txt
  mcp-partner vault init --backend keychain
  mcp-partner vault init --backend hashicorp --server https://vault.example.com:8200 --auth approle --auth-role ROLE-ID --auth-file /run/secrets/secret-id
  mcp-partner vault init --backend azurekeyvault --server https://NAME.vault.azure.net --auth managed-identity`,
		RunE: func(command *cobra.Command, _ []string) error { return runInit(command.Context(), deps, options) },
	}
	options.add(command.Flags())
	return command
}

func runInit(ctx context.Context, deps *cmdutil.Deps, o *initOptions) error {
	if _, err := deps.StateDirectory(); err != nil {
		return err
	}
	if o.passphrase && deps.Keys != (app.KeyFiles{}) {
		return exit.Usage("mcp-partner vault init --help", "--passphrase, --passphrase-file and --identity-file cannot be combined")
	}
	settings, err := o.settings()
	if err != nil {
		return err
	}
	files, err := deps.Files()
	if err != nil {
		return err
	}
	source := deps.KeySource()
	if err := vault.Init(ctx, files, vault.InitOptions{Key: source, AskPassphrase: o.passphrase, Settings: settings, OwnKeys: app.OwnKeys()}); err != nil {
		return err
	}
	deps.IO.ChangeMade()
	store, err := vault.OpenVault(files, source, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	u := deps.IO.UI()
	u.Line(term.Good, "Created an empty vault "+files.Where()+".")
	u.Field("backend", string(store.Settings().Backend))
	u.Field("key", store.KeyDescription())
	u.Field("next", "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --secret-stdin")
	return u.Err
}

func newCmdStatus(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "status",
		Short:   "Show how the vault is protected, and whether it opens",
		Example: "  mcp-partner vault status\n  mcp-partner vault status --json",
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, _ []string) error {
			return runStatus(ctx, deps, a, asJSON)
		}),
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// vaultStatus is what `vault status --json` prints. It names secrets and shows
// none.
type vaultStatus struct {
	StateDir string   `json:"state_dir"`
	Backend  string   `json:"backend"`
	Key      string   `json:"key"`
	Secrets  []string `json:"secrets"`
}

func runStatus(ctx context.Context, deps *cmdutil.Deps, a *app.App, asJSON bool) error {
	names, err := a.Store.List(ctx)
	if err != nil {
		return err
	}
	if err := a.Open(ctx); err != nil {
		return err
	}
	status := vaultStatus{deps.StateDir, string(a.Vault.Settings().Backend), a.Store.KeyDescription(), append([]string{}, names...)}
	return deps.IO.Answer(asJSON, status, func(u *term.UI) {
		u.Linef(term.Good, "The vault opens and holds %s.", phrase.Count(len(names), "secret"))
		u.Field("state dir", status.StateDir)
		u.Field("backend", status.Backend)
		u.Field("key", status.Key)
		for _, name := range names {
			u.Field("secret of", name)
		}
	})
}
