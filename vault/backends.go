package vault

import (
	"encoding/hex"
	"encoding/json"
	"strings"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/azurekeyvault"
	"mcp-partner/vault/internal/hashicorp"
)

// Backend is where the secrets of a state directory are.
type Backend string

// The backends, a closed list.
const (
	// BackendFile is one file of the state directory, encrypted with age.
	BackendFile Backend = "file"
	// BackendKeychain is that file with its key in the keychain of the system.
	BackendKeychain Backend = "keychain"
	// BackendHashiCorp is HashiCorp Vault or OpenBao.
	BackendHashiCorp Backend = "hashicorp"
	// BackendAzureKeyVault is Azure Key Vault.
	BackendAzureKeyVault Backend = "azurekeyvault"
)

// Backends returns all of them, in the order of the documents.
func Backends() []Backend {
	return []Backend{BackendFile, BackendKeychain, BackendHashiCorp, BackendAzureKeyVault}
}

// Shared reports whether others may keep secrets in the same place.
func (b Backend) Shared() bool { return b == BackendHashiCorp || b == BackendAzureKeyVault }

// The settings of the backends that are elsewhere.
type (
	// HashiCorpSettings are those of BackendHashiCorp.
	HashiCorpSettings = hashicorp.Settings
	// AzureKeyVaultSettings are those of BackendAzureKeyVault.
	AzureKeyVaultSettings = azurekeyvault.Settings
)

// Settings are the choice of a backend. They are made once, by Init, and hold
// no secret.
type Settings struct {
	Backend Backend `json:"backend"`
	// ID tells the program's own key of this state directory from those of
	// others in the same backend.
	ID            string                 `json:"id,omitempty"`
	HashiCorp     *HashiCorpSettings     `json:"hashicorp,omitempty"`
	AzureKeyVault *AzureKeyVaultSettings `json:"azure_key_vault,omitempty"`
}

const (
	settingsName    = "backend.json"
	settingsVersion = 1
	idBytes         = 8
)

type settingsFile struct {
	Version int `json:"version"`
	Settings
}

func (s Settings) normal() (Settings, error) {
	if s.Backend == "" {
		s.Backend = BackendFile
	}
	id, err := hex.DecodeString(s.ID) // becomes a part of names and paths
	if s.Backend != BackendFile && (err != nil || len(id) != idBytes || strings.ToLower(s.ID) != s.ID) {
		return s, problems.InvalidArgument("The backend's settings lack the ID of this state directory.")
	}
	if (s.HashiCorp != nil) != (s.Backend == BackendHashiCorp) || (s.AzureKeyVault != nil) != (s.Backend == BackendAzureKeyVault) {
		return s, problems.InvalidArgument("The settings are not those of the backend %q.", untrusted.Sanitize(string(s.Backend)))
	}
	switch s.Backend {
	case BackendFile, BackendKeychain:
		return s, nil
	case BackendHashiCorp:
		normal, err := s.HashiCorp.Normal()
		s.HashiCorp = &normal
		return s, err
	case BackendAzureKeyVault:
		normal, err := s.AzureKeyVault.Normal()
		s.AzureKeyVault = &normal
		return s, err
	}
	return s, problems.InvalidArgument("There is no backend %q: it is file, keychain, hashicorp or azurekeyvault.", untrusted.Sanitize(string(s.Backend)))
}

// readSettings returns the choice of a state directory. One without a file is
// older than the choice, or has taken the default.
func readSettings(d disk.Dir) (Settings, error) {
	data, seen, err := d.Read(settingsName)
	if err != nil || seen.Missing() {
		return Settings{Backend: BackendFile}, err
	}
	var file settingsFile
	if err := disk.DecodeVersioned(data, settingsVersion, &file, &file.Version); err != nil {
		return Settings{}, corrupt(d, settingsName, problems.Clause(err))
	}
	settings, err := file.normal()
	if err != nil {
		return Settings{}, corrupt(d, settingsName, "its settings contradict each other")
	}
	return settings, nil
}

func writeSettings(d disk.Dir, s Settings) error {
	data, err := json.MarshalIndent(settingsFile{settingsVersion, s}, "", " ")
	if err != nil {
		return err
	}
	return d.Write(settingsName, append(data, '\n'))
}
