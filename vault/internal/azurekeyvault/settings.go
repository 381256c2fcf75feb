// Package azurekeyvault keeps secrets in Azure Key Vault.
package azurekeyvault

import (
	"net/url"
	"path/filepath"
	"strings"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

// The ways to sign in to Key Vault.
const (
	MethodManagedIdentity  = "managed-identity"
	MethodWorkloadIdentity = "workload-identity"
	MethodAzureCLI         = "azure-cli"
)

// Settings say where the key vault is and how to sign in. They hold no secret.
type Settings struct {
	// URL is https://NAME.vault.azure.net, or its like in another cloud. Another
	// host is for loopback alone.
	URL string `json:"url"`
	// Prefix begins the names of this program's secrets in it.
	Prefix string `json:"prefix"`
	// CAPEM are the only certificate authorities to trust, in PEM; empty means
	// those of the system.
	CAPEM string `json:"ca_pem,omitempty"`
	Auth  Auth   `json:"auth"`
}

// Auth says how to sign in.
type Auth struct {
	Method string `json:"method"`
	// ClientID is the application, or a user-assigned managed identity.
	ClientID string `json:"client_id,omitempty"`
	TenantID string `json:"tenant_id,omitempty"`
	// TokenFile holds the token of the platform, for workload identity.
	TokenFile string `json:"token_file,omitempty"`
	// AzPath is the absolute path of az.
	AzPath string `json:"az_path,omitempty"`
}

type place struct{ suffix, scope, authority string }

// places are Microsoft's clouds (learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates).
func places() []place {
	return []place{
		{".vault.azure.net", "https://vault.azure.net/.default", "https://login.microsoftonline.com/"},
		{".vault.azure.cn", "https://vault.azure.cn/.default", "https://login.chinacloudapi.cn/"},
		{".vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default", "https://login.microsoftonline.us/"},
	}
}

// place returns the cloud of the key vault, and whether it is a test server.
func (s Settings) place() (where place, loopback, ok bool) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return place{}, false, false
	}
	for _, p := range places() {
		name, found := strings.CutSuffix(strings.ToLower(u.Host), p.suffix)
		if found && name != "" && !strings.Contains(name, ".") {
			return p, false, true
		}
	}
	return places()[0], true, httpclient.IsLoopbackAddress(u.Hostname())
}

// Normal checks settings and fills in what is usual. It returns a
// CodeInvalidArgument problem.
func (s Settings) Normal() (Settings, error) {
	s.URL = strings.TrimSuffix(s.URL, "/")
	if _, _, ok := s.place(); !ok {
		return s, problems.InvalidArgument("The URL of the key vault is not https://NAME.vault.azure.net, .azure.cn or .usgovcloudapi.net.")
	}
	if s.Prefix == "" {
		s.Prefix = "mcp-partner-"
	}
	if err := backend.CheckPlainName(strings.TrimSuffix(s.Prefix, "-"), false); err != nil || len(s.Prefix) > 40 {
		return s, problems.InvalidArgument("The prefix of names in the key vault must be up to 40 lower-case letters, digits and hyphens.")
	}
	auth, err := s.Auth.normal()
	s.Auth = auth
	return s, err
}

func (a Auth) normal() (Auth, error) {
	a.ClientID, a.TenantID = strings.ToLower(a.ClientID), strings.ToLower(a.TenantID)
	for _, id := range []string{a.ClientID, a.TenantID} {
		if id != "" && !naming.IsGUID(id) {
			return a, problems.InvalidArgument("The client ID or tenant ID for the key vault is not a GUID.")
		}
	}
	switch a.Method {
	case MethodManagedIdentity:
		a.TokenFile, a.AzPath = "", ""
		return a, nil
	case MethodWorkloadIdentity:
		if a.ClientID == "" || a.TenantID == "" || !filepath.IsAbs(a.TokenFile) {
			return a, problems.InvalidArgument("Workload identity needs a client ID, a tenant ID and the absolute path of the token file.")
		}
		a.AzPath = ""
		return a, nil
	case MethodAzureCLI:
		if a.TenantID == "" || !filepath.IsAbs(a.AzPath) {
			return a, problems.InvalidArgument("The sign-in with az needs the tenant of the key vault, and az itself.")
		}
		a.ClientID, a.TokenFile = "", ""
		return a, nil
	}
	return a, problems.InvalidArgument("The sign-in to the key vault must be managed-identity, workload-identity or azure-cli.")
}
