package cli

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// kindOptions say of which kind a credential is, and what only that kind has.
type kindOptions struct {
	kind string
	// certificateFile, certificateStdin and passphraseFile are the ways of a
	// certificate with its key.
	certificateFile, passphraseFile string
	certificateStdin                bool
	tokenFile                       string
	github                          bool
	homeTenant, resourceID          string
	identityObjectID                string
	expires                         string
}

// kindFlags are the flags of kindOptions.
func kindFlags() []string {
	return []string{"kind", "certificate-file", "certificate-stdin", "certificate-passphrase-file", "token-file", "github-oidc",
		"home-tenant", "identity-resource-id", "identity-object-id", "expires"}
}

func (k *kindOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&k.kind, "kind", "", "`KIND` of a new credential: "+kindNames())
	k.addCertificate(flags, "the client certificate")
	flags.StringVar(&k.tokenFile, "token-file", "", "workload identity: the platform keeps a token in this `FILE`")
	flags.BoolVar(&k.github, "github-oidc", false, "workload identity: the token comes from the job's OIDC endpoint (GitHub Actions)")
	flags.StringVar(&k.homeTenant, "home-tenant", "", "managed identity: `GUID` of the tenant in which it exists (default: --tenant-id)")
	flags.StringVar(&k.resourceID, "identity-resource-id", "", "managed identity: the user-assigned one with this resource `ID`")
	flags.StringVar(&k.identityObjectID, "identity-object-id", "", "managed identity: the user-assigned one with this object ID (`GUID`)")
	flags.StringVar(&k.expires, "expires", "", "when the client secret ends, a `DATE` such as 2027-01-31")
}

// addCertificate adds the ways of a certificate with its key.
func (k *kindOptions) addCertificate(flags *pflag.FlagSet, what string) {
	flags.StringVar(&k.certificateFile, "certificate-file", "", "read "+what+" with its RSA key from this `FILE` (PEM or PFX)")
	flags.BoolVar(&k.certificateStdin, "certificate-stdin", false, "read "+what+" with its RSA key from standard input")
	flags.StringVar(&k.passphraseFile, "certificate-passphrase-file", "", "`FILE` with the passphrase of the certificate's key (default: asked for if it needs one)")
}

