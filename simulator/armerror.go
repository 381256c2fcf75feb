package simulator

import (
	"encoding/base64"
	"net/http"
	"strconv"
)

type codeMessage struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// armError is an error of ARM itself, which is always nested.
func armError(status int, code, message string) answer {
	return jsonAnswer(status, map[string]codeMessage{"error": {code, message}})
}

// providerError is an error of the provider, in the tenant's shape.
func (c *call) providerError(status int, code, message string) answer {
	flat := codeMessage{code, message}
	switch c.tenant.shape {
	case ErrorShapeFlat:
		return c.fromProvider(jsonAnswer(status, flat))
	case ErrorShapeBoth:
		return c.fromProvider(jsonAnswer(status, struct {
			codeMessage
			Error codeMessage `json:"error"`
		}{flat, flat}))
	}
	return c.fromProvider(armError(status, code, message))
}

// fromProvider marks an answer as the provider's by its own request ID.
func (c *call) fromProvider(a answer) answer {
	a.header.Set("request-id", c.draw("provider").guid())
	return a
}

// refused is a refusal of the provider. The contract fixes the statuses 404 and
// 409; 400 for malformed and global IDs is inferred.
func (c *call) refused(why refusal, id string) answer {
	switch why {
	case refusedAlreadyLinked:
		return c.providerError(http.StatusConflict, c.tenant.conflictCode, "A partner is linked to this identity already. Update it to change the partner.")
	case refusedOtherPartner:
		return c.providerError(http.StatusNotFound, "NotFound", "Partner '"+clip(id)+"' is not linked to this identity.")
	case refusedMalformed:
		return c.providerError(http.StatusBadRequest, "BadRequest", "The partner ID '"+clip(id)+"' is not valid.")
	case refusedGlobal:
		return c.providerError(http.StatusBadRequest, "BadRequest", "The partner ID '"+clip(id)+"' is that of a global organisation. Use the ID of a location.")
	default:
		return c.providerError(http.StatusNotFound, "NotFound", "No partner is linked to this identity.")
	}
}

// unauthorized is ARM's answer to a token that it does not accept.
func (c *call) unauthorized(code, message string) answer {
	a := armError(http.StatusUnauthorized, code, message)
	a.header.Set("WWW-Authenticate", `Bearer authorization_uri="`+c.base()+`/common", error="invalid_token", error_description=`+strconv.Quote(message))
	return a
}

// claimsChallenge asks for a new token, as continuous access evaluation does.
func (c *call) claimsChallenge() answer {
	a := armError(http.StatusUnauthorized, "TokenCreatedWithOutdatedPolicies", "The access token was issued before a change of the identity.")
	wanted := `{"access_token":{"nbf":{"essential":true,"value":"` + strconv.FormatInt(c.now.Unix(), 10) + `"}}}`
	a.header.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+c.base()+`/common/oauth2/authorize", error="insufficient_claims", claims="`+
		base64.StdEncoding.EncodeToString([]byte(wanted))+`"`)
	return a
}

// clip bounds what a client sent before it is sent back.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
