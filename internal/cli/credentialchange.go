package cli

import "mcp-partner/tenants"

// changes refuses flags that an existing credential of a kind cannot take. Of
// which kind it is never changes: another kind is another identity, and has to
// be seen as one.
func (c *credentialOptions) changes(config tenants.CredentialConfig) error {
	kind := config.Kind
	other := refused("give --credential NAME for another credential", "the credential %s is of the kind %s, which the flags do not fit", config.Name, kind)
	switch {
	case c.kind.kind != "" && tenants.Kind(c.kind.kind) != kind,
		c.secret.given() && kind != tenants.KindClientSecret,
		c.kind.certificate() && kind != tenants.KindClientCertificate,
		c.clientID != "" && !kind.Application() && kind != tenants.KindManagedIdentity && !kind.Person(),
		(c.kind.tokenFile != "" || c.kind.github) && kind != tenants.KindWorkloadIdentity,
		c.kind.managed() && kind != tenants.KindManagedIdentity,
		c.kind.expires != "" && kind != tenants.KindClientSecret:
		return other
	}
	return nil
}

// changed is an existing credential with the settings that the flags name.
func (c *credentialOptions) changed(now tenants.CredentialConfig) (tenants.CredentialConfig, error) {
	next := now
	if c.clientID != "" {
		next.ClientID = c.clientID
	}
	if c.kind.expires != "" {
		end, err := c.kind.end()
		if err != nil {
			return now, err
		}
		next.Expires = end
	}
	if c.kind.tokenFile != "" || c.kind.github {
		if err := c.kind.fillAssertion(&next); err != nil {
			return now, err
		}
	}
	if c.kind.managed() || c.clientID != "" && now.Kind == tenants.KindManagedIdentity {
		next.ClientID, next.ResourceID, next.ObjectID = c.clientID, c.kind.resourceID, c.kind.identityObjectID
		if c.kind.homeTenant != "" {
			next.HomeTenant = c.kind.homeTenant
		}
		if c.clientID+c.kind.resourceID+c.kind.identityObjectID == "" {
			next.ClientID, next.ResourceID, next.ObjectID = now.ClientID, now.ResourceID, now.ObjectID
		}
	}
	return next, nil
}

// credentialFields show what was learned of a credential.
func (u *ui) credentialFields(config tenants.CredentialConfig) {
	if config.Kind != tenants.KindClientSecret {
		u.field("kind", string(config.Kind))
	}
	u.field("thumbprint", config.Thumbprint)
	u.field("expires", config.Expires)
	if config.Kind == tenants.KindManagedIdentity {
		u.field("home tenant", config.HomeTenant)
	}
}
