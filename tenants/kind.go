package tenants

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// Kind is how a credential proves who it is.
type Kind string

// The kinds of credentials, a closed list. docs/credentials.md says which is
// for whom.
const (
	// KindClientSecret is a service principal with a client secret.
	KindClientSecret Kind = "client-secret"
	// KindClientCertificate is a service principal with an RSA key, whose
	// certificate the application knows.
	KindClientCertificate Kind = "client-certificate"
	// KindWorkloadIdentity is a service principal that trusts the tokens of
	// another issuer, such as a Kubernetes cluster or GitHub Actions.
	KindWorkloadIdentity Kind = "workload-identity"
	// KindManagedIdentity is the identity of the machine in Azure on which this
	// program runs. It exists in one tenant only.
	KindManagedIdentity Kind = "managed-identity"
	// KindAzureCLI uses the account signed in with the az command.
	KindAzureCLI Kind = "azure-cli"
	// KindDeviceCode is a person who signs in by a code, on any device.
	KindDeviceCode Kind = "device-code"
	// KindBrowser is a person who signs in with the browser of this machine.
	KindBrowser Kind = "browser"
)

// Kinds lists every kind, the commonest first.
func Kinds() []Kind {
	return []Kind{KindClientSecret, KindClientCertificate, KindWorkloadIdentity, KindManagedIdentity, KindAzureCLI, KindDeviceCode, KindBrowser}
}

// KindNames are the kinds as texts.
func KindNames() []string {
	return xslices.Map(Kinds(), func(k Kind) string { return string(k) })
}

// Interactive reports whether a person signs in, so that the kind needs somebody at
// a terminal from time to time.
func (k Kind) Interactive() bool { return k == KindDeviceCode || k == KindBrowser }

// Stored reports whether the vault holds something for the kind: a secret, a
// key, or the sign-in of a person.
func (k Kind) Stored() bool {
	return k == KindClientSecret || k == KindClientCertificate || k.Interactive()
}

// Given reports whether a person gives what the vault holds: a secret or a key.
func (k Kind) Given() bool { return k == KindClientSecret || k == KindClientCertificate }

// Application reports whether the client ID alone says who acts: two
// credentials of the same application are the same identity in a tenant.
func (k Kind) Application() bool { return k.Given() || k == KindWorkloadIdentity }

// The places where a workload identity gets its assertion.
const (
	// AssertionFile is a file that somebody keeps fresh, such as the projected
	// token of a Kubernetes service account.
	AssertionFile = "file"
	// AssertionGitHub is the OIDC endpoint of a GitHub Actions job.
	AssertionGitHub = "github"
)

// PublicClientID is the application under which people sign in where no other
// is given: that of Azure CLI, which every tenant knows.
const PublicClientID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// CredentialConfig describes one credential, which many tenants may share. The
// secret itself is in the Store under SecretName.
type CredentialConfig struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// ClientID is the application's ID; of a user-assigned managed identity, its
	// client ID.
	ClientID string `json:"client_id,omitempty"`
	// SecretName is the name in the Store for kinds that store something.
	SecretName string `json:"secret_name,omitempty"`
	// Expires is when the secret or the certificate ends, in RFC 3339; empty
	// where nobody said.
	Expires string `json:"expires,omitempty"`
	// Thumbprint is the SHA-1 of the certificate in hexadecimal, by which the
	// portal of Azure shows it (client-certificate).
	Thumbprint string `json:"thumbprint,omitempty"`
	// AssertionSource is AssertionFile or AssertionGitHub (workload-identity).
	AssertionSource string `json:"assertion_source,omitempty"`
	// TokenFile is the absolute path of the assertion (workload-identity, file).
	TokenFile string `json:"token_file,omitempty"`
	// HomeTenant is the GUID of the only tenant in which the identity exists
	// (managed-identity).
	HomeTenant string `json:"home_tenant,omitempty"`
	// ResourceID or ObjectID name a user-assigned managed identity where
	// ClientID does not.
	ResourceID string `json:"resource_id,omitempty"`
	ObjectID   string `json:"object_id,omitempty"`
	// AzPath is the absolute path of the az command (azure-cli): a server that
	// a desktop client starts has no useful PATH.
	AzPath string `json:"az_path,omitempty"`
}

// SameIdentity reports whether two credentials act as the same identity in a
// tenant for certain.
func (c CredentialConfig) SameIdentity(other CredentialConfig) bool {
	if naming.Same(c.Name, other.Name) {
		return true
	}
	return c.Kind.Application() && other.Kind.Application() && c.ClientID != "" && naming.Same(c.ClientID, other.ClientID)
}

// setting is one field of a CredentialConfig that only some kinds have.
type setting struct{ name, value string }

func (c CredentialConfig) settings() []setting {
	return []setting{
		{"client ID", c.ClientID}, {"secret", c.SecretName}, {"end", c.Expires}, {"thumbprint", c.Thumbprint},
		{"source of assertions", c.AssertionSource}, {"token file", c.TokenFile}, {"home tenant", c.HomeTenant},
		{"resource ID", c.ResourceID}, {"object ID of its own", c.ObjectID}, {"path of az", c.AzPath},
	}
}

