package armclient

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/schemas"
)

// tokenSource keeps error texts of a credential, which may hold a secret, out
// of everything behind it. A *schemas.Problem passes through as it is.
type tokenSource struct{ next azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (s tokenSource) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := s.next.GetToken(ctx, options)
	if err == nil {
		return token, nil
	}
	var known *schemas.Problem
	if errors.As(err, &known) || ctx.Err() != nil {
		return azcore.AccessToken{}, err
	}
	if problem := netProblem(err); problem != nil {
		return azcore.AccessToken{}, problem
	}
	return azcore.AccessToken{}, schemas.NewProblem(schemas.CodeSignInUnavailable, "The credential gave no token, for a reason that it does not name.")
}
