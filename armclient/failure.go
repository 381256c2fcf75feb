package armclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// rejection is an answer of ARM other than 200. Its own type keeps what a
// Problem has no field for, and tells it from a Problem that a credential made.
type rejection struct {
	problem *problems.Problem
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

// failed turns an error of the pipeline into a *problems.Problem. The error's
// own text goes nowhere.
func failed(ctx context.Context, err error) error {
	problem := failure(ctx, err)
	r := recordOf(ctx)
	if problem.ARMRequestID+problem.CorrelationID != "" || r.requestID+r.correlationID == "" {
		return problem
	}
	withIDs := *problem // it may be shared: a credential hands out the same one
	problems.WithRequestIDs(r.requestID, r.correlationID)(&withIDs)
	return &withIDs
}

func failure(ctx context.Context, err error) *problems.Problem {
	if known, ok := errors.AsType[*problems.Problem](err); ok {
		return known
	}
	if problem := netProblem(err); problem != nil {
		return problem
	}
	if recordOf(ctx).status == http.StatusUnauthorized {
		return problems.New(problems.CodeUnauthorized, "ARM answered 401 with an unsupported challenge.")
	}
	return problems.New(problems.CodeInternal, "The request failed for an unknown reason.")
}

// netProblem knows the ways in which no whole answer arrives; nil for others.
func netProblem(err error) *problems.Problem {
	var cut cutBody
	var network net.Error
	var proxy *httpclient.ProxyError
	switch {
	case errors.Is(err, context.Canceled):
		return problems.New(problems.CodeCancelled, "The call was canceled before there was an answer.")
	case errors.Is(err, context.DeadlineExceeded):
		return problems.New(problems.CodeTimeout, "There was no answer before the deadline of the call.")
	case errors.As(err, &network) && network.Timeout():
		return problems.New(problems.CodeTimeout, "There was no answer before the connection timed out.")
	case errors.As(err, &cut):
		return problems.New(problems.CodeUnexpectedResponse, "The answer is incomplete.")
	case errors.As(err, &proxy):
		return problems.New(problems.CodeNetwork, "No request was sent to ARM: "+proxy.Error()+".", problems.WithHint("%s The state of the link is unknown.", proxy.Next))
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return problems.New(problems.CodeNetwork, unreached(err)+".")
	default:
		return nil
	}
}

// unreached says of the host of a request why it gave no answer, as far as that is
// known.
func unreached(err error) string {
	who := "The server"
	if sent, ok := errors.AsType[*url.Error](err); ok {
		if u, err := url.Parse(sent.URL); err == nil {
			who = u.Host
		}
	}
	return who + " " + httpclient.Reason(err)
}

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
	r.problem = problems.New(code, messageOf(code, resp.StatusCode), problems.WithUntrusted(said.code, said.message),
		problems.WithRequestIDs(requestIDs(resp.Header)), problems.WithRetryAfter(recordOf(ctx).retryAfter))
	if step := nextStepOf(code, said); step != nil {
		step(r.problem)
	}
	return r
}

// codeOf maps an answer to a problem code. A message or code that says more
// than the status goes first.
func codeOf(r *rejection, said armError) problems.Code {
	switch {
	case r.status < 400:
		return problems.CodeUnexpectedResponse
	case said.foreignPrincipal():
		return problems.CodeForeignPrincipal
	case r.absent:
		return problems.CodeNotLinked
	case slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}, r.status) && said.blamesProvider():
		return problems.CodeProviderUnavailable
	default:
		return codeOfStatus(r.status)
	}
}

func codeOfStatus(status int) problems.Code {
	if status >= 500 {
		return problems.CodeARMUnavailable
	}
	return cmp.Or(map[int]problems.Code{
		http.StatusBadRequest: problems.CodeBadRequest, http.StatusUnprocessableEntity: problems.CodeBadRequest,
		http.StatusUnauthorized: problems.CodeUnauthorized, http.StatusForbidden: problems.CodeForbidden,
		http.StatusRequestTimeout: problems.CodeTimeout, http.StatusConflict: problems.CodeConflict,
		http.StatusTooManyRequests: problems.CodeThrottled,
	}[status], problems.CodeUnexpectedResponse)
}

func messageOf(code problems.Code, status int) string {
	switch code {
	case problems.CodeNotLinked:
		return "The provider answered that this identity has no such link in this tenant."
	case problems.CodeForeignPrincipal:
		return "The provider answered that this identity has no account in this tenant."
	case problems.CodeProviderUnavailable:
		return fmt.Sprintf("ARM answered %d: it does not know the provider at this endpoint.", status)
	case problems.CodeUnexpectedResponse:
		return fmt.Sprintf("ARM answered %d in an unknown form.", status)
	default:
		return fmt.Sprintf("ARM answered %d.", status)
	}
}

// nextStepOf is the next step where ARM's own code says more than the status; nil
// where the usual one of the problem's code stands.
func nextStepOf(code problems.Code, said armError) problems.Option {
	switch {
	case code == problems.CodeBadRequest && said.code == "InvalidApiVersionParameter":
		return problems.WithHint("The provider no longer accepts api-version %s. Report it to the project. The state of the link is unknown.", schemas.APIVersion)
	case code == problems.CodeUnauthorized && said.code == "ExpiredAuthenticationToken":
		return problems.WithHint("The token has expired: check the clock of this machine, then try again. The state of the link is unknown.")
	case code == problems.CodeUnauthorized && said.missesPrincipal():
		return problems.WithCommand("The service principal is not in that tenant: an administrator there must consent to the application. The state of the link is unknown.",
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
