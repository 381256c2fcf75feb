// Package vault has the commands of the vault.
package vault

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/cli/term"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/phrase"
	"mcp-partner/vault"
)

// NewCmdVault builds `vault` with its subcommands.
func NewCmdVault(deps *cmdutil.Deps) *cobra.Command {
	return deps.Parent("vault", "Manage the secrets: store, list, test, rotate and back up",
		newCmdInit(deps), newCmdStatus(deps), newCmdRemove(deps), newCmdAdd(deps), newCmdList(deps), newCmdShow(deps), newCmdTest(deps),
		newCmdRotateKey(deps), newCmdRotateSecret(deps), newCmdBackup(deps), newCmdRestore(deps), newCmdRecipients(deps), newCmdLogin(deps))
}

func newCmdInit(deps *cmdutil.Deps) *cobra.Command {
	options := &initOptions{}
	command := &cobra.Command{
		Use:   "init",
		Short: "Create an empty vault",
		RunE:  func(command *cobra.Command, _ []string) error { return runInit(command.Context(), deps, options) },
	}
	options.add(command.Flags())
	return command
}

func runInit(ctx context.Context, deps *cmdutil.Deps, o *initOptions) error {
	if _, err := deps.StateDirectory(); err != nil {
		return err
	}
	if o.passphrase && deps.Keys.IdentityFile+deps.Keys.PassphraseFile != "" {
		return exit.Usage("mcp-partner vault init --help", "--passphrase, --passphrase-file and --identity-file cannot be combined")
	}
	settings, err := o.settings()
	if err != nil {
		return err
	}
	where, key, err := Create(ctx, deps, settings, o.passphrase)
	if err != nil {
		return err
	}
	u := deps.IO.UI()
	u.Line(term.Good, "Created an empty vault "+where+".")
	u.Field("backend", string(settings.Backend))
	u.Field("key", key)
	u.Field("next", "mcp-partner tenants add NAME --tenant-id GUID --client-id GUID --secret-stdin")
	return u.Err
}

// Create makes an empty vault, and says where it is and what its key is.
func Create(ctx context.Context, deps *cmdutil.Deps, settings vault.Settings, askPassphrase bool) (where, key string, err error) {
	files, err := deps.Files()
	if err != nil {
		return "", "", err
	}
	source := deps.Keys
	source.Ask = askPassphrase
	if err := vault.Init(ctx, files, vault.InitOptions{Key: source, Settings: settings, OwnKeys: app.OwnKeys()}); err != nil {
		return "", "", err
	}
	deps.IO.ChangeMade()
	made, err := vault.OpenVault(files, source, nil)
	if err != nil {
		return "", "", err
	}
	defer made.Close()
	return files.Where(), made.KeyDescription(), nil
}

