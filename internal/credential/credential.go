// Package credential turns what a person says about a credential into its
// settings: the kind, the client ID and where the secret comes from.
package credential

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"mcp-partner/internal/exit"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// Provided is what a person gave for a credential: what goes into the vault, and
// the credential's settings with what was learned of it.
type Provided struct {
	Secret vault.Secret
	Config tenants.CredentialConfig
	// held is true for a secret that the vault holds already.
	Held bool
}

// AzureCLI is the name of the credential that uses the account signed in with
// az.
const AzureCLI = "azure-cli"

// Options say which credential acts in a tenant, and how its secret
// comes in.
type Options struct {
	Name, ClientID string
	Secret         SecretOptions
	Kind           KindOptions
}

// Given reports whether the flags name something that goes into the vault.
func (c *Options) Given() bool { return c.Secret.Given() || c.Kind.Certificate() }

// SecretOptions are the ways of a secret that come by flag: never the secret
// itself, which every process on the machine could read there.
type SecretOptions struct {
	Stdin bool
	File  string
}

// Given reports whether a flag says where the secret is.
func (s *SecretOptions) Given() bool { return s.Stdin || s.File != "" }

// KindOptions say of which kind a credential is, and what only that kind has.
type KindOptions struct {
	Kind string
	// certificateFile, certificateStdin and passphraseFile are the ways of a
	// certificate with its key.
	CertificateFile, PassphraseFile string
	CertificateStdin                bool
	TokenFile                       string
	GitHub                          bool
	HomeTenant, ResourceID          string
	IdentityObjectID                string
	Expires                         string
}

// Certificate reports whether the flags name a certificate.
func (k *KindOptions) Certificate() bool { return k.CertificateFile != "" || k.CertificateStdin }

func (k *KindOptions) managed() bool {
	return k.HomeTenant+k.ResourceID+k.IdentityObjectID != ""
}

// Meant is the kind that the flags mean, whether it is named or not.
func (k *KindOptions) Meant() (tenants.Kind, error) {
	meant := tenants.KindClientSecret
	switch {
	case k.Certificate():
		meant = tenants.KindClientCertificate
	case k.TokenFile != "" || k.GitHub:
		meant = tenants.KindWorkloadIdentity
	case k.managed():
		meant = tenants.KindManagedIdentity
	}
	named := tenants.Kind(k.Kind)
	switch {
	case k.Kind == "":
		return meant, nil
	case !slices.Contains(tenants.Kinds(), named):
		return "", exit.Usage("use one of "+strings.Join(tenants.KindNames(), ", "), "--kind %s is not known", k.Kind)
	case meant != tenants.KindClientSecret && named != meant:
		return "", exit.Usage("leave --kind out, or the flags of another kind", "the flags are for the kind %s, but --kind is %s", meant, named)
	}
	return named, nil
}

// Config is the new credential that the flags mean. tenantID, if it is given,
// is the home of a managed identity that names none.
func (c *Options) Config(name, tenantID string) (tenants.CredentialConfig, error) {
	kind, err := c.Kind.Meant()
	if err != nil {
		return tenants.CredentialConfig{}, err
	}
	if err := c.fits(kind, name); err != nil {
		return tenants.CredentialConfig{}, err
	}
	config := tenants.CredentialConfig{Name: name, Kind: kind, ClientID: c.ClientID}
	return config, c.Kind.fill(&config, tenantID)
}

func (c *Options) fits(kind tenants.Kind, name string) error {
	switch {
	case c.Secret.Given() && kind != tenants.KindClientSecret:
		return exit.Usage("leave --secret-stdin and --secret-file out", "a credential of the kind %s has no client secret", kind)
	case c.Kind.Certificate() && kind != tenants.KindClientCertificate:
		return exit.Usage("leave the certificate out", "a credential of the kind %s has no certificate", kind)
	case c.Kind.Expires != "" && kind == tenants.KindClientCertificate:
		return exit.Usage("leave --expires out", "a certificate contains its expiry date")
	case c.Kind.Expires != "" && !kind.Given():
		return exit.Usage("leave --expires out", "a credential of the kind %s has no expiry date", kind)
	case c.ClientID == "" && kind.Application():
		return exit.Usage("give --client-id GUID, or --credential with the name of one that exists", "--client-id is missing for the new credential %s", name)
	}
	return nil
}

