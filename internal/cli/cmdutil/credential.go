package cmdutil

import (
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/config"
	"mcp-partner/internal/credential"
	"mcp-partner/tenants"
)

// KindFlags are the flags of kindOptions.
func KindFlags() []string {
	return []string{"kind", "certificate-file", "certificate-stdin", "certificate-passphrase-file", "token-file", "github-oidc",
		"home-tenant", "identity-resource-id", "identity-object-id", "expires"}
}

func addKindFlags(k *credential.KindOptions, flags *pflag.FlagSet) {
	flags.StringVar(&k.Kind, "kind", "", "`KIND` of a new credential: "+strings.Join(tenants.KindNames(), ", "))
	AddCertificateFlags(k, flags, "the client certificate")
	flags.StringVar(&k.TokenFile, "token-file", "", "workload identity: the platform keeps a token in this `FILE`")
	flags.BoolVar(&k.GitHub, "github-oidc", false, "workload identity: the token comes from the job's OIDC endpoint (GitHub Actions)")
	flags.StringVar(&k.HomeTenant, "home-tenant", "", "managed identity: `GUID` of the tenant in which it exists (default: --tenant-id)")
	flags.StringVar(&k.ResourceID, "identity-resource-id", "", "managed identity: the user-assigned one with this resource `ID`")
	flags.StringVar(&k.IdentityObjectID, "identity-object-id", "", "managed identity: the user-assigned one with this object ID (`GUID`)")
	flags.StringVar(&k.Expires, "expires", "", "expiry `DATE` of the client secret, such as 2027-01-31")
}

// AddCertificateFlags adds the ways of a certificate with its key.
func AddCertificateFlags(k *credential.KindOptions, flags *pflag.FlagSet, what string) {
	flags.StringVar(&k.CertificateFile, "certificate-file", "", "read "+what+" with its RSA key from this `FILE` (PEM or PFX)")
	flags.BoolVar(&k.CertificateStdin, "certificate-stdin", false, "read "+what+" with its RSA key from standard input")
	flags.StringVar(&k.PassphraseFile, "certificate-passphrase-file", "", "`FILE` with the passphrase of the certificate's key (default: asked for if it needs one)")
}

// AddCredentialFlags adds the flags that say which credential acts in a tenant.
func AddCredentialFlags(c *credential.Options, flags *pflag.FlagSet) {
	flags.StringVar(&c.Name, "credential", "", "`NAME` of the credential, or azure-cli (default: named after the tenant)")
	flags.StringVar(&c.ClientID, "client-id", "", "`GUID` of the application")
	AddSecretFlags(&c.Secret, flags)
	addKindFlags(&c.Kind, flags)
}

// AddSecretFlags adds the ways of a client secret.
func AddSecretFlags(s *credential.SecretOptions, flags *pflag.FlagSet) {
	flags.BoolVar(&s.Stdin, "secret-stdin", false, "read the client secret from standard input; on a terminal, ask without echo")
	flags.StringVar(&s.File, "secret-file", "", "read the client secret from this `FILE`")
}

// AddConsentFlags adds the consent to send a stored secret to another place.
func AddConsentFlags(c *app.Consent, flags *pflag.FlagSet) {
	flags.BoolVar(&c.OtherAuthority, app.OtherAuthorityFlag, false, "send a stored secret, or its tokens, to an authority or ARM that is new for it")
	config.Typed(flags, app.OtherAuthorityFlag)
}

// AddKeepLinkFlag adds the consent to leave a link of the former identity.
func AddKeepLinkFlag(c *app.Consent, flags *pflag.FlagSet) {
	flags.BoolVar(&c.KeepLink, "keep-link", false, "change the identity without reading the link, and leave the link as it is")
	config.Typed(flags, "keep-link")
}
