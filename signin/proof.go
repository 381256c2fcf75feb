package signin

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// expired refuses a credential whose end has passed, before anything is sent.
func (t target) expired(now time.Time) *problems.Problem {
	state, end := t.credential.Expiry(now)
	if state != tenants.ExpiryPast {
		return nil
	}
	return problems.New(problems.CodeCredentialExpired,
		fmt.Sprintf("The %s of credential %s expired on %s; nothing was sent.", t.credential.Kind.Shows(), t.credential.Name, end.Format(time.DateOnly)),
		t.endHint())
}

// secretProof goes by the end that the backend tells, if it tells one: somebody
// may have put another secret there than the one that the directory knows of.
func (s *Source) secretProof(ctx context.Context, t target, stored vault.Stored) (proof, *problems.Problem) {
	if !stored.ExpiresAt.IsZero() {
		t.credential = s.learnEnd(ctx, t.credential, Certificate{NotAfter: stored.ExpiresAt})
	}
	if problem := t.expired(s.opts.Clock()); problem != nil {
		return proof{}, problem
	}
	return proof{secret: stored.Secret, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(t.tenantID, t.credential.ClientID, string(sealed.Bytes(stored.Secret)),
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
		s.opts.Logger.Warn("the expiry date of a credential was not stored", "credential", config.Name, "code", problems.As(err).Code)
	}
	return next
}

// certificateProof reads the key for this sign-in alone. The certificate itself says
// when it ends, whatever the directory says.
func (s *Source) certificateProof(ctx context.Context, t target, secret vault.Secret) (proof, *problems.Problem) {
	found, err := openPair(secret)
	if err != nil {
		return proof{}, problems.New(problems.CodeVaultCorrupt, "What the vault holds for the credential "+t.credential.Name+" is not a certificate with its key.", t.renewHint())
	}
	t.credential = s.learnEnd(ctx, t.credential, found.about())
	if problem := t.expired(s.opts.Clock()); problem != nil {
		return proof{}, problem
	}
	return proof{secret: secret, credential: func(x *exchange) (azcore.TokenCredential, error) {
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

func (t target) renewHint() problems.Option {
	switch t.credential.Kind {
	case tenants.KindClientCertificate:
		return problems.WithCommand("Upload the certificate with thumbprint "+t.credential.Thumbprint+" to the application, or ask a person to store another one.", "mcp-partner tenants set %s --certificate-file FILE", t.tenant)
	case tenants.KindWorkloadIdentity:
		return problems.WithHint("Compare issuer, subject and audience of the application's federated credential with those of the assertion; the audience is %s.", assertionAudience)
	case tenants.KindManagedIdentity:
		return problems.WithHint("Assign the identity to this machine, or name the assigned one by client ID, resource ID or object ID.")
	case tenants.KindDeviceCode, tenants.KindBrowser:
		return t.loginHint()
	}
	return problems.WithCommand("Ask a person to store a new one: the secret's value, not its ID.", "mcp-partner tenants set %s --secret-stdin", t.tenant)
}

// endHint is renewHint for a secret whose end a person said: another one may be
// in its place by now, put there by another program.
func (t target) endHint() problems.Option {
	if t.credential.Kind != tenants.KindClientSecret {
		return t.renewHint()
	}
	return problems.WithCommand("Ask a person to store a new one. If the vault already holds a new one, leave --secret-stdin out and set only its expiry date.", "mcp-partner tenants set %s --secret-stdin --expires DATE", t.tenant)
}

func (t target) storeHint() problems.Option {
	if t.credential.Kind == tenants.KindClientCertificate {
		return problems.WithCommand("Ask a person to store it.", "mcp-partner tenants set %s --certificate-file FILE", t.tenant)
	}
	return problems.WithCommand("Ask a person to store it.", "mcp-partner tenants set %s --secret-stdin", t.tenant)
}

func (t target) loginHint() problems.Option {
	return problems.WithCommand("Ask a person to sign in.", "mcp-partner vault login %s", t.credential.Name)
}

// clockProblem is about an assertion outside its lifetime: one made here with a
// wrong clock, or a file that is not refreshed.
func (t target) clockProblem() *problems.Problem {
	hint := "Check the clock of this machine."
	if t.credential.Kind == tenants.KindWorkloadIdentity {
		hint = "Check that the platform keeps the token fresh (" + t.credential.TokenFile + "), and the clock of this machine."
	}
	return problems.New(problems.CodeCredentialExpired,
		fmt.Sprintf("Entra ID rejects the assertion of credential %s as expired or not yet valid.", t.credential.Name), problems.WithHint("%s", hint))
}