func kindNames() string {
	var names []string
	for _, k := range tenants.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (k *kindOptions) certificate() bool { return k.certificateFile != "" || k.certificateStdin }

func (k *kindOptions) managed() bool {
	return k.homeTenant+k.resourceID+k.identityObjectID != ""
}

// meant is the kind that the flags mean, whether it is named or not.
func (k *kindOptions) meant() (tenants.Kind, error) {
	meant := tenants.KindClientSecret
	switch {
	case k.certificate():
		meant = tenants.KindClientCertificate
	case k.tokenFile != "" || k.github:
		meant = tenants.KindWorkloadIdentity
	case k.managed():
		meant = tenants.KindManagedIdentity
	}
	named := tenants.Kind(k.kind)
	switch {
	case k.kind == "":
		return meant, nil
	case !slices.Contains(tenants.Kinds(), named):
		return "", usage("it is one of "+kindNames(), "--kind %s is not known", k.kind)
	case meant != tenants.KindClientSecret && named != meant:
		return "", usage("leave --kind out, or the flags of another kind", "the flags are those of the kind %s, and --kind is %s", meant, named)
	}
	return named, nil
}

// config is the new credential that the flags mean. tenantID, if it is given,
// is the home of a managed identity that names none.
func (c *credentialOptions) config(name, tenantID string) (tenants.CredentialConfig, error) {
	kind, err := c.kind.meant()
	if err != nil {
		return tenants.CredentialConfig{}, err
	}
	if err := c.fits(kind, name); err != nil {
		return tenants.CredentialConfig{}, err
	}
	config := tenants.CredentialConfig{Name: name, Kind: kind, ClientID: c.clientID}
	return config, c.kind.fill(&config, tenantID)
}

// fits refuses the secret of one kind for a credential of another.
func (c *credentialOptions) fits(kind tenants.Kind, name string) error {
	switch {
	case c.secret.given() && kind != tenants.KindClientSecret:
		return usage("leave --secret-stdin and --secret-file out", "a credential of the kind %s has no client secret", kind)
	case c.kind.certificate() && kind != tenants.KindClientCertificate:
		return usage("leave the certificate out", "a credential of the kind %s has no certificate", kind)
	case c.kind.expires != "" && kind == tenants.KindClientCertificate:
		return usage("leave --expires out", "a certificate says itself when it ends")
	case c.kind.expires != "" && !kind.Given():
		return usage("leave --expires out", "a credential of the kind %s has no end of its own", kind)
	case c.clientID == "" && kind.Application():
		return usage("give --client-id GUID, or --credential with the name of one that exists", "--client-id is missing for the new credential %s", name)
	}
	return nil
}

// fill sets what only one kind has.
func (k *kindOptions) fill(config *tenants.CredentialConfig, tenantID string) error {
	var err error
	switch config.Kind {
	case tenants.KindClientSecret:
		config.Expires, err = k.end()
	case tenants.KindWorkloadIdentity:
		err = k.fillAssertion(config)
	case tenants.KindManagedIdentity:
		config.HomeTenant, config.ResourceID, config.ObjectID = k.homeTenant, k.resourceID, k.identityObjectID
		if config.HomeTenant == "" {
			config.HomeTenant = tenantID
		}
		if config.HomeTenant == "" {
			err = usage("give --home-tenant GUID", "the tenant in which the managed identity exists is missing")
		}
	}
	return err
}

func (k *kindOptions) end() (string, error) {
	if k.expires == "" {
		return "", nil
	}
	end, err := tenants.ParseExpiry(k.expires)
	if err != nil {
		return "", usage("give a day such as 2027-01-31", "--expires %s is no date", k.expires)
	}
	return end, nil
}

// fillAssertion stores an absolute path: a server does not run where this
// command does.
func (k *kindOptions) fillAssertion(config *tenants.CredentialConfig) error {
	switch {
	case k.github && k.tokenFile != "":
		return usage("give one of them", "--github-oidc and --token-file were both given")
	case k.github:
		config.AssertionSource, config.TokenFile = tenants.AssertionGitHub, ""
		return nil
	case k.tokenFile == "":
		return usage("give --token-file FILE, or --github-oidc", "where the workload identity gets its token is missing")
	}
	path, err := filepath.Abs(k.tokenFile)
	if err != nil {
		return usage("give an absolute path", "--token-file %s cannot be found", k.tokenFile)
	}
	config.AssertionSource, config.TokenFile = tenants.AssertionFile, path
	return nil
}

// given is what a person gave for a credential: what goes into the vault, and
// the credential's settings with what was learned of it.
type given struct {
	secret vault.Secret
	config tenants.CredentialConfig
	// held is true for a secret that the vault holds already.
	held bool
}

// ask reads the secret or the certificate of a credential, from where the flags
// say or from the terminal.
func (c *credentialOptions) ask(ctx context.Context, f *Factory, config tenants.CredentialConfig) (given, error) {
	if config.Kind == tenants.KindClientCertificate {
		return c.askCertificate(ctx, f, config)
	}
	end, err := c.kind.end()
	if err != nil {
		return given{}, err
	}
	secret, err := f.secretOrPrompt(ctx, &c.secret, config.Name)
	return given{secret: secret, config: signin.Renewed(config, signin.Certificate{}, end)}, err
}

func (c *credentialOptions) askCertificate(ctx context.Context, f *Factory, config tenants.CredentialConfig) (given, error) {
	raw, err := c.kind.readCertificate(f)
	if err != nil {
		return given{}, err
	}
	defer clear(raw)
	passphrase, err := c.kind.readPassphrase()
	if err != nil {
		return given{}, err
	}
	defer func() { clear(passphrase) }()
	secret, about, err := signin.NewCertificate(raw, passphrase)
	if signin.NeedsPassphrase(err) {
		if passphrase, err = f.askKeyPassphrase(ctx); err != nil {
			return given{}, err
		}
		secret, about, err = signin.NewCertificate(raw, passphrase)
	}
	return given{secret: secret, config: signin.Renewed(config, about, "")}, err
}

func (k *kindOptions) readCertificate(f *Factory) ([]byte, error) {
	switch {
	case k.certificateStdin && k.certificateFile != "":
		return nil, usage("give one of them", "--certificate-stdin and --certificate-file were both given")
	case k.certificateStdin:
		return readAtMost(f.IO.In, "standard input")
	case k.certificateFile == "":
		return nil, usage("give --certificate-file FILE, or pipe it in with --certificate-stdin", "the certificate is missing")
	}
	return readSecretBytes(k.certificateFile, "--certificate-file")
}

func (k *kindOptions) readPassphrase() ([]byte, error) {
	if k.passphraseFile == "" {
		return nil, nil
	}
	raw, err := readSecretBytes(k.passphraseFile, "--certificate-passphrase-file")
	return []byte(strings.TrimRight(string(raw), "\r\n")), err
}

func (f *Factory) askKeyPassphrase(ctx context.Context) ([]byte, error) {
	missing := usage("give --certificate-passphrase-file FILE", "the key of the certificate is encrypted, and there is no terminal to ask for its passphrase on")
	if !f.IO.attended() {
		return nil, missing
	}
	terminal, err := f.IO.Terminal()
	if err != nil {
		return nil, missing
	}
	defer terminal.Close()
	typed, err := terminal.Ask(ctx, "Passphrase of the certificate's key (not shown): ", true)
	if err != nil || typed == "" {
		return nil, usage("give --certificate-passphrase-file FILE", "no passphrase was typed")
	}
	return []byte(typed), nil
}
