package vault

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/schemas"
)

func (s *Source) secretProof(t target, secret Secret) proof {
	return proof{secret: secret, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(t.tenantID, t.credential.ClientID, string(secret.bytes()),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery()})
	}}
}

// certificateProof reads the key, for this sign-in and those beside it. The
// certificate itself says when it ends, whatever the directory says.
func (s *Source) certificateProof(t target, secret Secret) (proof, *schemas.Problem) {
	found, drop, err := s.pairs.take(secret)
	if err != nil {
		return proof{}, schemas.NewProblem(schemas.CodeVaultCorrupt, "What the vault holds for the credential "+t.credential.Name+" is no certificate with its key.", t.renewHint())
	}
	if end := found.chain[0].NotAfter; !s.now().Before(end) {
		drop()
		return proof{}, t.expiredProblem(end)
	}
	return proof{secret: secret, drop: drop, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientCertificateCredential(t.tenantID, t.credential.ClientID, found.chain, found.key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery()})
	}}, nil
}

func (s *Source) assertionProof(t target, assertion Secret) proof {
	give := func(context.Context) (string, error) { return string(assertion.bytes()), nil }
	return proof{secret: assertion, credential: func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientAssertionCredential(t.tenantID, t.credential.ClientID, give,
			&azidentity.ClientAssertionCredentialOptions{ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery()})
	}}
}

// defaultChain is whatever azidentity finds first. What it finds in the
// environment goes to the entry's authority or to the identity endpoint of the
// machine and nowhere else.
func (s *Source) defaultChain(t target, x *exchange) (azcore.TokenCredential, error) {
	if endpoint, err := managedEndpoint(); err == nil {
		x.machine, x.also = s.metadata, atEndpoint(endpoint)
	}
	return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: s.clientOptions(x, t), DisableInstanceDiscovery: t.skipsDiscovery(), TenantID: t.tenantID,
	})
}
