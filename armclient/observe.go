package armclient

import (
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

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
