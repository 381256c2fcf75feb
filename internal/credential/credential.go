package credential

import (
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

// AzureCLI is the name of the credential that is whoever signed in with az.
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
