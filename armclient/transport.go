package armclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mcp-partner/schemas/problems"
)

// maxBody is the most bytes of an answer that are read, after decompression.
// The provider's answers have under one kibibyte.
const maxBody = 1 << 20

// strict is the transport under the pipeline: no redirects, no answer for
// another URL, no endless body.
type strict struct {
	next  policy.Transporter
	watch func(context.Context, string) (context.Context, func(int))
}

func newStrict(o Options) strict {
	next := o.Transport
	if client, ok := next.(*http.Client); ok {
		own := *client
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		next = &own
	}
	return strict{next, o.Watch}
}

func (s strict) Do(r *http.Request) (*http.Response, error) {
	ctx, ended := s.watch(r.Context(), r.Method)
	resp, err := s.next.Do(r.WithContext(ctx))
	if err != nil {
		ended(0)
		// net/http does not repeat a write of which anything had left, so that there
		// was no connection at all.
		network, ok := errors.AsType[*net.OpError](err)
		recordOf(r.Context()).undelivered = ok && network.Op == "dial"
		return nil, err
	}
	ended(resp.StatusCode)
	if resp.Request != nil && resp.Request.URL.String() != r.URL.String() {
		_ = resp.Body.Close()
		return nil, final{problems.New(problems.CodeUnexpectedResponse, "The transport followed a redirect; its answer was ignored.")}
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	resp.Body = &cappedBody{body: resp.Body, left: maxBody, ctx: r.Context()}
	return resp, nil
}

// cappedBody fails beyond maxBody, and says of a body that breaks off that it
// was the body: the status had arrived.
type cappedBody struct {
	body io.ReadCloser
	left int
	ctx  context.Context
}

func (b *cappedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, final{problems.New(problems.CodeUnexpectedResponse, "The answer is larger than 1 MiB and was not read.")}
	}
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		err = cutBody{err}
	}
	return n, err
}

func (b *cappedBody) Close() error { return b.body.Close() }

// cutBody may be retried, unlike final.
type cutBody struct{ cause error }

func (c cutBody) Error() string { return "the body is incomplete" }
func (c cutBody) Unwrap() error { return c.cause }
