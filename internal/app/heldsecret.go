package app

import (
	"context"
	"time"

	"mcp-partner/internal/credential"
	"mcp-partner/internal/exit"
	"mcp-partner/signin"
	"mcp-partner/tenants"
)

// Adopt reads what can be known of the secret that the vault holds for a new
// credential.
func (a *App) Adopt(ctx context.Context, config tenants.CredentialConfig, end string) (credential.Provided, error) {
	secret, err := a.Store.Get(ctx, config.Name)
	if err != nil {
		return credential.Provided{}, err
	}
	about, certificateErr := signin.CertificateOf(secret)
	switch isCertificate := certificateErr == nil; {
	case config.Kind == tenants.KindClientCertificate && !isCertificate:
		return credential.Provided{}, exit.Refused("choose another name with --credential", "what the vault holds under the name %s is no certificate with its key: %s", config.Name, exit.MessageOf(certificateErr))
	case config.Kind == tenants.KindClientSecret && isCertificate:
		return credential.Provided{}, exit.Refused("give --kind client-certificate", "what the vault holds under the name %s is a certificate with its key", config.Name)
	}
	if certificateErr == nil {
		if err := about.CheckDates(time.Now()); err != nil {
			return credential.Provided{}, err
		}
	}
	return credential.Provided{Secret: secret, Config: signin.Renewed(config, about, end), Held: true}, nil
}
