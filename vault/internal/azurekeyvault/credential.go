package azurekeyvault

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/schemas/problems"
)

// errSignIn stands for every failed sign-in: the errors of the identity SDK
// hold the request.
var errSignIn = errors.New("the sign-in failed")

// errChallenge means that the key vault asked for a token that is not for it.
var errChallenge = errors.New("the challenge names another audience or tenant")

func (s Settings) credential(options azcore.ClientOptions, az azcore.TokenCredential) (azcore.TokenCredential, error) {
	where, _, _ := s.place()
	options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: where.authority}
	var inner azcore.TokenCredential
	var err error
	switch s.Auth.Method {
	case MethodManagedIdentity:
		managed := azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
		if s.Auth.ClientID != "" {
			managed.ID = azidentity.ClientID(s.Auth.ClientID)
		}
		inner, err = azidentity.NewManagedIdentityCredential(&managed)
	case MethodWorkloadIdentity:
		inner, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: options, ClientID: s.Auth.ClientID, TenantID: s.Auth.TenantID, TokenFilePath: s.Auth.TokenFile,
			DisableInstanceDiscovery: true,
		})
	default:
		inner = az
	}
	if err != nil || inner == nil {
		return nil, problems.New(problems.CodeVaultUnavailable, "The sign-in to the key vault with "+s.Auth.Method+" is not possible on this machine.")
	}
	return &pinned{inner, where.scope, s.Auth.TenantID}, nil
}

// pinned gives tokens for one audience. The audience comes from a challenge of
// the server, which could ask for a token that opens something else.
type pinned struct {
	inner         azcore.TokenCredential
	scope, tenant string
}

func (p *pinned) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(options.Scopes) != 1 || options.Scopes[0] != p.scope {
		return azcore.AccessToken{}, errChallenge
	}
	if p.tenant != "" && options.TenantID != "" && options.TenantID != p.tenant {
		return azcore.AccessToken{}, errChallenge
	}
	options.TenantID = ""
	token, err := p.inner.GetToken(ctx, options)
	if err != nil {
		if ctx.Err() != nil {
			return azcore.AccessToken{}, ctx.Err()
		}
		return azcore.AccessToken{}, errSignIn
	}
	return token, nil
}
