package armclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/schemas"
)

// rejection is an answer of ARM other than 200. Its own type keeps what a
// Problem has no field for, and tells it from a Problem that a credential made.
type rejection struct {
	problem *schemas.Problem
	status  int
	// absent: the provider itself says that there is no such link.
	absent bool
	// formed: the body is an error in one of the two known shapes, and no more.
	formed bool
}

func (r *rejection) Error() string { return r.problem.Error() }
func (r *rejection) Unwrap() error { return r.problem }

// definite reports whether the answer says for certain that a write was not
// carried out: ARM refused it, in its own form.
func (r *rejection) definite() bool {
	return r.formed && r.status >= 400 && r.status < 500 &&
		r.status != http.StatusRequestTimeout && r.status != http.StatusTooManyRequests
}

// failed turns an error of the pipeline into a *schemas.Problem. The error's
// own text goes nowhere.
func failed(ctx context.Context, err error) error {
	problem := failure(ctx, err)
	r := recordOf(ctx)
	if problem.ARMRequestID+problem.CorrelationID != "" || r.requestID+r.correlationID == "" {
		return problem
	}
	withIDs := *problem // it may be shared: a credential hands out the same one
	schemas.WithRequestIDs(r.requestID, r.correlationID)(&withIDs)
	return &withIDs
}

func failure(ctx context.Context, err error) *schemas.Problem {
	if known, ok := errors.AsType[*schemas.Problem](err); ok {
		return known
	}
	if problem := netProblem(err); problem != nil {
		return problem
	}
	if recordOf(ctx).status == http.StatusUnauthorized {
		return schemas.NewProblem(schemas.CodeUnauthorized, "ARM answered 401 with an unsupported challenge.")
	}
	return schemas.NewProblem(schemas.CodeInternal, "The request failed for an unknown reason.")
}

// proxyFailure is the error of a transport whose proxy failed before anything
// was sent.
type proxyFailure interface {
	error
	ProxyHint() string
}

// netProblem knows the ways in which no whole answer arrives; nil for others.
func netProblem(err error) *schemas.Problem {
	var cut cutBody
	var network net.Error
	var proxy proxyFailure
	switch {
	case errors.Is(err, context.Canceled):
		return schemas.NewProblem(schemas.CodeCancelled, "The call was canceled before there was an answer.")
	case errors.Is(err, context.DeadlineExceeded):
		return schemas.NewProblem(schemas.CodeTimeout, "There was no answer before the deadline of the call.")
	case errors.As(err, &network) && network.Timeout():
		return schemas.NewProblem(schemas.CodeTimeout, "There was no answer before the connection timed out.")
	case errors.As(err, &cut):
		return schemas.NewProblem(schemas.CodeUnexpectedResponse, "The answer is incomplete.")
	case errors.As(err, &proxy):
		return schemas.NewProblem(schemas.CodeNetwork, "No request was sent to ARM: "+proxy.Error()+".", schemas.WithHint("%s The state of the link is unknown.", proxy.ProxyHint()))
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return schemas.NewProblem(schemas.CodeNetwork, "The server could not be reached, or closed the connection without an answer.")
	default:
		return nil
	}
}

// rejected turns an answer other than 200 into a *rejection.
func rejected(ctx context.Context, resp *http.Response) error {
	body, err := runtime.Payload(resp)
	if err != nil {
		return failed(ctx, err)
	}
	var said armError
	if jsonContent(resp.Header) {
		said = parseARMError(body)
	}
	r := &rejection{status: resp.StatusCode, formed: said.known}
	// Where something was taken out of the body, it is not known what it said.
	r.absent = resp.StatusCode == http.StatusNotFound && fromARM(resp.Header) && said.saysNotFound() && !said.foreignPrincipal() && !recordOf(ctx).echoed
	code := codeOf(r, said)
	r.problem = schemas.NewProblem(code, messageOf(code, resp.StatusCode), schemas.WithUntrusted(said.code, said.message),
		schemas.WithRequestIDs(requestIDs(resp.Header)), schemas.WithRetryAfter(recordOf(ctx).retryAfter))
	if step := nextStepOf(code, said); step != nil {
		step(r.problem)
	}
	return r
}

// codeOf maps an answer to a problem code. A message or code that says more
// than the status goes first.
func codeOf(r *rejection, said armError) schemas.Code {
	switch {
	case r.status < 400:
		return schemas.CodeUnexpectedResponse
	case said.foreignPrincipal():
		return schemas.CodeForeignPrincipal
	case r.absent:
		return schemas.CodeNotLinked
	case providerStatus(r.status) && said.blamesProvider():
		return schemas.CodeProviderUnavailable
	default:
		return codeOfStatus(r.status)
	}
}

// providerStatus: the statuses with which ARM says that a provider is missing.
func providerStatus(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusConflict
}

func codeOfStatus(status int) schemas.Code {
	if status >= 500 {
		return schemas.CodeARMUnavailable
	}
	return cmp.Or(map[int]schemas.Code{
		http.StatusBadRequest: schemas.CodeBadRequest, http.StatusUnprocessableEntity: schemas.CodeBadRequest,
		http.StatusUnauthorized: schemas.CodeUnauthorized, http.StatusForbidden: schemas.CodeForbidden,
		http.StatusRequestTimeout: schemas.CodeTimeout, http.StatusConflict: schemas.CodeConflict,
		http.StatusTooManyRequests: schemas.CodeThrottled,
	}[status], schemas.CodeUnexpectedResponse)
}

func messageOf(code schemas.Code, status int) string {
	switch code {
	case schemas.CodeNotLinked:
		return "The provider answered that this identity has no such link in this tenant."
	case schemas.CodeForeignPrincipal:
		return "The provider answered that this identity has no account in this tenant."
	case schemas.CodeProviderUnavailable:
		return fmt.Sprintf("ARM answered %d: it does not know the provider at this endpoint.", status)
	case schemas.CodeUnexpectedResponse:
		return fmt.Sprintf("ARM answered %d in an unknown form.", status)
	default:
		return fmt.Sprintf("ARM answered %d.", status)
	}
}

// nextStepOf is the next step where ARM's own code says more than the status; nil
// where the usual one of the problem's code stands.
func nextStepOf(code schemas.Code, said armError) schemas.ProblemOption {
	switch {
	case code == schemas.CodeBadRequest && said.code == "InvalidApiVersionParameter":
		return schemas.WithHint("The provider no longer accepts api-version %s. Report it to the project. The state of the link is unknown.", schemas.APIVersion)
	case code == schemas.CodeUnauthorized && said.code == "ExpiredAuthenticationToken":
		return schemas.WithHint("The token has expired: check the clock of this machine, then try again. The state of the link is unknown.")
	case code == schemas.CodeUnauthorized && said.missesPrincipal():
		return schemas.WithCommand("The service principal is not in that tenant: an administrator there must consent to the application. The state of the link is unknown.",
			"mcp-partner tenants consent-links")
	}
	return nil
}

// missesPrincipal reports whether ARM misses the identity in the tenant, which
// it says in the message alone.
func (e armError) missesPrincipal() bool {
	message := strings.ToLower(e.message)
	return strings.Contains(message, "claim 'oid'") || strings.Contains(message, "service principal exists in the tenant")
}
