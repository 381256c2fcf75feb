package signin

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

// entraError is the error body of Entra ID's token endpoint, as its reference
// documents it.
type entraError struct {
	Error         string `json:"error"`
	SubError      string `json:"suberror"`
	Codes         []int  `json:"error_codes"`
	CorrelationID string `json:"correlation_id"`
}

func (x *exchange) problem(t target) *problems.Problem {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.tries == 0 && t.credential.Kind.Interactive():
		return t.notSignedInYet() // at this authority
	case x.tries == 0:
		return problems.New(problems.CodeInternal, "The sign-in to tenant "+t.tenant+" failed before anything was sent.")
	case x.failure != nil && t.credential.Kind == tenants.KindManagedIdentity && !errors.Is(x.failure, context.Canceled) && !errors.Is(x.failure, errStrayRequest):
		return t.noEndpoint(identityEndpoint(x.host) + " does not answer")
	case x.failure != nil:
		return networkProblem(x.failure, t, x.host)
	case x.status == http.StatusOK:
		return t.unusable(t.host(), "did not answer with a token", true)
	}
	if t.credential.Kind == tenants.KindManagedIdentity {
		return x.managedProblem(t)
	}
	var body entraError
	if json.Unmarshal(x.body, &body) != nil || body.Error == "" {
		return t.statusProblem(t.host(), x.status, x.header)
	}
	problem := t.entraProblem(body, x.status, x.header)
	attach(problem, body)
	return problem
}

// attach adds what support asks for: the number and the correlation ID. The
// text of a token endpoint is dropped: it may repeat the request, and the
// operator of the endpoint controls it.
func attach(problem *problems.Problem, body entraError) {
	if len(body.Codes) > 0 {
		known, _ := knownCode(body.Codes...)
		problem.ForeignCode = "AADSTS" + strconv.Itoa(cmp.Or(known, body.Codes[0]))
	}
	if naming.IsGUID(body.CorrelationID) {
		problem.CorrelationID = strings.ToLower(body.CorrelationID)
	}
}

func (t target) host() string { return cmp.Or(t.cloud.AuthorityHost(), "the authority") }

func (t target) unusable(who, what string, retryable bool) *problems.Problem {
	p := problems.New(problems.CodeSignInUnavailable, fmt.Sprintf("Signing in to tenant %s failed: %s %s.", t.tenant, who, what))
	p.Retryable = retryable
	return p
}

