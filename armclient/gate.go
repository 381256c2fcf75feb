package armclient

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mcp-partner/guard"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// gate is the last policy that looks at a request as a whole. It stands inside
// the bearer policy (azcore puts ClientOptions.PerRetryPolicies after it), so
// it sees each token that is about to leave, also that of a repeated request
// and that of the request sent anew after a claims challenge.
type gate struct {
	tenantID string
	pinned   string
	// name is the tenant's in this program's directory, for messages.
	name     string
	endpoint *url.URL
	// watch is Options.Observe, or nil.
	watch func(Exchange)
}

func newGate(o Options, endpoint *url.URL) *gate {
	return &gate{tenantID: strings.ToLower(o.TenantID), pinned: strings.ToLower(o.PinnedObjectID), name: o.tenantWords(), endpoint: endpoint, watch: o.Observe}
}

// final keeps azcore's retry policy from trying again.
type final struct{ problem error }

func (f final) Error() string { return f.problem.Error() }
func (f final) Unwrap() error { return f.problem }
func (f final) NonRetriable() {}

// Do implements policy.Policy. What admit refuses is not sent.
func (g *gate) Do(req *policy.Request) (*http.Response, error) {
	if err := g.admit(req.Raw()); err != nil {
		return nil, final{err}
	}
	began := time.Now()
	resp, err := req.Next()
	took := time.Since(began)
	if resp != nil {
		g.clean(req.Raw(), resp, err)
		g.note(req.Raw(), resp)
	}
	g.observe(req.Raw(), resp, err, took)
	return resp, err
}

// clean handles ARM's text as it arrives; every reader of the answer runs after
// it. A body that could not be read to its end is discarded.
func (g *gate) clean(r *http.Request, resp *http.Response, err error) {
	e := echoOf(r.Header.Get("Authorization"))
	e.cleanIDs(resp.Header)
	recordOf(r.Context()).echoed = err == nil && e.cleanBody(resp)
}

func (g *gate) admit(r *http.Request) error {
	if err := g.checkTarget(r); err != nil {
		return err
	}
	c, readable := readClaims(r.Header.Get("Authorization"))
	seen := recordOf(r.Context())
	seen.claims, seen.readable = c, readable
	if err := g.checkClaims(c); err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		return nil
	}
	if !readable {
		return problems.New(problems.CodeTokenUnreadable,
			"The write was not sent, because the token does not name its identity and tenant.")
	}
	wire := guard.Wire{Method: r.Method, TenantID: c.tenantID, ObjectID: c.objectID, PartnerID: g.partnerID(r.URL)}
	if err := seen.permit.Spend(wire); err != nil {
		return err
	}
	seen.wrote++
	return nil
}

// checkTarget keeps the token from any other host; a nextLink could name one.
func (g *gate) checkTarget(r *http.Request) error {
	if r.URL.Scheme == g.endpoint.Scheme && sameHost(r.URL, g.endpoint) && (r.Host == "" || strings.EqualFold(r.Host, r.URL.Host)) {
		return nil
	}
	return problems.New(problems.CodeUnexpectedResponse,
		"A request to a host other than the ARM endpoint was stopped before it was sent.")
}

// checkClaims compares whatever could be read, even if not all of it could. A
// write may have left before, with another token: what is said here is true of
// this request alone.
func (g *gate) checkClaims(c claims) error {
	switch {
	case c.tenantID != "" && c.tenantID != g.tenantID:
		return problems.New(problems.CodeWrongTenant,
			fmt.Sprintf("The token is for tenant %s, but %s was requested; no request was sent with this token.", c.tenantID, g.name))
	case g.pinned != "" && c.objectID != "" && c.objectID != g.pinned:
		return problems.New(problems.CodeWrongIdentity,
			fmt.Sprintf("The token is for identity %s, but %s is pinned for %s; no request was sent with this token.", c.objectID, g.pinned, g.name))
	}
	return nil
}

// note keeps the answer, and tells the permit of a claims challenge: ARM
// did not carry the request out, and the bearer policy will send it once more.
func (g *gate) note(r *http.Request, resp *http.Response) {
	seen := recordOf(r.Context())
	seen.status = resp.StatusCode
	seen.requestID, seen.correlationID = requestIDs(resp.Header)
	if r.Method != http.MethodGet && claimsChallenge(resp) {
		seen.wrote--
		seen.challenged = true
		seen.permit.Challenged()
	}
}

