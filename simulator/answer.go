package simulator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// outcome is how much of an answer arrives.
type outcome int

const (
	delivered outcome = iota
	cut               // the connection breaks in the body
	dropped           // the connection breaks before the first byte
)

type answer struct {
	status  int
	header  http.Header
	body    []byte
	outcome outcome
	hold    time.Duration // how long it is held back
}

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{status: http.StatusInternalServerError, header: http.Header{}}
	}
	return answer{status: status, body: body, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}}
}

func htmlAnswer(status int) answer {
	page := "<!DOCTYPE html>\r\n<html><head><title>" + strconv.Itoa(status) + " " + http.StatusText(status) +
		"</title></head>\r\n<body><center><h1>" + strconv.Itoa(status) + " " + http.StatusText(status) +
		"</h1></center><hr><center>Microsoft-Azure-Application-Gateway/v2</center></body></html>\r\n"
	return answer{status: status, body: []byte(page), header: http.Header{"Content-Type": {"text/html"}}}
}

func emptyAnswer(status int) answer { return answer{status: status, header: http.Header{}} }

func (a answer) retryAfter(d time.Duration) answer {
	a.header.Set("Retry-After", strconv.Itoa(wholeSeconds(d)))
	return a
}

// deliver writes the answer, or as much of it as its outcome allows.
func (a answer) deliver(ctx context.Context, w http.ResponseWriter) {
	if sleep(ctx, a.hold) != nil || a.outcome == dropped {
		panic(http.ErrAbortHandler)
	}
	a.writeHeader(w)
	// An error means that the client has hung up.
	_, _ = w.Write(a.body)
	if a.outcome == cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// writeHeader announces more bytes than there are when the body is to be cut.
func (a *answer) writeHeader(w http.ResponseWriter) {
	length := len(a.body)
	if a.outcome == cut {
		length += 64
		a.body = a.body[:len(a.body)/2]
	}
	maps.Copy(w.Header(), a.header)
	if a.header.Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil // net/http would guess one
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.status)
}

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
		return c.providerError(http.StatusBadRequest, "BadRequest", "The partner ID '"+clip(id)+"' is that of a global organization. Use the ID of a location.")
	default:
		return c.providerError(http.StatusNotFound, "NotFound", "No partner is linked to this identity.")
	}
}

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

// entraProblem is one of Entra's documented errors: the OAuth error that a
// client may branch on, the AADSTS code, and a sentence with at most one %s.
type entraProblem struct {
	oauth string
	code  int
	text  string
}

func (p entraProblem) about(what string) *entraProblem {
	p.text = strings.Replace(p.text, "%s", clip(what), 1)
	return &p
}

var (
	entraNoTenant = entraProblem{"invalid_request", 90002,
		"Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."}
	entraNoApp = entraProblem{"unauthorized_client", 700016,
		"Application with identifier '%s' was not found in the directory. It has not been installed by the administrator of the tenant or consented to by any user in it."}
	entraWrongSecret = entraProblem{"invalid_client", 7000215,
		"Invalid client secret provided. Ensure the secret being sent is the client secret value, not the client secret ID."}
	entraExpiredSecret = entraProblem{"invalid_client", 7000222,
		"The provided client secret keys are expired. Create new keys for the application."}
	entraNoProof = entraProblem{"invalid_client", 7000218,
		"The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	entraAssertion = entraProblem{"invalid_client", 700027,
		"The certificate with which the client assertion was signed is not registered on application '%s'."}
	entraCertificateEnded = entraProblem{"invalid_client", 700027,
		"The certificate with which the client assertion of application '%s' was signed has expired."}
	entraSignature         = entraProblem{"invalid_client", 700027, "Client assertion failed signature validation."}
	entraBadAssertion      = entraProblem{"invalid_client", 50013, "Assertion is invalid because of various reasons: its subject, or it was used before."}
	entraAssertionAudience = entraProblem{"invalid_client", 700023, "Client assertion audience claim does not match Realm issuer."}
	entraAssertionTime     = entraProblem{"invalid_client", 700024, "Client assertion is not within its valid time range."}
	entraNoIssuer          = entraProblem{"invalid_client", 700211, "No matching federated identity record found for presented assertion issuer '%s'."}
	entraNoAudience        = entraProblem{"invalid_client", 700212, "No matching federated identity record found for presented assertion audience."}
	entraNoSubject         = entraProblem{"invalid_client", 700213, "No matching federated identity record found for presented assertion subject '%s'."}
	entraNoAccount         = entraProblem{"invalid_grant", 50020, "User account '%s' does not exist in the tenant and cannot access the application."}
	entraRefresh           = entraProblem{"invalid_grant", 700082, "The refresh token has expired or was revoked."}
	entraInteraction       = entraProblem{"interaction_required", 50076, "Due to a configuration change made by your administrator, you must use multi-factor authentication."}
	entraCode              = entraProblem{"invalid_grant", 70008, "The provided authorization code is invalid, has expired or was redeemed already."}
	entraVerifier          = entraProblem{"invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request."}
	entraRedirect          = entraProblem{"invalid_request", 50011, "The redirect URI '%s' does not match the redirect URIs configured for the application."}
	entraPending           = entraProblem{"authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."}
	entraSlowDown          = entraProblem{"slow_down", 70016, "OAuth 2.0 device flow error. Polling too frequently."}
	entraDeviceLate        = entraProblem{"expired_token", 70020, "The device code has expired."}
	entraDeclined          = entraProblem{"authorization_declined", 70018, "The user declined the authorization."}
	entraDeviceCode        = entraProblem{"bad_verification_code", 70019, "Bad verification code."}
	entraMissing           = entraProblem{"invalid_request", 900144, "The request body must contain the following parameter: '%s'."}
	entraGrantType         = entraProblem{"unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'."}
	entraScope             = entraProblem{"invalid_scope", 1002012, "The provided value for scope '%s' is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."}
	entraNoResource        = entraProblem{"invalid_resource", 500011, "The resource principal named '%s' was not found in the tenant."}
	entraNotPost           = entraProblem{"invalid_request", 900561, "The endpoint only accepts POST requests."}
	entraMalformed         = entraProblem{"invalid_request", 9002313, "Invalid request. Request is malformed or invalid."}
	entraTransient         = entraProblem{"temporarily_unavailable", 90033, "A transient error has occurred. Please try again."}
)

// entraError writes a problem as the token endpoint does. The IDs are in the
// description as well, where administrators look for them.
func (c *call) entraError(status int, p *entraProblem) answer {
	code := strconv.Itoa(p.code)
	trace, correlation := c.requestID(), c.correlationID("client-request-id")
	at := c.now.UTC().Format("2006-01-02 15:04:05Z")
	return jsonAnswer(status, map[string]any{
		"error":             p.oauth,
		"error_description": "AADSTS" + code + ": " + p.text + " Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: " + at,
		"error_codes":       []int{p.code}, "timestamp": at, "trace_id": trace, "correlation_id": correlation, "error_uri": c.base() + "/error?code=" + code,
	})
}
