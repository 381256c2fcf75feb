package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
)

const (
	mcpPath  = "/mcp"
	livePath = "/livez"

	// maxBodies is how many bytes of bodies are held at once, and maxCallerBodies
	// those of one caller.
	maxBodies       = 16 << 20
	maxCallerBodies = 4 << 20
	// firstKeepAlive is how long a call may take before its stream begins by itself:
	// until then an error can have a status of its own.
	firstKeepAlive = 500 * time.Millisecond
	// keepAlive is how often something is sent on the answer to a call that takes
	// long, so that nothing in between takes it for dead.
	keepAlive = 3 * time.Second
	// writeLimit is how long one write may hang on a client that does not read.
	writeLimit     = 30 * time.Second
	maxHeaderBytes = 64 << 10
	// lingerLimit is how long an unread body may continue to arrive.
	lingerLimit = time.Second
)

// HTTPOptions say who may call over HTTP, and how much. Zero values mean the
// defaults.
type HTTPOptions struct {
	// Bearer tells who a token belongs to.
	Bearer Authenticators
	// OAuth, if set, tells clients where they get a token.
	OAuth ResourceServer
	// Pages answers at the paths PagePaths, and below those that end in a slash (but the
	// root): pages for people, and what clients exchange for a token. It checks origins itself.
	Pages     http.Handler
	PagePaths []string
	// PublicURL is the server's address as clients know it, such as
	// https://mcp.example, without a path; by default that of each request.
	PublicURL string
	// Anonymous makes every request where there is neither Bearer nor OAuth. With
	// none of them, every request is a 401.
	Anonymous access.Principal
	// Hosts are the names and addresses, without port, under which clients may
	// reach the server; by default those of the loopback interface.
	Hosts []string
	// Origins are the web origins, such as https://app.example, whose pages
	// may call. By default only pages of the server's own host may.
	Origins []string
	// MaxBody is the largest request body in bytes; 256 KiB by default.
	MaxBody int64
	// MaxConcurrent is how many requests are handled at once, three of four for
	// one caller, and how many subscription streams are open and how many
	// approvers and how many people at pages are served beside them; 256 by default.
	MaxConcurrent int
	// MaxConnections is how many connections are open, each a file of the process;
	// 4096 by default. The one that has waited longest for a request makes room for
	// one too many.
	MaxConnections int
	// HeaderLimit and BodyLimit are how long a client may take to send them;
	// 10 s and 30 s by default. IdleLimit is how long a connection may wait for
	// its next request; 2 minutes by default.
	HeaderLimit, BodyLimit, IdleLimit time.Duration
	// TLS, if set, is what connections are encrypted with; HTTP/2 comes with it.
	TLS *tls.Config
	// Health answers GET /readyz; nil is always ready.
	Health *Health
	// Metrics answers GET /metrics for callers with the scope access.ScopeMetrics;
	// nil means there are none here.
	Metrics http.Handler
	// Approvals is where callers with the approver's scope decide, below
	// /approvals; nil disables that.
	Approvals ApprovalsAPI
	// OnAnswer gets the status of each request to /mcp that was answered. It
	// must not block.
	OnAnswer func(status int)
}