func (k *KindOptions) fill(config *tenants.CredentialConfig, tenantID string) error {
	var err error
	switch config.Kind {
	case tenants.KindClientSecret:
		config.Expires, err = k.End()
	case tenants.KindWorkloadIdentity:
		err = k.fillAssertion(config)
	case tenants.KindManagedIdentity:
		config.HomeTenant, config.ResourceID, config.ObjectID = cmp.Or(k.HomeTenant, tenantID), k.ResourceID, k.IdentityObjectID
		if config.HomeTenant == "" {
			err = exit.Usage("give --home-tenant GUID", "the home tenant of the managed identity is missing")
		}
	}
	return err
}

// End is the end that --expires names, or "". Its error is one of usage.
func (k *KindOptions) End() (string, error) {
	if k.Expires == "" {
		return "", nil
	}
	end, err := tenants.ParseExpiry(k.Expires)
	if err != nil {
		return "", exit.Usage("give a day such as 2027-01-31", "--expires %s is not a date", k.Expires)
	}
	return end, nil
}

// fillAssertion stores an absolute path: a server does not run where this
// command does.
func (k *KindOptions) fillAssertion(config *tenants.CredentialConfig) error {
	switch {
	case k.GitHub && k.TokenFile != "":
		return exit.Usage("give one of them", "--github-oidc and --token-file were both given")
	case k.GitHub:
		config.AssertionSource, config.TokenFile = tenants.AssertionGitHub, ""
		return nil
	case k.TokenFile == "":
		return exit.Usage("give --token-file FILE, or --github-oidc", "the token source of the workload identity is missing")
	}
	path, err := filepath.Abs(k.TokenFile)
	if err != nil {
		return exit.Usage("give an absolute path", "--token-file %s cannot be found", k.TokenFile)
	}
	config.AssertionSource, config.TokenFile = tenants.AssertionFile, path
	return nil
}

// Changes refuses flags that an existing credential of a kind cannot take. Of
// which kind it is never changes: another kind is another identity, and has to
// be seen as one.
func (c *Options) Changes(config tenants.CredentialConfig) error {
	kind := config.Kind
	switch {
	case c.Kind.Kind != "" && tenants.Kind(c.Kind.Kind) != kind,
		c.Secret.Given() && kind != tenants.KindClientSecret,
		c.Kind.Certificate() && kind != tenants.KindClientCertificate,
		c.ClientID != "" && !kind.Application() && kind != tenants.KindManagedIdentity && !kind.Interactive(),
		(c.Kind.TokenFile != "" || c.Kind.GitHub) && kind != tenants.KindWorkloadIdentity,
		c.Kind.managed() && kind != tenants.KindManagedIdentity,
		c.Kind.Expires != "" && kind != tenants.KindClientSecret:
		return exit.Refused("give --credential NAME for another credential", "the flags do not match the credential %s of the kind %s", config.Name, kind)
	}
	return nil
}

// Changed is an existing credential with the settings that the flags name.
func (c *Options) Changed(now tenants.CredentialConfig) (tenants.CredentialConfig, error) {
	next := now
	next.ClientID = cmp.Or(c.ClientID, now.ClientID)
	if c.Kind.Expires != "" {
		end, err := c.Kind.End()
		if err != nil {
			return now, err
		}
		next.Expires = end
	}
	if c.Kind.TokenFile != "" || c.Kind.GitHub {
		if err := c.Kind.fillAssertion(&next); err != nil {
			return now, err
		}
	}
	if c.Kind.managed() || c.ClientID != "" && now.Kind == tenants.KindManagedIdentity {
		next.HomeTenant = cmp.Or(c.Kind.HomeTenant, now.HomeTenant)
		if c.ClientID+c.Kind.ResourceID+c.Kind.IdentityObjectID != "" {
			next.ClientID, next.ResourceID, next.ObjectID = c.ClientID, c.Kind.ResourceID, c.Kind.IdentityObjectID
		}
	}
	return next, nil
}
