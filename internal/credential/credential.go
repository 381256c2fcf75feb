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
	// Held is true for a secret that the vault holds already.
	Held bool
}

// AzureCLI is the name of the credential that uses the account signed in with
// az.
const AzureCLI = "azure-cli"

// Options say which credential acts in a tenant, and how its secret comes in.
type Options struct {
	// The settings of the credential that were given, not what is learned of a
	// secret.
	tenants.CredentialConfig
	// GitHub takes the place of the token file of a workload identity.
	GitHub bool
	Secret SecretOptions
	// CertificateFile, CertificateStdin and PassphraseFile are the ways of a
	// certificate with its key.
	CertificateFile, PassphraseFile string
	CertificateStdin                bool
}

// Given reports whether the flags name something that goes into the vault.
func (o *Options) Given() bool { return o.Secret.Given() || o.Certificate() }

// SecretOptions are the ways of a secret that come by flag: never the secret
// itself, which every process on the machine could read there.
type SecretOptions struct {
	Stdin bool
	File  string
}

// Given reports whether a flag says where the secret is.
func (s *SecretOptions) Given() bool { return s.Stdin || s.File != "" }

// Certificate reports whether the flags name a certificate.
func (o *Options) Certificate() bool { return o.CertificateFile != "" || o.CertificateStdin }

func (o *Options) managed() bool { return o.HomeTenant+o.ResourceID+o.ObjectID != "" }

func (o *Options) federated() bool { return o.TokenFile != "" || o.GitHub }

// Meant is the kind that the flags mean, whether it is named or not.
func (o *Options) Meant() (tenants.Kind, error) {
	meant := tenants.KindClientSecret
	switch {
	case o.Certificate():
		meant = tenants.KindClientCertificate
	case o.federated():
		meant = tenants.KindWorkloadIdentity
	case o.managed():
		meant = tenants.KindManagedIdentity
	}
	switch {
	case o.Kind == "":
		return meant, nil
	case !slices.Contains(tenants.Kinds(), o.Kind):
		return "", exit.Usage("use one of "+strings.Join(tenants.KindNames(), ", "), "--kind %s is not known", o.Kind)
	case meant != tenants.KindClientSecret && o.Kind != meant:
		return "", exit.Usage("leave --kind out, or the flags of another kind", "the flags are for the kind %s, but --kind is %s", meant, o.Kind)
	}
	return o.Kind, nil
}

// New is the new credential that the flags mean. tenantID, if it is given, is
// the home of a managed identity that names none.
func (o *Options) New(name, tenantID string) (tenants.CredentialConfig, error) {
	config := o.CredentialConfig
	kind, err := o.Meant()
	if err != nil {
		return config, err
	}
	config.Name, config.Kind = name, kind
	switch {
	case o.Secret.Given() && kind != tenants.KindClientSecret:
		err = exit.Usage("leave --secret-stdin and --secret-file out", "a credential of the kind %s has no client secret", kind)
	case o.Expires != "" && kind == tenants.KindClientCertificate:
		err = exit.Usage("leave --expires out", "a certificate contains its expiry date")
	case o.Expires != "" && !kind.Given():
		err = exit.Usage("leave --expires out", "a credential of the kind %s has no expiry date", kind)
	case o.ClientID == "" && kind.Application():
		err = exit.Usage("give --client-id GUID, or --credential with the name of one that exists", "--client-id is missing for the new credential %s", name)
	case kind == tenants.KindClientSecret:
		config.Expires, err = o.End()
	case kind == tenants.KindWorkloadIdentity:
		err = o.fillAssertion(&config)
	case kind == tenants.KindManagedIdentity:
		if config.HomeTenant = cmp.Or(o.HomeTenant, tenantID); config.HomeTenant == "" {
			err = exit.Usage("give --home-tenant GUID", "the home tenant of the managed identity is missing")
		}
	}
	return config, err
}

// End is the end that --expires names, or "". Its error is one of usage.
func (o *Options) End() (string, error) {
	if o.Expires == "" {
		return "", nil
	}
	end, err := tenants.ParseExpiry(o.Expires)
	if err != nil {
		return "", exit.Usage("give a day such as 2027-01-31", "--expires %s is not a date", o.Expires)
	}
	return end, nil
}

// fillAssertion stores an absolute path: a server does not run where this
// command does.
func (o *Options) fillAssertion(config *tenants.CredentialConfig) error {
	switch {
	case o.GitHub && o.TokenFile != "":
		return exit.Usage("give one of them", "--github-oidc and --token-file were both given")
	case o.GitHub:
		config.AssertionSource, config.TokenFile = tenants.AssertionGitHub, ""
		return nil
	case o.TokenFile == "":
		return exit.Usage("give --token-file FILE, or --github-oidc", "the token source of the workload identity is missing")
	}
	path, err := filepath.Abs(o.TokenFile)
	if err != nil {
		return exit.Usage("give an absolute path", "--token-file %s cannot be found", o.TokenFile)
	}
	config.AssertionSource, config.TokenFile = tenants.AssertionFile, path
	return nil
}

// Changes refuses flags that an existing credential of a kind cannot take. Of
// which kind it is never changes: another kind is another identity, and has to
// be seen as one.
func (o *Options) Changes(config tenants.CredentialConfig) error {
	kind := config.Kind
	switch {
	case o.Kind != "" && o.Kind != kind,
		o.Secret.Given() && kind != tenants.KindClientSecret,
		o.Certificate() && kind != tenants.KindClientCertificate,
		o.ClientID != "" && !kind.Application() && kind != tenants.KindManagedIdentity && !kind.Interactive(),
		o.federated() && kind != tenants.KindWorkloadIdentity,
		o.managed() && kind != tenants.KindManagedIdentity,
		o.Expires != "" && kind != tenants.KindClientSecret:
		return exit.Refused("give --credential NAME for another credential", "the flags do not match the credential %s of the kind %s", config.Name, kind)
	}
	return nil
}

// Changed is an existing credential, whose kind takes the flags, with the
// settings that they name.
func (o *Options) Changed(now tenants.CredentialConfig) (next tenants.CredentialConfig, err error) {
	next = now
	next.ClientID = cmp.Or(o.ClientID, now.ClientID)
	if o.Expires != "" {
		next.Expires, err = o.End()
	}
	if o.federated() {
		err = o.fillAssertion(&next)
	}
	if now.Kind == tenants.KindManagedIdentity {
		next.HomeTenant = cmp.Or(o.HomeTenant, now.HomeTenant)
		if o.ClientID+o.ResourceID+o.ObjectID != "" {
			next.ClientID, next.ResourceID, next.ObjectID = o.ClientID, o.ResourceID, o.ObjectID
		}
	}
	return next, err
}