func (t target) statusProblem(who string, status int, header http.Header) *problems.Problem {
	switch {
	case status >= 300 && status < 400:
		return t.unusable(who, "answered with a redirect, which is not followed, to keep the secret here", false)
	case status < 500 && status != http.StatusTooManyRequests:
		return t.unusable(who, "answered with status "+strconv.Itoa(status)+" in an unexpected form, as a proxy in between would", true)
	}
	what := "answered with status " + strconv.Itoa(status)
	if status == http.StatusTooManyRequests {
		what = "asks to slow down"
	}
	p := t.unusable(who, what, true)
	p.RetryAfterSeconds = retryAfter(header)
	return p
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

func (t target) entraProblem(e entraError, status int, header http.Header) *problems.Problem {
	if status >= 500 || status == http.StatusTooManyRequests {
		return t.statusProblem(t.host(), status, header)
	}
	if number, known := knownCode(e.Codes...); number != 0 {
		return t.findingProblem(known)
	}
	return t.findingProblem(entraCodes{finding: e.finding()})
}

// finding classifies an error by its names alone.
func (e entraError) finding() finding {
	switch {
	case e.SubError == "consent_required":
		return findingNoConsent
	case e.SubError == "message_only":
		return findingBlocked
	}
	return map[string]finding{
		"temporarily_unavailable": findingBusy,
		"server_error":            findingBusy,
		"invalid_tenant":          findingNoTenant,
		"consent_required":        findingNoConsent,
		"unauthorized_client":     findingNoConsent,
		"interaction_required":    findingPerson,
		"login_required":          findingPerson,
		"invalid_grant":           findingPerson,
		"access_denied":           findingBlocked,
		"authorization_declined":  findingDeclined,
		"expired_token":           findingLate,
		"invalid_client":          findingSecretRejected,
		"invalid_resource":        findingAudience,
	}[e.Error]
}

func (t target) findingProblem(c entraCodes) *problems.Problem {
	switch c.finding {
	case findingDeclined, findingLate:
		return t.notSignedIn(c.finding == findingLate)
	case findingPerson:
		return t.wantsPerson()
	case findingClock:
		return t.clockProblem()
	case findingOtherCloud:
		return t.otherCloud()
	}
	m := meanings[c.finding]
	fill := strings.NewReplacer("{tenant}", t.tenant, "{id}", t.tenantID, "{host}", t.host(), "{credential}", t.credential.Name, "{proof}", t.credential.Kind.Shows(),
		"{detail}", cmp.Or(c.detail, "a rule of the tenant refuses it"), "{consent}", t.cloud.ConsentURL(t.tenantID, t.credential.ClientID))
	p := problems.New(m.code, fill.Replace(m.message))
	switch {
	case m.hint != "":
		p.Hint, p.Command = fill.Replace(m.hint), ""
	case m.code == problems.CodeCredentialRejected || m.code == problems.CodeCredentialExpired:
		t.renewHint()(p)
	}
	p.Retryable = c.finding == findingBusy
	return p
}

func (t target) otherCloud() *problems.Problem {
	others := xslices.Filter([]string{tenants.CloudUSGovernment, tenants.CloudChina, tenants.CloudPublic}, func(name string) bool { return name != t.cloud.Name })
	return problems.New(problems.CodeTenantNotFound,
		fmt.Sprintf("Tenant %s is in another cloud than the directory entry names (%s).", t.tenant, t.host()),
		problems.WithCommand("Ask a person to set the tenant's cloud: "+others[0]+" or "+others[1]+".", "mcp-partner tenants set %s --cloud %s", t.tenant, others[0]))
}

func (t target) wantsPerson() *problems.Problem {
	p := problems.New(problems.CodeInteractionRequired,
		fmt.Sprintf("Entra ID wants a person to sign in for credential %s in tenant %s.", t.credential.Name, t.tenant))
	if t.credential.Kind.Interactive() {
		t.loginHint()(p)
	}
	return p
}

// networkProblem is unanswered for a sign-in.
func networkProblem(err error, t target, host string) *problems.Problem {
	if errors.Is(err, errStrayRequest) {
		return problems.New(problems.CodeInternal, "Signing in to tenant "+t.tenant+" tried to send a request to an address other than its entry names; it was stopped.",
			problems.WithHint("Check for environment variables that begin with AZURE_, MSAL_ or IDENTITY_."))
	}
	p := unanswered(err, "Signing in to tenant "+t.tenant, host)
	if p.Code != problems.CodeNetwork {
		return p
	}
	if _, proxy := errors.AsType[*httpclient.ProxyError](err); !proxy && host != t.host() {
		p.Hint = "It is asked about private authorities unless the tenant was added with --skip-instance-discovery."
	}
	p.Hint += " The state of the link is unknown."
	return p
}

// unanswered says in our words why there was no answer; the text of a transport
// error may hold the address of a proxy with its password.
func unanswered(err error, doing, host string) *problems.Problem {
	var timeout net.Error
	var proxy *httpclient.ProxyError
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	why, hint := "cannot be reached", "Check network, proxy and TLS."
	switch {
	case errors.As(err, &proxy):
		return problems.New(problems.CodeNetwork, fmt.Sprintf("%s: %s.", doing, proxy), problems.WithHint("%s", proxy.Next))
	case errors.Is(err, context.Canceled):
		return problems.New(problems.CodeCancelled, doing+" was stopped.")
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return problems.New(problems.CodeTimeout, fmt.Sprintf("%s: %s did not answer in time.", doing, host))
	case errors.As(err, &certificate):
		why, hint = "shows a certificate that is not trusted", "Set the right CA file with --ca-file, or check for a proxy that inspects TLS."
	case errors.As(err, &name):
		why, hint = "cannot be resolved", "Check the network and the cloud of the directory entry."
	case errors.Is(err, syscall.ECONNREFUSED):
		why, hint = "refuses the connection", "Check the network, the proxy and the cloud of the directory entry."
	}
	return problems.New(problems.CodeNetwork, fmt.Sprintf("%s: %s %s.", doing, host, why), problems.WithHint("%s", hint))
}
