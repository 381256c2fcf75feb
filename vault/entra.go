package vault

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcp-partner/schemas"
)

// mint gets a new token, asked is false where nothing was sent or run because a
// refusal still stands or the vault gave no secret.
func (s *Source) mint(ctx context.Context, t target, claims string) (got token, asked bool, problem *schemas.Problem) {
	switch t.credential.Kind {
	case KindClientSecret:
		return s.mintWithSecret(ctx, t, claims)
	case KindAzureCLI:
		return s.mintWithAzureCLI(ctx, t, claims)
	}
	return token{}, false, schemas.NewProblem(schemas.CodeInternal, "Credential "+t.credential.Name+" is of a kind that cannot sign in.")
}

func (s *Source) mintWithSecret(ctx context.Context, t target, claims string) (token, bool, *schemas.Problem) {
	secret, err := s.store.Get(ctx, t.credential.SecretName)
	if err != nil {
		return token{}, false, s.secretProblem(t, err)
	}
	if refused := s.refusals.find(t, secret); refused != nil {
		return token{}, false, refused
	}
	var problem *schemas.Problem
	leave := s.gates.enter(ctx, t.credentialKey(), secret)
	defer func() { leave(problem != nil && refusesCredential(problem.Code)) }()
	if refused := s.refusals.find(t, secret); refused != nil {
		return token{}, false, refused
	}
	var got token
	if got, problem = s.presentSecret(ctx, t, secret, claims); problem != nil {
		s.refusals.keep(t, secret, problem)
	}
	return got, true, problem
}

func refusesCredential(code schemas.Code) bool {
	return code == schemas.CodeCredentialRejected || code == schemas.CodeCredentialExpired
}

// secretProblem adds the tenant to what the vault said.
func (s *Source) secretProblem(t target, err error) *schemas.Problem {
	problem := *schemas.AsProblem(err)
	if problem.Code == schemas.CodeVaultMissing {
		problem.Message += " The credential " + t.credential.Name + " of tenant " + t.tenant + " needs it."
	}
	return &problem
}

// presentSecret makes one sign-in. The SDK's credential object lives for this
// sign-in alone: making one takes microseconds and no request, one that lives
// on would keep the secret and a cache of its own in memory for each tenant,
// and one that is shared holds a lock across its requests for all tenants.
func (s *Source) presentSecret(ctx context.Context, t target, secret Secret, claims string) (token, *schemas.Problem) {
	client, err := s.http.Client([]byte(t.cloud.CAPEM))
	if err != nil {
		return token{}, invalid("The CA certificates of tenant %s cannot be read.", t.tenant)
	}
	x := newExchange(client, t)
	credential, err := azidentity.NewClientSecretCredential(t.tenantID, t.credential.ClientID, string(secret.bytes()),
		&azidentity.ClientSecretCredentialOptions{
			ClientOptions:            s.clientOptions(x, t),
			DisableInstanceDiscovery: t.cloud.Name != CloudCustom || t.cloud.SkipInstanceDiscovery,
		})
	if err != nil {
		return token{}, schemas.NewProblem(schemas.CodeInternal, "The sign-in to tenant "+t.tenant+" cannot be prepared.")
	}
	got, err := credential.GetToken(ctx, policy.TokenRequestOptions{
		Scopes: []string{t.cloud.Scope()}, Claims: claims, EnableCAE: true,
	})
	if err != nil {
		return token{}, x.problem(t, secret)
	}
	return s.accept(got, t)
}

func (s *Source) clientOptions(x *exchange, t target) azcore.ClientOptions {
	return azcore.ClientOptions{
		Transport: x,
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: t.cloud.Authority},
		Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: 250 * time.Millisecond, MaxRetryDelay: 4 * time.Second, TryTimeout: 12 * time.Second},
		Telemetry: policy.TelemetryOptions{ApplicationID: "mcp-partner"},
	}
}

// accept refuses a token that could not be used for a single request.
func (s *Source) accept(got azcore.AccessToken, t target) (token, *schemas.Problem) {
	now := s.now()
	if got.Token == "" || !now.Add(time.Second).Before(got.ExpiresOn) {
		return token{}, schemas.NewProblem(schemas.CodeSignInUnavailable,
			"The sign-in to tenant "+t.tenant+" gave an empty token, or one that has expired already.",
			schemas.WithHint("Check the clock of this machine, then try again."))
	}
	return sealToken(got, now), nil
}