func (o HTTPOptions) withDefaults() HTTPOptions {
	if len(o.Hosts) == 0 {
		o.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	o.MaxBody = cmp.Or(o.MaxBody, 256<<10)
	o.MaxConcurrent = cmp.Or(o.MaxConcurrent, 256)
	o.MaxConnections = cmp.Or(o.MaxConnections, 4096)
	o.IdleLimit = cmp.Or(o.IdleLimit, 2*time.Minute)
	o.Health = cmp.Or(o.Health, NewHealth())
	if o.OnAnswer == nil {
		o.OnAnswer = func(int) {}
	}
	o.HeaderLimit = cmp.Or(o.HeaderLimit, 10*time.Second)
	o.BodyLimit = cmp.Or(o.BodyLimit, 30*time.Second)
	return o
}

// httpTransport is the way of a request over HTTP, up to mcp-go.
type httpTransport struct {
	server  *Server
	opts    HTTPOptions
	foreign *http.CrossOriginProtection
	calls   *shares
	streams *shares
	// approvers, and people who sign in, have places of their own, which no agent takes.
	approvers, pages *shares
	// bodies is what is held of calls at once, and decisions of what approvers send.
	bodies, decisions *shares
	levels            *levelCache
	// stopping ends subscription streams, which nothing else would end.
	stopping context.Context
}

// newHTTPTransport serves MCP on /mcp and /mcp/ alike, decisions of approvers below /approvals, and
// /livez, /readyz and /metrics for those who watch over the server.
func (s *Server) newHTTPTransport(stopping context.Context, o HTTPOptions) *httpTransport {
	return &httpTransport{
		server:    s,
		opts:      o,
		foreign:   s.crossOrigin(o.Origins),
		calls:     newPlaces(o.MaxConcurrent),
		streams:   newPlaces(o.MaxConcurrent),
		approvers: newPlaces(o.MaxConcurrent),
		pages:     newPlaces(o.MaxConcurrent),
		bodies:    newShares(max(maxBodies, 4*o.MaxBody), max(maxCallerBodies, o.MaxBody)),
		decisions: newShares(4*o.MaxBody, o.MaxBody),
		levels:    newLevelCache(),
		stopping:  stopping,
	}
}

func (t *httpTransport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if t.opts.isPage(path) {
		t.servePage(w, r).write(w)
		return
	}
	r.Header.Del("Cookie") // a session is no bearer
	if t.admitPage(w, r) {
		return
	}
	if path == mcpPath || path == mcpPath+"/" {
		t.serveMCP(w, r) // counts what its gates refuse
		return
	}
	t.serveOutside(w, r, path).write(w)
}

// serveOutside answers a request to any other path than MCP's, or refuses it.
func (t *httpTransport) serveOutside(w http.ResponseWriter, r *http.Request, path string) *refusal {
	if refused := t.checkOutside(r, path); refused != nil {
		return refused
	}
	switch path {
	case livePath, readyPath:
		return t.serveHealth(w, r, path)
	case metricsPath:
		return t.serveMetrics(w, r)
	case openAPIPath:
		return serveOpenAPI(w, r)
	case metadataPath, metadataPath + mcpPath, metadataPath + mcpPath + "/":
		return t.serveMetadata(w, r)
	}
	if id, ok := approvalID(path); ok {
		return t.serveApprovals(w, r, id)
	}
	return nothingHere()
}

// serveMetrics shows metrics to callers with their scope: they reveal what all
// others call, and how often.
func (t *httpTransport) serveMetrics(w http.ResponseWriter, r *http.Request) *refusal {
	if t.opts.Metrics == nil {
		return nothingHere()
	}
	p, refused := t.identify(r)
	if refused == nil && !p.Grant.Has(access.ScopeMetrics) {
		refused = refuse(http.StatusForbidden, "Metrics reveal what all callers do. They need the scope "+string(access.ScopeMetrics)+".")
		if t.canAskFor(p) {
			refused.with("WWW-Authenticate", t.challenge(r, "insufficient_scope", "metrics need a scope that the token lacks", t.opts.OAuth.ScopeName(access.ScopeMetrics)))
		}
	}
	if refused != nil {
		return refused
	}
	return t.serveHealth(w, r, metricsPath)
}

// serveMCP counts what is answered around handle.
func (t *httpTransport) serveMCP(w http.ResponseWriter, r *http.Request) {
	counted := &countedWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() { t.opts.OnAnswer(counted.status) }()
	t.handle(counted, r).write(counted)
}

// countedWriter remembers the status of an answer.
type countedWriter struct {
	http.ResponseWriter
	status int
}

func (w *countedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (t *httpTransport) handle(w http.ResponseWriter, r *http.Request) *refusal {
	if !t.calls.take("", 1) {
		return overloaded()
	}
	admitted := &admission{places: t.calls, bodies: t.bodies}
	defer admitted.leave()
	// These need neither the caller nor a byte of the body.
	if refused := firstError(r, t.checkHost, t.checkOrigin, checkMethod, checkContentType, checkContentEncoding, checkAccept, t.checkLength); refused != nil {
		return refused
	}
	principal, refused := t.identify(r)
	if refused != nil {
		return refused
	}
	if !admitted.of(principal.Caller) {
		return overloaded()
	}
	body, refused := t.readBody(w, r, admitted)
	if refused != nil {
		return refused
	}
	return t.dispatch(w, r, &post{principal: principal, body: body, admission: admitted, takes: formatsOf(r)})
}

const (
	// maxPageBody is the largest form or registration in bytes.
	maxPageBody = 64 << 10
	// pageLimit bounds a request for a page, which may ask an issuer meanwhile.
	pageLimit = time.Minute
)

// isPage reports whether Pages answers at a path.
func (o *HTTPOptions) isPage(path string) bool {
	return o.Pages != nil && slices.ContainsFunc(o.PagePaths, func(at string) bool {
		return path == at || at != "/" && strings.HasSuffix(at, "/") && strings.HasPrefix(path, at)
	})
}

// servePage hands a request to the pages, which know a person by a session and never
// by a bearer. They have places of their own, three of four for one address, so
// that neither agents nor one browser keep everybody else from signing in.
func (t *httpTransport) servePage(w http.ResponseWriter, r *http.Request) *refusal {
	if refused := firstError(r, t.checkHost, checkContentEncoding, t.checkLength); refused != nil {
		return refused
	}
	address := access.Caller(hostName(r.RemoteAddr))
	if !t.pages.take(address, 1) {
		return overloaded()
	}
	defer t.pages.give(address, 1)
	if !hasBasic(r.Header) {
		r.Header.Del("Authorization")
	}
	control := http.NewResponseController(w)
	if r.ContentLength != 0 { // without a body the deadline would end the call
		_ = control.SetReadDeadline(time.Now().Add(t.opts.BodyLimit)) // in-memory writers have none
		r.Body = http.MaxBytesReader(w, r.Body, min(maxPageBody, t.opts.MaxBody))
	}
	_ = control.SetWriteDeadline(time.Now().Add(pageLimit))
	t.opts.Pages.ServeHTTP(w, r)
	return nil
}

// hasBasic reports whether a client shows its own secret, as it may for a token.
func hasBasic(h http.Header) bool {
	values := h.Values("Authorization")
	return len(values) == 1 && len(values[0]) > 6 && strings.EqualFold(values[0][:6], "Basic ")
}