func (k Kind) has() []string {
	return map[Kind][]string{
		KindClientSecret:      {"client ID", "secret", "end"},
		KindClientCertificate: {"client ID", "secret", "end", "thumbprint"},
		KindWorkloadIdentity:  {"client ID", "source of assertions", "token file"},
		KindManagedIdentity:   {"client ID", "home tenant", "resource ID", "object ID of its own"},
		KindAzureCLI:          {"path of az"},
		KindDeviceCode:        {"client ID", "secret"},
		KindBrowser:           {"client ID", "secret"},
	}[k]
}

func (c CredentialConfig) normal() (CredentialConfig, error) {
	if err := naming.Check("credential name", c.Name); err != nil {
		return CredentialConfig{}, err
	}
	if !slices.Contains(Kinds(), c.Kind) {
		return CredentialConfig{}, problems.InvalidArgument("credential %s is of the unknown kind %q: use %s.", c.Name, untrusted.Sanitize(string(c.Kind)), kindList())
	}
	has := c.Kind.has()
	for _, s := range c.settings() {
		if s.value != "" && !slices.Contains(has, s.name) {
			return CredentialConfig{}, problems.InvalidArgument("credential %s is of the kind %s, which has no %s.", c.Name, c.Kind, s.name)
		}
	}
	for _, normal := range []func(*CredentialConfig) error{normalClientID, normalSecretName, normalExpires, normalSource} {
		if err := normal(&c); err != nil {
			return CredentialConfig{}, err
		}
	}
	return c, nil
}

// normalSource checks what one kind alone has.
func normalSource(c *CredentialConfig) error {
	switch c.Kind {
	case KindWorkloadIdentity:
		return normalAssertion(c)
	case KindManagedIdentity:
		return normalManaged(c)
	case KindAzureCLI:
		return normalPath(&c.AzPath, "the az command", c.Name)
	}
	return nil
}

func kindList() string {
	names := KindNames()
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func normalClientID(c *CredentialConfig) error {
	if c.Kind.Interactive() && c.ClientID == "" {
		c.ClientID = PublicClientID
	}
	if c.ClientID == "" && !c.Kind.Application() {
		return nil
	}
	return normalGUID(&c.ClientID, "client ID", c.Name)
}

func normalGUID(id *string, what, credential string) error {
	if !naming.IsGUID(*id) {
		return problems.InvalidArgument("%s %s of credential %s is not a GUID.", what, untrusted.Shown(*id), credential)
	}
	*id = strings.ToLower(*id)
	return nil
}

func normalSecretName(c *CredentialConfig) error {
	if !c.Kind.Stored() {
		return nil
	}
	c.SecretName = cmp.Or(c.SecretName, c.Name)
	return naming.Check("secret name", c.SecretName)
}

func normalAssertion(c *CredentialConfig) error {
	switch {
	case c.AssertionSource == AssertionGitHub && c.TokenFile != "":
		return problems.InvalidArgument("credential %s has both GitHub Actions and a token file as the source of assertions.", c.Name)
	case c.AssertionSource == AssertionGitHub:
		return nil
	case c.AssertionSource != AssertionFile:
		return problems.InvalidArgument("credential %s has no source of assertions: a token file or GitHub Actions.", c.Name)
	}
	return normalPath(&c.TokenFile, "the token file", c.Name)
}

func normalPath(path *string, what, credential string) error {
	if !filepath.IsAbs(*path) || strings.ContainsRune(*path, 0) {
		return problems.InvalidArgument("credential %s has no absolute path of %s.", credential, what)
	}
	*path = filepath.Clean(*path)
	return nil
}

func normalManaged(c *CredentialConfig) error {
	if err := normalGUID(&c.HomeTenant, "home tenant", c.Name); err != nil {
		return err
	}
	named := 0
	for _, id := range []string{c.ClientID, c.ResourceID, c.ObjectID} {
		if id != "" {
			named++
		}
	}
	switch {
	case named > 1:
		return problems.InvalidArgument("credential %s names its managed identity more than once: use client ID, resource ID or object ID.", c.Name)
	case c.ObjectID != "":
		return normalGUID(&c.ObjectID, "object ID", c.Name)
	case c.ResourceID != "" && !isIdentityResource(c.ResourceID):
		return problems.InvalidArgument("resource ID of credential %s is not that of a managed identity: it has the form /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME.", c.Name)
	}
	return nil
}

func isIdentityResource(text string) bool {
	parts := strings.Split(text, "/")
	if len(parts) != 9 || parts[0] != "" || len(text) > maxTextRunes || strings.ContainsFunc(text, isHidden) || strings.ContainsAny(text, " ?#&") {
		return false
	}
	return strings.EqualFold(parts[1], "subscriptions") && strings.EqualFold(parts[3], "resourceGroups") &&
		strings.EqualFold(parts[6], "Microsoft.ManagedIdentity") && strings.EqualFold(parts[7], "userAssignedIdentities") &&
		naming.IsGUID(parts[2]) && parts[4] != "" && parts[8] != ""
}

// Shows is what a credential of the kind shows to prove who it is, as a noun.
func (k Kind) Shows() string {
	switch k {
	case KindClientCertificate:
		return "certificate"
	case KindWorkloadIdentity:
		return "assertion"
	case KindManagedIdentity:
		return "managed identity"
	case KindDeviceCode, KindBrowser, KindAzureCLI:
		return "sign-in"
	}
	return "secret"
}
