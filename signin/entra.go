package signin

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// proof is how a credential shows who it is, once.
type proof struct {
	// secret is the secret that a refusal would be about, or empty.
	secret vault.Secret
	// credential makes the SDK's object, whose requests x carries.
	credential func(x *exchange) (azcore.TokenCredential, error)
	// settle, if not nil, is called after a success.
	settle func(context.Context)
}

// mint gets a new token, asked is false where nothing was sent or run because a
// refusal still stands, the credential has expired or the vault gave no secret.
func (s *Source) mint(ctx context.Context, t target, claims string) (got token, asked bool, problem *problems.Problem) {
	p, problem := s.proof(ctx, t)
	if problem != nil {
		return token{}, false, problem
	}
	leave := s.refused.enter(ctx, t, p.secret)
	defer func() { leave(problem != nil && isRefusal(t, problem) && scopeOf(problem) != scopeTenant) }()
	if refused := s.refused.find(t, p.secret); refused != nil {
		return token{}, false, refused
	}
	if got, problem = s.present(ctx, t, p, claims); problem != nil {
		s.refused.keep(t, p.secret, problem)
	} else {
		s.refused.accept(t)
	}
	return got, true, problem
}

// proof finds what a credential shows. It sends nothing to Entra ID.
func (s *Source) proof(ctx context.Context, t target) (proof, *problems.Problem) {
	switch t.credential.Kind {
	case tenants.KindAzureCLI:
		return proof{credential: func(*exchange) (azcore.TokenCredential, error) { return azTokens{t, s.az}, nil }}, nil
	case tenants.KindWorkloadIdentity:
		assertion, problem := s.asserted.get(ctx, t)
		return s.assertionProof(t, assertion), problem
	case tenants.KindManagedIdentity:
		return proof{credential: func(x *exchange) (azcore.TokenCredential, error) { return s.managedIdentity(t, x) }}, nil
	}
	stored, err := s.opts.Store.Get(ctx, t.credential.SecretName)
	if err != nil {
		return proof{}, cmp.Or(t.expired(s.opts.Clock()), s.secretProblem(t, err))
	}
	switch t.credential.Kind {
	case tenants.KindClientSecret:
		return s.secretProof(ctx, t, stored)
	case tenants.KindClientCertificate:
		return s.certificateProof(ctx, t, stored.Secret)
	case tenants.KindDeviceCode, tenants.KindBrowser:
		return s.interactiveProof(t, stored.Secret)
	}
	return proof{}, problems.New(problems.CodeInternal, "Credential "+t.credential.Name+" is of a kind that cannot sign in.")
}

// secretProblem adds to what the vault said whose secret it is and, where there
// is a vault, how one of that kind gets into it.
func (s *Source) secretProblem(t target, err error) *problems.Problem {
	problem := *problems.As(err)
	if problem.Code == problems.CodeVaultMissing {
		if noVault := strings.HasSuffix(problem.Command, "vault init"); !noVault && t.credential.Kind.Interactive() {
			return t.notSignedInYet()
		} else if !noVault {
			t.storeHint()(&problem)
		}
		problem.Message += " The credential " + t.credential.Name + " of tenant " + t.tenant + " needs it."
	}
	return &problem
}

// present makes one sign-in. The SDK's credential object lives for this sign-in
// alone: making one takes microseconds and no request, one that lives on would
// keep the secret and a cache of its own in memory for each tenant, and one
// that is shared holds a lock across its requests for all tenants.
func (s *Source) present(ctx context.Context, t target, p proof, claims string) (token, *problems.Problem) {
	client, err := s.opts.HTTP.Client([]byte(t.cloud.CAPEM))
	if err != nil {
		return token{}, problems.InvalidArgument("The CA certificates of tenant %s cannot be read.", t.tenant)
	}
	x := newExchange(client, t)
	credential, err := p.credential(x)
	if err != nil {
		// Of an error of the SDK nothing is kept.
		otherwise := problems.New(problems.CodeInternal, "The sign-in to tenant "+t.tenant+" cannot be prepared.")
		own, _ := errors.AsType[*problems.Problem](err)
		return token{}, cmp.Or(own, otherwise)
	}
	got, err := credential.GetToken(ctx, policy.TokenRequestOptions{
		Scopes: []string{t.cloud.Scope()}, Claims: t.claims(claims), EnableCAE: true,
	})
	if own, ok := errors.AsType[*problems.Problem](err); ok {
		return token{}, own
	}
	if err != nil {
		return token{}, x.problem(t)
	}
	accepted, problem := s.accept(got, t)
	if problem == nil && p.settle != nil {
		p.settle(ctx)
	}
	return accepted, problem
}

func (t target) claims(claims string) string {
	if claims == "" && t.credential.Kind == tenants.KindManagedIdentity {
		return skipSharedCache
	}
	return claims
}

func (t target) skipsDiscovery() bool {
	return t.cloud.Name != tenants.CloudCustom || t.cloud.SkipInstanceDiscovery
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
func (s *Source) accept(got azcore.AccessToken, t target) (token, *problems.Problem) {
	now := s.opts.Clock()
	if got.Token == "" || !now.Add(time.Second).Before(got.ExpiresOn) {
		return token{}, problems.New(problems.CodeSignInUnavailable,
			"The sign-in to tenant "+t.tenant+" returned an empty or expired token.",
			problems.WithHint("Check the clock of this machine, then try again."))
	}
	return sealToken(got, now), nil
}
