package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
	"mcp-partner/tools"
)

// post is a POST that has passed the gates.
type post struct {
	principal access.Principal
	// issued is set for a caller with an access token, who may get a better one.
	issued    bool
	body      []byte
	admission *admission
	takes     formats
	message   *message
	// modern is set when either the header or the message says 2026-07-28 or
	// later, which decides how errors map to HTTP statuses.
	modern bool
}

func (t *httpTransport) dispatch(w http.ResponseWriter, r *http.Request, p *post) *refusal {
	m, f := parseMessage(p.body)
	if f != nil {
		return &refusal{status: http.StatusBadRequest, err: f}
	}
	p.message = m
	p.modern = m.modern() || mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
	switch {
	case m.kind == kindResponse:
		return t.takeResponse(w, p)
	case m.isCancel():
		// Request IDs of all clients meet in mcp-go's one anonymous session.
		// A client cancels a request by hanging up.
		w.WriteHeader(http.StatusAccepted)
		return nil
	default:
		return t.forward(w, r, p)
	}
}

// takeResponse drops a response: over HTTP this server sends no requests.
func (t *httpTransport) takeResponse(w http.ResponseWriter, p *post) *refusal {
	t.server.log.Debug("dropped a response that answers no request")
	if p.modern {
		return refuse(http.StatusBadRequest, "This server sends no requests over HTTP, so it expects no responses.")
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (t *httpTransport) forward(w http.ResponseWriter, r *http.Request, p *post) *refusal {
	if f := checkRevision(r, p.message); f != nil {
		return &refusal{status: http.StatusBadRequest, err: f}
	}
	if f := checkParams(p.message); f != nil {
		return &refusal{status: statusOf(f.code, p.modern), err: f}
	}
	if refused := t.stepUp(r, p); refused != nil {
		return refused
	}
	listens := p.message.kind == kindRequest && p.message.method == string(mcp.MethodSubscriptionsListen)
	if listens && !p.takes.stream {
		return refuse(http.StatusNotAcceptable, "A subscription is an event stream. Send Accept: text/event-stream.")
	}
	// A subscription stays for hours; it must not take the place of calls.
	if listens && !p.admission.move(t.streams) {
		return overloaded()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if listens {
		defer context.AfterFunc(t.stopping, cancel)()
	}
	t.exchange(ctx, w, r, p, listens)
	return nil
}

// checkRevision refuses a header that names a revision nobody speaks, which
// mcp-go would refuse in plain text. A message that belongs to 2026-07-28 is
// checked with its _meta by mcp-go, and initialize negotiates.
func checkRevision(r *http.Request, m *message) *rpcError {
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	if version == "" || mcp.IsValidProtocolVersion(version) || m.modern() || m.method == string(mcp.MethodInitialize) {
		return nil
	}
	supported := slices.Clone(mcp.ValidProtocolVersions)
	return &rpcError{
		id:   m.id,
		code: mcp.UNSUPPORTED_PROTOCOL_VERSION,
		text: fmt.Sprintf("The header %s names %q, which this server does not support. Send one of: %s.",
			mcp.HeaderProtocolVersion, clip(version), strings.Join(supported, ", ")),
		data: mcp.UnsupportedProtocolVersionData{Supported: supported, Requested: clip(version)},
	}
}

// exchange runs a message through mcp-go with a response writer and a session
// of its own.
func (t *httpTransport) exchange(ctx context.Context, w http.ResponseWriter, r *http.Request, p *post, listens bool) {
	out := newExchangeWriter(w, p, callerLevel{t.levels, p.principal.Caller})
	ctx = t.server.facts(ctx, tools.Request{Principal: p.principal, Notifier: out}, p.message, r.Header.Get)
	w.Header().Set(requestIDHeader, tools.RequestOf(ctx).ID)
	out.keepAlive(t.opts.KeepAlive) // from here on a timer may write headers and comments
	x := &exchange{message: p.message}
	if !listens {
		x.session = &session{peer: &peer{initialized: true}, level: out.level, emit: out.Notify}
		if !p.modern {
			x.session.peer.version = r.Header.Get(mcp.HeaderProtocolVersion)
		}
	}
	t.run(out, inward(withExchange(ctx, x), r, p.message.raw), x)
	if x.session != nil {
		x.session.flush()
	}
	out.finish(x.err)
}

// run calls mcp-go; a panic becomes the exchange's error.
func (t *httpTransport) run(out *exchangeWriter, r *http.Request, x *exchange) {
	defer func() {
		if value := recover(); value != nil {
			x.err = t.server.panicked(r.Context(), x.message.method, value)
		}
	}()
	t.inner.ServeHTTP(out, r)
}

// inward is the request as mcp-go and the handlers get to see it. Only headers
// of the protocol go further; credentials, cookies and what proxies add do not.
func inward(ctx context.Context, r *http.Request, body []byte) *http.Request {
	inner := r.WithContext(ctx)
	inner.Header = http.Header{}
	for name, values := range r.Header {
		if ofProtocol(name) {
			inner.Header[name] = values
		}
	}
	inner.Header.Set("Accept", "application/json, "+eventStream) // what the client takes is seen to here
	inner.Body = io.NopCloser(bytes.NewReader(body))
	inner.ContentLength = int64(len(body))
	return inner
}

// ofProtocol knows header names in their canonical form. A session ID is left
// out: none is ever given out, so a client that sends one means another server.
func ofProtocol(name string) bool {
	switch name {
	case "Content-Type", "Last-Event-Id":
		return true
	case mcp.HeaderSessionID:
		return false
	}
	return strings.HasPrefix(name, "Mcp-")
}

// statusOf maps errors to statuses as 2026-07-28 prescribes; before it, an
// error that a request ends with is a 200.
func statusOf(code int, modern bool) int {
	switch {
	case !modern:
		return http.StatusOK
	case code == mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case code == mcp.INTERNAL_ERROR, code == codeBusy:
		return http.StatusOK
	}
	return http.StatusBadRequest
}
