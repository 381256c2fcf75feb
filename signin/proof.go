package signin

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// expired refuses a credential whose end has passed, before anything is sent.
func (t target) expired(now time.Time) *schemas.Problem {
	state, end := t.credential.Expiry(now)
	if state != tenants.ExpiryPast {
		return nil
	}
	return schemas.NewProblem(schemas.CodeCredentialExpired,
		fmt.Sprintf("The %s of credential %s expired on %s; nothing was sent.", t.credential.Kind.Shows(), t.credential.Name, end.Format(time.DateOnly)),
		t.endHint())
}

// secretProof goes by the end that the backend tells, if it tells one: somebody
// may have put another secret there than the one that the directory knows of.
func (s *Source) secretProof(ctx context.Context, t target, secret vault.Secret) (proof, *schemas.Problem) {
	if info, err := s.opts.Store.Info(ctx, t.credential.SecretName); err == nil && !info.ExpiresAt.IsZero() {
		t.credential = s.learnEnd(ctx, t.credential, Certificate{NotAfter: info.ExpiresAt})
	}
	if problem := t.expired(s.opts.Clock()); problem != nil {
		return proof{}, problem
	}
	return proof{secret: secret, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(t.tenantID, t.credential.ClientID, string(sealed.Bytes(secret)),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery()})
	}}, nil
}

// learnEnd writes down when a stored secret ends that says so itself, so that
// lists and figures know it without opening the vault. Nothing depends on it.
func (s *Source) learnEnd(ctx context.Context, config tenants.CredentialConfig, about Certificate) tenants.CredentialConfig {
	next := config
	next.Expires, next.Thumbprint = tenants.FormatExpiry(about.NotAfter), about.Thumbprint
	// Sign-ins come by the dozen, and one of them does for all.
	if next == config || !s.learning.TryLock() {
		return next
	}
	defer s.learning.Unlock()
	if err := s.opts.Directory.Revise(ctx, config, next); err != nil {
		s.opts.Logger.Warn("the expiry date of a credential was not stored", "credential", config.Name, "code", schemas.AsProblem(err).Code)
	}
	return next
}

// certificateProof reads the key, for this sign-in and those beside it. The
// certificate itself says when it ends, whatever the directory says.
func (s *Source) certificateProof(ctx context.Context, t target, secret vault.Secret) (proof, *schemas.Problem) {
	found, drop, err := s.pairs.take(secret)
	if err != nil {
		return proof{}, schemas.NewProblem(schemas.CodeVaultCorrupt, "What the vault holds for the credential "+t.credential.Name+" is not a certificate with its key.", t.renewHint())
	}
	t.credential = s.learnEnd(ctx, t.credential, found.about())
	if problem := t.expired(s.opts.Clock()); problem != nil {
		drop()
		return proof{}, problem
	}
	return proof{secret: secret, drop: drop, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientCertificateCredential(t.tenantID, t.credential.ClientID, found.chain, found.key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery()})
	}}, nil
}

func (s *Source) assertionProof(t target, assertion vault.Secret) proof {
	give := func(context.Context) (string, error) { return string(sealed.Bytes(assertion)), nil }
	return proof{secret: assertion, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientAssertionCredential(t.tenantID, t.credential.ClientID, give,
			&azidentity.ClientAssertionCredentialOptions{ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery()})
	}}
}
