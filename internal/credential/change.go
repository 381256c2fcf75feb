package credential

import (
	"mcp-partner/internal/exit"
	"mcp-partner/tenants"
)

// Changes refuses flags that an existing credential of a kind cannot take. Of
// which kind it is never changes: another kind is another identity, and has to
// be seen as one.
func (c *Options) Changes(config tenants.CredentialConfig) error {
	kind := config.Kind
	other := exit.Refused("give --credential NAME for another credential", "the flags do not match the credential %s of the kind %s", config.Name, kind)
	switch {
	case c.Kind.Kind != "" && tenants.Kind(c.Kind.Kind) != kind,
		c.Secret.Given() && kind != tenants.KindClientSecret,
		c.Kind.Certificate() && kind != tenants.KindClientCertificate,
		c.ClientID != "" && !kind.Application() && kind != tenants.KindManagedIdentity && !kind.Interactive(),
		(c.Kind.TokenFile != "" || c.Kind.GitHub) && kind != tenants.KindWorkloadIdentity,
		c.Kind.managed() && kind != tenants.KindManagedIdentity,
		c.Kind.Expires != "" && kind != tenants.KindClientSecret:
		return other
	}
	return nil
}

// Changed is an existing credential with the settings that the flags name.
func (c *Options) Changed(now tenants.CredentialConfig) (tenants.CredentialConfig, error) {
	next := now
	if c.ClientID != "" {
		next.ClientID = c.ClientID
	}
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
		next.ClientID, next.ResourceID, next.ObjectID = c.ClientID, c.Kind.ResourceID, c.Kind.IdentityObjectID
		if c.Kind.HomeTenant != "" {
			next.HomeTenant = c.Kind.HomeTenant
		}
		if c.ClientID+c.Kind.ResourceID+c.Kind.IdentityObjectID == "" {
			next.ClientID, next.ResourceID, next.ObjectID = now.ClientID, now.ResourceID, now.ObjectID
		}
	}
	return next, nil
}