// partnerID is the last segment of .../partners/{id}; "" for any other path,
// which no permit fits.
func (g *gate) partnerID(u *url.URL) partnerid.ID {
	id, found := strings.CutPrefix(u.EscapedPath(), g.endpoint.EscapedPath()+schemas.PathPartners+"/")
	if !found {
		return ""
	}
	return partnerid.ID(id)
}

func claimsChallenge(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	return slices.ContainsFunc(resp.Header.Values("WWW-Authenticate"), func(challenge string) bool {
		return strings.Contains(challenge, `claims="`) && strings.Contains(challenge, `error="insufficient_claims"`)
	})
}

// sameHost takes a left-out port for 443.
func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Hostname(), b.Hostname()) && cmp.Or(a.Port(), "443") == cmp.Or(b.Port(), "443")
}

// record is what the gate saw of one call, for the layer above. A call runs in
// one goroutine, its retries included, so nothing is locked.
type record struct {
	// permit is that of a write; the zero permit, of any other call, allows none.
	permit guard.Permit
	claims claims
	// readable is whether the token of the last request could be decoded.
	readable bool
	// wrote counts the requests that were let through and are no GET, less those
	// of which a claims challenge said that they were not carried out.
	wrote int
	// undelivered: no connection could be made for the last request, so nothing
	// of it left.
	undelivered bool
	// status and the IDs are those of the last answer; 0 without one.
	status                   int
	requestID, correlationID string
	// echoed: the last answer held the token, or what looks like one, which was
	// taken out.
	echoed bool
	// challenged: a claims challenge was the answer to a write.
	challenged bool
	// retryAfter is what the last answer asked for, in seconds; 0 for nothing.
	retryAfter int
}

// The pipeline hands nothing else down than the request and its context, with
// Microsoft's generated client too.
type recordKey struct{}

func withRecord(ctx context.Context) (context.Context, *record) {
	r := &record{}
	return context.WithValue(ctx, recordKey{}, r), r
}

// recordOf never returns nil: without a record in the context it returns a new
// one.
func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{}
}

// Exchange is one request as sent, and its answer, for comparing the wire with
// its contract. No field holds the token: headers pass an allow-list, and
// echoes of the token are removed from the body. The rest is ARM's own text.
type Exchange struct {
	Method string
	// URL is the whole URL of the request.
	URL string
	// RequestHeader and Header are the allowed headers of request and answer.
	RequestHeader, Header http.Header
	// Sent is the length of the request's body in bytes; -1 if unknown.
	Sent int64
	// Status is 0 where no answer came.
	Status int
	// Body is nil where it could not be read to its end.
	Body []byte
	// Echoed is true where the answer had repeated the token.
	Echoed bool
	// Took is the time from sending to the end of the answer.
	Took time.Duration
}

// observe passes an exchange to the observer. It runs after clean.
func (g *gate) observe(r *http.Request, resp *http.Response, err error, took time.Duration) {
	if g.watch == nil {
		return
	}
	x := Exchange{Method: r.Method, URL: r.URL.String(), RequestHeader: allowed(r.Header, requestHeaders()), Sent: r.ContentLength, Took: took}
	if resp != nil {
		x.Status, x.Header, x.Echoed = resp.StatusCode, allowed(resp.Header, answerHeaders()), recordOf(r.Context()).echoed
		if body, unread := runtime.Payload(resp); unread == nil && err == nil {
			x.Body = append([]byte{}, body...)
		}
	}
	g.watch(x)
}

func allowed(h http.Header, names []string) http.Header {
	out := http.Header{}
	for _, name := range names {
		if values := h.Values(name); len(values) > 0 {
			out[http.CanonicalHeaderKey(name)] = append([]string{}, values...)
		}
	}
	return out
}

// requestHeaders omits the token and what identifies this machine.
func requestHeaders() []string {
	return []string{"Accept", "Content-Type", "Content-Length", "If-Match", "If-None-Match", "X-Ms-Correlation-Request-Id"}
}

// answerHeaders are those that the contract speaks of.
func answerHeaders() []string {
	return []string{
		"Content-Type", "Retry-After", "Allow", "Etag", "Location", "Azure-Asyncoperation", "X-Ms-Request-Id", "X-Ms-Correlation-Request-Id",
		"X-Ms-Ratelimit-Remaining-Tenant-Reads", "X-Ms-Ratelimit-Remaining-Tenant-Writes",
	}
}
