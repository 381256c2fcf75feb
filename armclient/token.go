package armclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/strictjson"
	"mcp-partner/schemas/problems"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// claims are the two that say whose link a request is about. Both are GUIDs
// in lower case, or the token counts as unreadable.
type claims struct{ tenantID, objectID string }

// readClaims decodes the payload of the access token in an Authorization
// header. It does not verify: ARM does, and the token was not made for us. Its
// result decides what may be said and sent, never what may be believed.
func readClaims(authorization string) (claims, bool) {
	scheme, token, found := strings.Cut(authorization, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return claims{}, false
	}
	payload, ok := jwtPayload(token)
	if !ok {
		return claims{}, false
	}
	c := claims{tenantID: guidClaim(payload, "tid"), objectID: guidClaim(payload, "oid")}
	return c, c.tenantID != "" && c.objectID != ""
}

// jwtPayload keeps raw values under their exact names: encoding/json would
// take a claim named TID for tid. A payload that has both says neither.
func jwtPayload(token string) (map[string]json.RawMessage, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || !json.Valid(text) {
		return nil, false
	}
	payload, err := strictjson.Named(text, "tid", "oid")
	return payload, err == nil
}

// TokenIdentity reads the tenant and the identity of an access token as the gate
// does; "" is what cannot be read.
func TokenIdentity(token string) (tenantID, objectID string) {
	c, _ := readClaims("Bearer " + token)
	return c.tenantID, c.objectID
}

func guidClaim(payload map[string]json.RawMessage, name string) string {
	var value string
	if json.Unmarshal(payload[name], &value) != nil || !naming.IsGUID(value) {
		return ""
	}
	return strings.ToLower(value)
}

// tokenSource keeps error texts of a credential, which may hold a secret, out
// of everything behind it. A *problems.Problem passes through as it is.
type tokenSource struct{ next azcore.TokenCredential }

func (s tokenSource) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := s.next.GetToken(ctx, options)
	if err == nil {
		return token, nil
	}
	var known *problems.Problem
	if errors.As(err, &known) || ctx.Err() != nil {
		return azcore.AccessToken{}, err
	}
	if problem := netProblem(err); problem != nil {
		return azcore.AccessToken{}, problem
	}
	return azcore.AccessToken{}, problems.New(problems.CodeSignInUnavailable, "The credential returned no token and no reason.")
}
