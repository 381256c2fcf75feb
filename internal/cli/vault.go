package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mcp-partner/vault"
)

// newVault builds `vault` with its subcommands.
func newVault(f *Factory) *cobra.Command {
	command := &cobra.Command{
		Use:     "vault",
		Short:   "Keep the secrets: choose where, list, try, replace, copy and restore them",
		Example: "  mcp-partner vault init\n  mcp-partner vault status",
		Args:    noArguments,
		RunE:    showHelp,
	}
	command.AddCommand(newVaultInit(f), newVaultStatus(f), newVaultRemove(f),
		newVaultAdd(f), newVaultList(f), newVaultShow(f), newVaultTest(f),
		newVaultRotateKey(f), newVaultRotateSecret(f),
		newVaultBackup(f), newVaultRestore(f), newVaultRecipients(f), newVaultLogin(f))
	return command
}

type vaultInitOptions struct {
	passphrase bool
	keys       keyOptions
	backend    backendOptions
}

// newVaultInit builds `vault init`.
func newVaultInit(f *Factory) *cobra.Command {
	options := &vaultInitOptions{}
	command := &cobra.Command{
		Use:   "init",
		Short: "Make an empty vault",
		Long: `Make an empty vault: one file in the state directory, encrypted with age. Without a
flag its key is a file beside it that only you can read. --passphrase asks for a
passphrase on the terminal, twice; it is never an argument. A vault that is there
already is never replaced.

--backend keychain keeps the key of that file in the keychain of this system.
--backend hashicorp and azurekeyvault keep the secrets on a server. The choice is
made once; no flag or variable of a later call changes it. docs/vault.md says which
backend is for whom.`,
		Example: `  mcp-partner vault init
  mcp-partner vault init --passphrase
  mcp-partner vault init --passphrase-file /run/secrets/vault
  mcp-partner vault init --identity-file ~/.age/identity.txt
  mcp-partner vault init --backend keychain
  mcp-partner vault init --backend hashicorp --server https://vault.example.com:8200 --auth approle --auth-role ROLE-ID --auth-file /run/secrets/secret-id
  mcp-partner vault init --backend azurekeyvault --server https://NAME.vault.azure.net --auth managed-identity`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return runVaultInit(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.passphrase, "passphrase", false, "ask for a passphrase on the terminal")
	options.keys.add(command.Flags())
	options.backend.add(command.Flags())
	return command
}

func runVaultInit(ctx context.Context, f *Factory, o *vaultInitOptions) error {
	dir, err := f.stateDirectory()
	if err != nil {
		return err
	}
	if o.passphrase && o.keys != (keyOptions{}) {
		return usage("mcp-partner vault init --help", "--passphrase, --passphrase-file and --identity-file exclude each other")
	}
	settings, err := o.backend.settings()
	if err != nil {
		return err
	}
	source := f.keySource(o.keys)
	if err := vault.Init(ctx, dir, vault.InitOptions{Key: source, AskPassphrase: o.passphrase, Settings: settings}); err != nil {
		return err
	}
	store, err := vault.OpenVault(dir, source, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	u := f.IO.ui()
	u.line(good, "Made an empty vault in "+dir+".")
	u.field("backend", string(store.Settings().Backend))
	u.field("key", store.KeyDescription())
	u.field("next", "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --secret-stdin")
	return u.err
}

type vaultStatusOptions struct {
	json bool
	keys keyOptions
}

// newVaultStatus builds `vault status`.
func newVaultStatus(f *Factory) *cobra.Command {
	options := &vaultStatusOptions{}
	command := &cobra.Command{
		Use:     "status",
		Short:   "Say what protects the vault, and open it to see whether its key fits",
		Example: "  mcp-partner vault status\n  mcp-partner vault status --json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return runVaultStatus(command.Context(), f, options) },
	}
	command.Flags().BoolVar(&options.json, "json", false, "print JSON")
	options.keys.add(command.Flags())
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

func runVaultStatus(ctx context.Context, f *Factory, o *vaultStatusOptions) error {
	h, err := f.openHouse(o.keys, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	names, err := h.store.List(ctx)
	if err != nil {
		return err
	}
	if err := h.open(ctx); err != nil {
		return err
	}
	status := vaultStatus{f.StateDir, string(h.vault.Settings().Backend), h.store.KeyDescription(), append([]string{}, names...)}
	if o.json {
		return f.IO.printJSON(status)
	}
	u := f.IO.ui()
	u.linef(good, "The vault opens and holds %s.", count(len(names), "secret"))
	u.field("state dir", status.StateDir)
	u.field("backend", status.Backend)
	u.field("key", status.Key)
	for _, name := range names {
		u.field("secret of", name)
	}
	return u.err
}
