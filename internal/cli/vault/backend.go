package vault

import (
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/vault"
)

// backendOptions choose where the secrets are. They are set once, at `vault
// init`, and stored in the state directory.
type backendOptions struct {
	Backend                          vault.Backend
	server, caFile                   string
	auth, authMount, role, authFile  string
	clientID, tenantID               string
	wrapped                          bool
	namespace, mount, folder, prefix string

	flags *pflag.FlagSet
}

func (o *backendOptions) add(flags *pflag.FlagSet) {
	o.flags = flags
	cmdutil.AddChoice(flags, &o.Backend, "backend", "`BACKEND` that holds the secrets", vault.Backends()...)
	flags.StringVar(&o.server, "server", "", "`URL` of the vault server or of the key vault")
	cmdutil.AddAuthorities(flags, &o.caFile, "ca-file", "trust only the certificate authorities in this `FILE` (PEM) for the server")
	flags.StringVar(&o.auth, "auth", "", "sign-in `METHOD` of the server: token, approle, kubernetes or jwt; managed-identity, workload-identity or azure-cli")
	flags.StringVar(&o.authFile, "auth-file", "", "`FILE` with the token, the secret ID, the JWT or the federated token")
	flags.BoolVar(&o.wrapped, "auth-wrapped", false, "the file holds a wrapping token for the secret ID (approle)")
	flags.StringVar(&o.role, "auth-role", "", "`ROLE` for kubernetes and jwt, or the role ID of approle")
	flags.StringVar(&o.authMount, "auth-mount", "", "`PATH` of the auth method (default: its name)")
	flags.StringVar(&o.clientID, "auth-client-id", "", "`GUID` of the application or of a user-assigned identity (azurekeyvault)")
	flags.StringVar(&o.tenantID, "auth-tenant-id", "", "`GUID` of the tenant of the key vault")
	flags.StringVar(&o.namespace, "namespace", "", "`PATH` of the namespace (hashicorp)")
	flags.StringVar(&o.mount, "kv-mount", "", "`PATH` of the key/value engine, version 2 (hashicorp; default secret)")
	flags.StringVar(&o.folder, "kv-path", "", "`FOLDER` of the secrets (hashicorp; default mcp-partner)")
	flags.StringVar(&o.prefix, "prefix", "", "prefix `TEXT` of the secrets' names (azurekeyvault; default mcp-partner-)")
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

func (o *backendOptions) settings() (vault.Settings, error) {
	chosen := vault.Settings{Backend: o.Backend}
	if err := o.checkGiven(chosen.Backend); err != nil {
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
	switch chosen.Backend {
	case vault.BackendHashiCorp:
		chosen.HashiCorp = &vault.HashiCorpSettings{
			Address: o.server, Namespace: o.namespace, Mount: o.mount, Path: o.folder, CAPEM: ca,
			Auth: vault.HashiCorpAuth{Method: o.auth, Mount: o.authMount, Role: o.role, File: file, Wrapped: o.wrapped},
		}
	case vault.BackendAzureKeyVault:
		chosen.AzureKeyVault = &vault.AzureKeyVaultSettings{
			URL: o.server, Prefix: o.prefix, CAPEM: ca,
			Auth: vault.AzureKeyVaultAuth{Method: o.auth, ClientID: o.clientID, TenantID: o.tenantID, TokenFile: file},
		}
		if o.auth == "azure-cli" {
			chosen.AzureKeyVault.Auth.AzPath, err = azurecli.Find()
		}
	}
	return chosen, err
}

// checkGiven refuses flags of another backend: what is typed has to count.
func (o *backendOptions) checkGiven(chosen vault.Backend) error {
	allowed := flagsOf(chosen)
	for _, name := range backendFlags() {
		if o.flags.Changed(name) && !slices.Contains(allowed, name) {
			return exit.Usage("mcp-partner vault init --help", "--%s is not for the backend %s", name, chosen)
		}
	}
	if len(allowed) > 0 && (o.server == "" || o.auth == "") {
		return exit.Usage("mcp-partner vault init --help", "the backend %s needs --server and --auth", chosen)
	}
	return nil
}
