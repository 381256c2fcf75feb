package cli

import (
	"context"

	"mcp-partner/internal/naming"
	"mcp-partner/signin"
	"mcp-partner/tenants"
)

// secretOf is what goes into the vault for a credential. For a new one the
// vault may hold it already: vault add stored it, or another program did in a
// backend. That one is used then, and never replaced by the way.
func (f *Factory) secretOf(ctx context.Context, h *house, config tenants.CredentialConfig, o *credentialOptions) (given, error) {
	if _, err := h.directory.Credential(config.Name); err == nil {
		return o.ask(ctx, f, config)
	}
	held, err := h.holds(ctx, config.Name)
	switch {
	case err != nil:
		return given{}, err
	case !held:
		return o.ask(ctx, f, config)
	case o.given():
		return given{}, refused("leave the secret out to use the one that is there, or choose another name with --credential",
			"the vault holds a secret of the name %s already, which no credential uses yet", config.Name)
	}
	end, err := o.kind.end()
	if err != nil {
		return given{}, err
	}
	return h.adopt(ctx, config, end)
}

// adopt reads what can be known of the secret that the vault holds for a new
// credential.
func (h *house) adopt(ctx context.Context, config tenants.CredentialConfig, end string) (given, error) {
	secret, err := h.store.Get(ctx, config.Name)
	if err != nil {
		return given{}, err
	}
	about, certificateErr := signin.CertificateOf(secret)
	switch isCertificate := certificateErr == nil; {
	case config.Kind == tenants.KindClientCertificate && !isCertificate:
		return given{}, refused("choose another name with --credential", "what the vault holds under the name %s is no certificate with its key: %s", config.Name, messageOf(certificateErr))
	case config.Kind == tenants.KindClientSecret && isCertificate:
		return given{}, refused("give --kind client-certificate", "what the vault holds under the name %s is a certificate with its key", config.Name)
	}
	return given{secret: secret, config: signin.Renewed(config, about, end), held: true}, nil
}

// heldFor finds which of the new credentials the vault holds something for. It
// opens the vault only if there is one that could.
func (h *house) heldFor(ctx context.Context, fresh []tenants.CredentialConfig) (map[string]tenants.CredentialConfig, error) {
	found := map[string]tenants.CredentialConfig{}
	for _, config := range fresh {
		if !config.Kind.Stored() {
			continue
		}
		held, err := h.holds(ctx, config.Name)
		if err != nil {
			return nil, err
		}
		if held {
			found[naming.Fold(config.Name)] = config
		}
	}
	return found, nil
}
