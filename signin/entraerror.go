package signin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// entraError is the error body of Entra ID's token endpoint, as its reference
// documents it.
type entraError struct {
	Error         string `json:"error"`
	SubError      string `json:"suberror"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	CorrelationID string `json:"correlation_id"`
}

func (e entraError) has(codes ...int) bool {
	return slices.ContainsFunc(e.Codes, func(code int) bool { return slices.Contains(codes, code) })
}

// Numbers of Entra ID's errors. Microsoft says that they may change, so what
// decides is error and suberror wherever those tell the cases apart.
const (
	codeNoTenant        = 90002   // tenant not found
	codeBadTenantName   = 900023  // tenant identifier is neither a name nor a GUID
	codeNoConsent       = 65001   // nobody consented
	codeNotInTenant     = 700016  // application not found in the tenant
	codeNoPrincipal     = 7000229 // no service principal in the tenant
	codeDisabledApp     = 7000112 // application is disabled
	codeExpiredSecret   = 7000222 // client secret has expired
	codeUserNotInTenant = 50020   // the user has no account in the tenant
	codeNoResource      = 500011  // the audience is unknown in the tenant
	codeBadAssertion    = 700027  // the certificate is not registered, or the signature is wrong
	codeOldAssertion    = 700024  // the assertion is not within its time
)

// problem says why a sign-in failed, from what the transport noted.
func (x *exchange) problem(t target, secret vault.Secret) *schemas.Problem {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.tries == 0 && t.credential.Kind.Person():
		return t.notSignedInYet() // at this authority
	case x.tries == 0:
		return schemas.NewProblem(schemas.CodeInternal, "The sign-in to tenant "+t.tenant+" failed before anything was sent.")
	case x.failure != nil && t.credential.Kind == tenants.KindManagedIdentity && !errors.Is(x.failure, context.Canceled) && !errors.Is(x.failure, errStrayRequest):
		return t.noEndpoint("nothing answers at " + x.host)
	case x.failure != nil:
		return networkProblem(x.failure, t, x.host)
	case x.status == http.StatusOK:
		return t.unusable("answered with something that is no token", true)
	}
	if t.credential.Kind == tenants.KindManagedIdentity {
		return x.managedProblem(t)
	}
	var body entraError
	if json.Unmarshal(x.body, &body) != nil || body.Error == "" {
		return t.statusProblem(x.status, x.header)
	}
	problem := t.entraProblem(body, x.status, x.header)
	x.foreign(problem, body, secret)
	return problem
}

// foreign attaches what support asks for. A far side that repeats the request
// would show the secret: then its text is dropped.
func (x *exchange) foreign(problem *schemas.Problem, body entraError, secret vault.Secret) {
	if len(body.Codes) > 0 {
		problem.ForeignCode = "AADSTS" + strconv.Itoa(body.Codes[0])
	}
	if schemas.IsGUID(body.CorrelationID) {
		problem.CorrelationID = strings.ToLower(body.CorrelationID)
	}
	if !sealed.OccursIn(secret, body.Description) && !x.repeats(body.Description) {
		problem.Foreign = schemas.Foreign(body.Description)
	}
}

func (t target) host() string {
	u, err := url.Parse(t.cloud.Authority)
	if err != nil {
		return "the authority"
	}
	return u.Host
}

// unusable says that Entra ID gave no usable answer.
func (t target) unusable(what string, retryable bool) *schemas.Problem {
	p := schemas.NewProblem(schemas.CodeSignInUnavailable,
		fmt.Sprintf("Signing in to tenant %s failed: %s %s.", t.tenant, t.host(), what))
	p.Retryable = retryable
	return p
}

// statusProblem judges an answer without an error body of Entra ID.
func (t target) statusProblem(status int, header http.Header) *schemas.Problem {
	switch {
	case status >= 300 && status < 400:
		return t.unusable("wants to redirect, which is not followed: the secret would go to another place", false)
	case status == http.StatusTooManyRequests:
		p := t.unusable("asks to slow down", true)
		p.RetryAfterSeconds = retryAfter(header)
		return p
	case status >= 500:
		p := t.unusable("answered with status "+strconv.Itoa(status), true)
		p.RetryAfterSeconds = retryAfter(header)
		return p
	}
	return t.unusable("answered with status "+strconv.Itoa(status)+" and no error of Entra ID (is a proxy in between?)", true)
}

// retryAfter reads the header in seconds; its other form, a date, is rare and
// then the wait is unknown.
func retryAfter(header http.Header) int {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 24*60*60 {
		return 0
	}
	return seconds
}

// entraProblem judges an error body of Entra ID.
func (t target) entraProblem(e entraError, status int, header http.Header) *schemas.Problem {
	switch {
	case status >= 500 || status == http.StatusTooManyRequests:
		return t.statusProblem(status, header)
	case e.Error == "temporarily_unavailable" || e.Error == "server_error":
		return t.unusable("says that it cannot answer at the moment", true)
	case e.Error == "invalid_tenant" || e.Error == "invalid_request" && e.has(codeNoTenant, codeBadTenantName):
		return t.noTenant()
	case e.SubError == "consent_required" || e.Error == "consent_required" || e.has(codeNoConsent, codeNotInTenant, codeNoPrincipal):
		return t.noConsent()
	case e.Error == "interaction_required" || e.Error == "login_required":
		return t.wantsPerson()
	case e.Error == "authorization_declined" || e.Error == "expired_token":
		return t.notSignedIn(e.Error == "expired_token")
	case t.credential.Kind == tenants.KindWorkloadIdentity && e.has(notFederated()...):
		return t.badFederation(e)
	case e.Error == "invalid_client":
		return t.badSecret(e)
	case e.Error == "unauthorized_client":
		return t.unauthorizedClient(e)
	case e.Error == "invalid_grant" || e.Error == "access_denied":
		return t.refusedGrant(e)
	case e.Error == "invalid_resource" || e.has(codeNoResource):
		return t.badAudience()
	}
	return t.unusable("refused the request for a reason that this program does not know", false)
}

func (t target) noTenant() *schemas.Problem {
	return schemas.NewProblem(schemas.CodeTenantNotFound,
		fmt.Sprintf("Entra ID (%s) knows no tenant %s, which the directory has as %s.", t.host(), t.tenantID, t.tenant))
}

// noConsent names the URL at which an administrator of the tenant consents.
func (t target) noConsent() *schemas.Problem {
	return schemas.NewProblem(schemas.CodeConsentMissing,
		fmt.Sprintf("The application of credential %s is not in tenant %s, or nobody there consented to it.", t.credential.Name, t.tenant),
		schemas.WithHint("An administrator of that tenant opens %s (if the client ID is right).", t.cloud.ConsentURL(t.tenantID, t.credential.ClientID)))
}

func (t target) wantsPerson() *schemas.Problem {
	p := schemas.NewProblem(schemas.CodeInteractionRequired,
		fmt.Sprintf("Entra ID wants a person to sign in for credential %s in tenant %s.", t.credential.Name, t.tenant))
	if t.credential.Kind.Person() {
		t.loginHint()(p)
	}
	return p
}

func (t target) badSecret(e entraError) *schemas.Problem {
	switch {
	case e.has(codeExpiredSecret):
		return schemas.NewProblem(schemas.CodeCredentialExpired,
			fmt.Sprintf("The %s of credential %s has expired, so it opens no tenant.", t.credential.Kind.Shows(), t.credential.Name), t.renewHint())
	case e.has(codeOldAssertion):
		return t.clockProblem()
	}
	return schemas.NewProblem(schemas.CodeCredentialRejected,
		fmt.Sprintf("Entra ID does not accept the %s of credential %s.", t.credential.Kind.Shows(), t.credential.Name), t.renewHint())
}

func (t target) unauthorizedClient(e entraError) *schemas.Problem {
	if e.has(codeDisabledApp) {
		return schemas.NewProblem(schemas.CodeCredentialRejected,
			fmt.Sprintf("The application of credential %s is disabled.", t.credential.Name),
			schemas.WithHint("An administrator of the application's home tenant enables it again."))
	}
	return t.noConsent()
}

func (t target) refusedGrant(e entraError) *schemas.Problem {
	if e.has(codeUserNotInTenant) {
		return schemas.NewProblem(schemas.CodeForeignPrincipal,
			fmt.Sprintf("The user of credential %s has no account in tenant %s.", t.credential.Name, t.tenant))
	}
	return t.wantsPerson()
}

func (t target) badAudience() *schemas.Problem {
	p := t.unusable("does not know the audience of the directory entry", false)
	p.Hint = "Check the cloud and the ARM audience of the entry."
	return p
}

// networkProblem says in our words why there was no answer; the text of a
// transport error may hold the address of a proxy with its password.
func networkProblem(err error, t target, host string) *schemas.Problem {
	var timeout net.Error
	switch {
	case errors.Is(err, errStrayRequest):
		return schemas.NewProblem(schemas.CodeInternal, "Signing in to tenant "+t.tenant+" wanted to send something to another place than its entry names; it was stopped.",
			schemas.WithHint("Look for environment variables that begin with AZURE_ or MSAL_."))
	case errors.Is(err, context.Canceled):
		return schemas.NewProblem(schemas.CodeCancelled, "Signing in to tenant "+t.tenant+" was stopped.")
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return schemas.NewProblem(schemas.CodeTimeout, fmt.Sprintf("Signing in to tenant %s: %s did not answer in time.", t.tenant, host))
	}
	why, hint := networkCause(err)
	if host != t.host() {
		hint = "It is asked about private authorities unless the tenant was added with --skip-instance-discovery."
	}
	return schemas.NewProblem(schemas.CodeNetwork, fmt.Sprintf("Signing in to tenant %s: %s %s.", t.tenant, host, why),
		schemas.WithHint("%s Nothing is known about the link.", hint))
}

func networkCause(err error) (why, hint string) {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.As(err, &certificate):
		return "shows a certificate that is not trusted", "Give the right CA file when the tenant is added (--ca-file), or look for a proxy that opens TLS."
	case errors.As(err, &name):
		return "cannot be found by its name", "Check the network and the cloud of the directory entry."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses the connection", "Check the network, the proxy and the cloud of the directory entry."
	}
	return "cannot be reached", "Check network, proxy and TLS."
}
