package vault

import (
	"context"
	"os/exec"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/internal/azurecli"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/azurekeyvault"
	"mcp-partner/vault/internal/backend"
	"mcp-partner/vault/internal/hashicorp"
	"mcp-partner/vault/internal/keychain"
)

// Vault is the secrets of one state directory, wherever they are, and the
// program's own keys.
type Vault struct {
	Store
	settings Settings
	// keys is vault.age. It holds the program's own keys on every backend, and
	// the secrets too where they are in the state directory.
	keys *FileStore
	// remote is nil where the secrets are in keys.
	remote *RemoteStore
}

// OpenVault returns the vault that Init chose for a state directory. Nothing is
// asked of a backend yet. Problems: CodeInvalidArgument for a key source that
// contradicts itself or the backend, CodeVaultCorrupt for settings that cannot
// be read, CodeVaultUnavailable.
func OpenVault(d disk.Dir, source KeySource, pool *httpclient.Pool) (*Vault, error) {
	settings, err := readSettings(d)
	if err != nil {
		return nil, err
	}
	return assemble(d, settings, source, pool)
}

func assemble(d disk.Dir, settings Settings, source KeySource, pool *httpclient.Pool) (*Vault, error) {
	if err := source.check(); err != nil {
		return nil, err
	}
	if settings.Backend != BackendFile && source.hasFile() {
		return nil, problems.InvalidArgument("The key of this vault is in its backend, %s: give no --identity-file and no --passphrase-file.", settings.Backend)
	}
	v := &Vault{settings: settings, keys: newFileStore(d, source)}
	v.Store = v.keys
	switch settings.Backend {
	case BackendFile:
		return v, nil
	case BackendKeychain:
		v.keys.provider = keychainProvider(keychain.Keychain{ID: settings.ID}, d)
		return v, nil
	}
	far, err := connect(settings, pool)
	if err != nil {
		return nil, err
	}
	v.remote = newRemoteStore(far)
	v.Store = v.remote
	v.keys.provider = remoteProvider(far, internalPrefix+settings.ID, d)
	return v, nil
}

// connect makes the backend that is elsewhere; nothing is sent yet.
func connect(settings Settings, pool *httpclient.Pool) (backend.Backend, error) {
	if pool == nil {
		pool = httpclient.NewPool(httpclient.Options{})
	}
	var authorities string
	if settings.HashiCorp != nil {
		authorities = settings.HashiCorp.CAPEM
	} else {
		authorities = settings.AzureKeyVault.CAPEM
	}
	client, err := pool.Client([]byte(authorities))
	switch {
	case err != nil:
		return nil, problems.InvalidArgument("The CA file for the backend of the vault has no readable certificate.")
	case settings.HashiCorp != nil:
		return hashicorp.Open(*settings.HashiCorp, client, readKeyFile), nil
	}
	return azurekeyvault.Open(*settings.AzureKeyVault, client, keyVaultToken{settings.AzureKeyVault.Auth})
}

// Settings returns the choice of the backend.
func (v *Vault) Settings() Settings { return v.settings }

// Keyring returns the program's own keys.
func (v *Vault) Keyring() *Keyring { return v.keys.Keyring() }

// Open opens the vault now, for a command that wants the prompt or the error at
// its start. Where secrets are elsewhere, that signs in there.
func (v *Vault) Open(ctx context.Context) error { return v.keys.Open(ctx) }

// KeyDescription implements Store.
func (v *Vault) KeyDescription() string { return v.keys.KeyDescription() }

// Close ends the sign-in to a backend.
func (v *Vault) Close() {
	if v.remote != nil {
		v.remote.close(context.Background())
	}
}

// keyVaultToken signs in to Key Vault with az, whose path is in the settings.
type keyVaultToken struct{ auth azurekeyvault.Auth }

// GetToken implements azcore.TokenCredential. Its errors say nothing: the
// backend words them.
func (a keyVaultToken) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	stdout, _, err := azurecli.Run(ctx, a.auth.AzPath, "account", "get-access-token",
		"--output", "json", "--scope", options.Scopes[0], "--tenant", a.auth.TenantID)
	defer clear(stdout)
	if err != nil {
		return azcore.AccessToken{}, exec.ErrNotFound
	}
	return azurecli.DecodeToken(stdout)
}
