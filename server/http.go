package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcp-partner/guard"
)

const (
	mcpPath  = "/mcp"
	livePath = "/livez"

	defaultMaxBody        = 1 << 20
	defaultHTTPConcurrent = 256
	defaultHeaderLimit    = 10 * time.Second
	defaultBodyLimit      = 30 * time.Second
	idleLimit             = 2 * time.Minute
	// writeLimit is how long one write may hang on a client that does not read.
	writeLimit     = 30 * time.Second
	maxHeaderBytes = 64 << 10
)

// HTTPOptions say who may call over HTTP, and how much. Zero values mean the
// defaults.
type HTTPOptions struct {
	// Bearer tells who a token belongs to.
	Bearer Authenticator
	// Anonymous makes every request where Bearer is nil. With neither, every
	// request is a 401.
	Anonymous guard.Principal
	// Hosts are the names and addresses, without port, under which clients may
	// reach the server; by default those of the loopback interface.
	Hosts []string
	// Origins are the web origins, such as https://app.example, whose pages
	// may call. By default only pages of the server's own host may.
	Origins []string
	// MaxBody is the largest request body in bytes; 1 MiB by default.
	MaxBody int64
	// MaxConcurrent is how many requests are handled at once, and how many
	// subscription streams are open beside them; 256 by default.
	MaxConcurrent int
	// HeaderLimit and BodyLimit are how long a client may take to send them;
	// 10 s and 30 s by default.
	HeaderLimit, BodyLimit time.Duration
	// DrainLimit is how long calls may take to end when ServeListener stops;
	// 30 s by default.
	DrainLimit time.Duration
}

func (o HTTPOptions) withDefaults() HTTPOptions {
	if len(o.Hosts) == 0 {
		o.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	o.MaxBody = orDefault(o.MaxBody, defaultMaxBody)
	o.MaxConcurrent = orDefault(o.MaxConcurrent, defaultHTTPConcurrent)
	o.HeaderLimit = orDefault(o.HeaderLimit, defaultHeaderLimit)
	o.BodyLimit = orDefault(o.BodyLimit, defaultBodyLimit)
	o.DrainLimit = orDefault(o.DrainLimit, defaultDrainLimit)
	return o
}

// httpTransport is the way of a request over HTTP, up to mcp-go.
type httpTransport struct {
	server  *Server
	opts    HTTPOptions
	inner   *mcpserver.StreamableHTTPServer
	foreign *http.CrossOriginProtection
	calls   limiter
	streams limiter
	levels  *levelBook
	// stopping ends subscription streams, which nothing else would end.
	stopping context.Context
}

// Handler serves MCP on exactly /mcp and answers GET /livez with 200.
func (s *Server) Handler(o HTTPOptions) http.Handler {
	return s.newHTTPTransport(context.Background(), o.withDefaults())
}

func (s *Server) newHTTPTransport(stopping context.Context, o HTTPOptions) *httpTransport {
	return &httpTransport{
		server:   s,
		opts:     o,
		inner:    s.statelessHTTP(),
		foreign:  s.crossOrigin(o.Origins),
		calls:    make(limiter, o.MaxConcurrent),
		streams:  make(limiter, o.MaxConcurrent),
		levels:   newLevelBook(),
		stopping: stopping,
	}
}

// statelessHTTP is mcp-go's part. Without sessions and standing streams no
// client can get at what belongs to another; its log lines would repeat what
// clients send; and the Host check before it is stricter than its own.
func (s *Server) statelessHTTP() *mcpserver.StreamableHTTPServer {
	return mcpserver.NewStreamableHTTPServer(s.mcp,
		mcpserver.WithStateLess(true),
		mcpserver.WithDisableStreaming(true),
		mcpserver.WithDisableLocalhostProtection(true),
		mcpserver.WithStreamableHTTPLogger(slog.New(slog.DiscardHandler)),
		mcpserver.WithHTTPContextFunc(s.ownSession),
	)
}

// ownSession puts our session in the place of mcp-go's, so that what is sent
// through mcp-go's own API stays with its request. A subscription stream keeps
// mcp-go's, which is the one that broadcasts reach.
func (s *Server) ownSession(ctx context.Context, _ *http.Request) context.Context {
	if x := exchangeOf(ctx); x != nil && x.session != nil {
		return s.mcp.WithContext(ctx, x.session)
	}
	return ctx
}

// ServeHTTP implements http.Handler.
func (t *httpTransport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.EscapedPath() {
	case mcpPath:
		t.serveMCP(w, r)
	case livePath:
		t.serveLive(w, r)
	case openAPIPath:
		t.serveOpenAPI(w, r)
	default:
		refuse(http.StatusNotFound, "There is nothing here. MCP is served on "+mcpPath+".").write(w)
	}
}

func (t *httpTransport) serveLive(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(http.StatusMethodNotAllowed, "Use GET.").with("Allow", "GET, HEAD").write(w)
		return
	}
	if no := t.checkHost(r); no != nil {
		no.write(w)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // a client that left needs no answer
}

func (t *httpTransport) serveMCP(w http.ResponseWriter, r *http.Request) {
	if !t.calls.enter() {
		overloaded().write(w)
		return
	}
	pass := &pass{in: t.calls}
	defer pass.leave()
	if no := t.checkRequest(r); no != nil {
		no.write(w)
		return
	}
	principal, no := t.identify(r)
	if no != nil {
		no.write(w)
		return
	}
	body, no := t.readBody(w, r)
	if no != nil {
		no.write(w)
		return
	}
	t.dispatch(w, r, &post{principal: principal, body: body, pass: pass})
}