func newCmdStatus(deps *cmdutil.Deps) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Show how the vault is protected, and whether it opens",
		RunE: deps.OnApp(func(ctx context.Context, a *app.App, _ []string) error {
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

// initOptions choose where the secrets are. They are set once, at `vault init`,
// and stored in the state directory.
type initOptions struct {
	passphrase                     bool
	backend                        vault.Backend
	server, caFile, auth, authFile string
	hashiCorp                      vault.HashiCorpSettings
	azure                          vault.AzureKeyVaultSettings
	flags                          *pflag.FlagSet
}

func (o *initOptions) add(flags *pflag.FlagSet) {
	o.flags = flags
	flags.BoolVar(&o.passphrase, "passphrase", false, "ask for a passphrase on the terminal")
	cmdutil.AddChoice(flags, &o.backend, "backend", "`BACKEND` that holds the secrets", vault.Backends()...)
	flags.StringVar(&o.server, "server", "", "`URL` of the vault server or of the key vault")
	cmdutil.AddAuthorities(flags, &o.caFile, "ca-file", "trust only the certificate authorities in this `FILE` (PEM) for the server")
	flags.StringVar(&o.auth, "auth", "", "sign-in `METHOD` of the server: token, approle, kubernetes or jwt; managed-identity, workload-identity or azure-cli")
	flags.StringVar(&o.authFile, "auth-file", "", "`FILE` with the token, the secret ID, the JWT or the federated token")
	flags.BoolVar(&o.hashiCorp.Auth.Wrapped, "auth-wrapped", false, "the file holds a wrapping token for the secret ID (approle)")
	flags.StringVar(&o.hashiCorp.Auth.Role, "auth-role", "", "`ROLE` for kubernetes and jwt, or the role ID of approle")
	flags.StringVar(&o.hashiCorp.Auth.Mount, "auth-mount", "", "`PATH` of the auth method (default: its name)")
	flags.StringVar(&o.azure.Auth.ClientID, "auth-client-id", "", "`GUID` of the application or of a user-assigned identity (azurekeyvault)")
	flags.StringVar(&o.azure.Auth.TenantID, "auth-tenant-id", "", "`GUID` of the tenant of the key vault")
	flags.StringVar(&o.hashiCorp.Namespace, "namespace", "", "`PATH` of the namespace (hashicorp)")
	flags.StringVar(&o.hashiCorp.Mount, "kv-mount", "", "`PATH` of the key/value engine, version 2 (hashicorp; default secret)")
	flags.StringVar(&o.hashiCorp.Path, "kv-path", "", "`FOLDER` of the secrets (hashicorp; default mcp-partner)")
	flags.StringVar(&o.azure.Prefix, "prefix", "", "prefix `TEXT` of the secrets' names (azurekeyvault; default mcp-partner-)")
	config.Typed(flags, append([]string{"backend"}, backendFlags()...)...)
}

// flagsOf are the flags that a backend takes.
func flagsOf(backend vault.Backend) []string {
	shared := []string{"server", "ca-file", "auth", "auth-file"}
	switch backend {
	case vault.BackendHashiCorp:
		return append(shared, "auth-wrapped", "auth-role", "auth-mount", "namespace", "kv-mount", "kv-path")
	case vault.BackendAzureKeyVault:
		return append(shared, "auth-client-id", "auth-tenant-id", "prefix")
	}
	return nil
}

func backendFlags() []string {
	return slices.Concat(flagsOf(vault.BackendHashiCorp), flagsOf(vault.BackendAzureKeyVault))
}

func (o *initOptions) settings() (vault.Settings, error) {
	chosen := vault.Settings{Backend: o.backend}
	if err := o.checkGiven(); err != nil {
		return chosen, err
	}
	ca, err := app.ReadCA(o.caFile)
	if err != nil {
		return chosen, err
	}
	file := o.authFile
	if file != "" {
		if file, err = filepath.Abs(file); err != nil {
			return chosen, exit.Usage("give an absolute path", "--auth-file cannot be made an absolute path")
		}
	}
	switch o.backend {
	case vault.BackendHashiCorp:
		chosen.HashiCorp = &o.hashiCorp
		chosen.HashiCorp.Address, chosen.HashiCorp.CAPEM = o.server, ca
		chosen.HashiCorp.Auth.Method, chosen.HashiCorp.Auth.File = o.auth, file
	case vault.BackendAzureKeyVault:
		chosen.AzureKeyVault = &o.azure
		chosen.AzureKeyVault.URL, chosen.AzureKeyVault.CAPEM = o.server, ca
		chosen.AzureKeyVault.Auth.Method, chosen.AzureKeyVault.Auth.TokenFile = o.auth, file
		if o.auth == "azure-cli" {
			chosen.AzureKeyVault.Auth.AzPath, err = azurecli.Find()
		}
	}
	return chosen, err
}

// checkGiven refuses flags of another backend: what is typed has to count.
func (o *initOptions) checkGiven() error {
	allowed := flagsOf(o.backend)
	for _, name := range backendFlags() {
		if o.flags.Changed(name) && !slices.Contains(allowed, name) {
			return exit.Usage("mcp-partner vault init --help", "--%s is not for the backend %s", name, o.backend)
		}
	}
	if len(allowed) > 0 && (o.server == "" || o.auth == "") {
		return exit.Usage("mcp-partner vault init --help", "the backend %s needs --server and --auth", o.backend)
	}
	return nil
}
