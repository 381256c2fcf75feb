package server

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
)

// refusal is an HTTP answer that is given without mcp-go. Its body is a
// JSON-RPC error, so that clients of either kind can show it.
type refusal struct {
	status int
	header http.Header
	err    *rpcError
}

func refuse(status int, text string) *refusal {
	return &refusal{status: status, header: http.Header{}, err: invalidRequest(text)}
}

func (r *refusal) with(name, value string) *refusal {
	r.header.Set(name, value)
	return r
}

// write answers with the refusal, if there is one.
func (r *refusal) write(w http.ResponseWriter) {
	if r == nil {
		return
	}
	maps.Copy(w.Header(), r.header)
	sendJSON(w, r.status, append(r.err.encode(), '\n'))
}

// checkOutside looks at who may have sent a request to any other path than MCP's.
// Probes come to an address.
func (t *httpTransport) checkOutside(r *http.Request, path string) *refusal {
	host := t.checkHost
	if path == livePath || path == readyPath {
		host = t.checkProbedHost
	}
	return firstError(r, host, t.checkOrigin, checkContentEncoding)
}

// firstError asks gates in order, up to the first that refuses.
func firstError(r *http.Request, gates ...func(*http.Request) *refusal) *refusal {
	for _, gate := range gates {
		if refused := gate(r); refused != nil {
			return refused
		}
	}
	return nil
}

func checkMethod(r *http.Request) *refusal {
	if r.Method == http.MethodPost {
		return nil
	}
	return refuse(http.StatusMethodNotAllowed,
		"Send each JSON-RPC message as a POST. There are no sessions to delete and no stream to GET.").with("Allow", http.MethodPost)
}

func checkContentType(r *http.Request) *refusal {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err == nil && len(r.Header.Values("Content-Type")) == 1 && kind == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	return refuse(http.StatusUnsupportedMediaType, "Send the message with Content-Type: application/json, in UTF-8.")
}

// checkContentEncoding refuses bodies that say they are compressed: something in
// between may have read another text than is read here.
func checkContentEncoding(r *http.Request) *refusal {
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return refuse(http.StatusUnsupportedMediaType, "Send the body without Content-Encoding.").with("Accept-Encoding", "identity")
		}
	}
	return nil
}

// formats are the forms of an answer that a client takes.
type formats struct{ json, stream bool }

// formatsOf reads Accept. A missing header accepts anything, as HTTP has it.
func formatsOf(r *http.Request) formats {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" {
		return formats{true, true}
	}
	return formats{accepts(accept, "application/json"), accepts(accept, eventStream)}
}

func checkAccept(r *http.Request) *refusal {
	if formatsOf(r) != (formats{}) {
		return nil
	}
	return refuse(http.StatusNotAcceptable, "Send Accept: application/json, text/event-stream. An answer is one of the two.")
}

// accepts goes by the range that names the type most exactly.
func accepts(header, want string) bool {
	group, _, _ := strings.Cut(want, "/")
	ranges := []string{"*/*", group + "/*", want}
	best, taken := -1, false
	for part := range strings.SplitSeq(header, ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		at := slices.Index(ranges, kind)
		if err != nil || at < best {
			continue
		}
		quality, err := strconv.ParseFloat(cmp.Or(params["q"], "1"), 64)
		taken = err == nil && quality > 0 || at == best && taken
		best = at
	}
	return best >= 0 && taken
}

func (t *httpTransport) checkLength(r *http.Request) *refusal {
	if r.ContentLength > t.opts.MaxBody {
		return t.tooLarge()
	}
	return nil
}

func (t *httpTransport) tooLarge() *refusal {
	text := fmt.Sprintf("The body is larger than %d bytes, which is the limit. Send less at once.", t.opts.MaxBody)
	return refuse(http.StatusRequestEntityTooLarge, text).with("Connection", "close")
}

// checkHost keeps web pages from reaching the server under a name that they
// had resolved to its address (DNS rebinding).
func (t *httpTransport) checkHost(r *http.Request) *refusal {
	host := hostName(r.Host)
	if other := r.Header.Get("Host"); other != "" && !strings.EqualFold(other, r.Host) { // HTTP/2 has one beside :authority
		return foreignHost()
	}
	if slices.ContainsFunc(t.opts.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) }) {
		return nil
	}
	return foreignHost()
}

func foreignHost() *refusal {
	return refuse(http.StatusForbidden, "This server does not accept that Host. Use the address that it printed at start, or add the host to --allowed-hosts.")
}

// hostName is the Host without its port, which has to be a number: what stands
// behind it may be read as another name by somebody in between.
func hostName(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
		return hostport
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

func (t *httpTransport) identify(r *http.Request) (access.Principal, *refusal) {
	if t.opts.Bearer == nil && t.opts.OAuth == nil && t.opts.Anonymous.Caller != "" {
		visitOf(r).authenticated()
		return t.opts.Anonymous, nil
	}
	token, ok := bearerToken(r.Header)
	if !ok {
		return access.Principal{}, unauthorized(t.challenge(r, "", "", t.firstScope()), "Send Authorization: Bearer with a token that is valid here. "+t.whereToGetToken())
	}
	p, err := t.opts.Bearer.Authenticate(r.Context(), token)
	if err != nil || p.Caller == "" {
		return access.Principal{}, t.denied(r, err)
	}
	visitOf(r).authenticated()
	return p, nil
}

func unauthorized(challenge, text string) *refusal {
	return refuse(http.StatusUnauthorized, text).with("WWW-Authenticate", challenge)
}

// bearerToken wants exactly one Authorization header: of two, somebody in
// between may have checked the other.
func bearerToken(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, found := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, found && token != "" && strings.EqualFold(scheme, "Bearer")
}

// readBody reads within size and time, after it has taken room for all of it.
// net/http lifts the deadline itself once the body is there, so that it does not
// end a long call.
func (t *httpTransport) readBody(w http.ResponseWriter, r *http.Request, a *admission) ([]byte, *refusal) {
	expected := t.opts.MaxBody
	if r.ContentLength >= 0 {
		expected = r.ContentLength
	}
	if !a.reserve(expected) {
		return nil, overloaded()
	}
	deadline := time.Now().Add(t.opts.BodyLimit)
	_ = http.NewResponseController(w).SetReadDeadline(deadline) // in-memory writers have none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, t.opts.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, t.tooLarge()
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "The body did not arrive completely in time. Send it again.").with("Connection", "close")
	}
	a.keep(int64(len(body)))
	return body, nil
}

// What web pages of an allowed origin may send, and may see of an answer. A
// browser allows neither without these headers (CORS).
const (
	pageMethods = "GET, POST"
	pageHeaders = "Accept, Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id, Traceparent, Tracestate"
	pageSees    = "Retry-After, WWW-Authenticate, X-Request-Id"
	// pageAsksAgain is after how many seconds a browser asks again.
	pageAsksAgain = "600"
)

// admitPage tells a browser that pages of an allowed origin may call, and answers
// if that was all it asked. Cookies are never allowed: a caller is who its bearer
// says. To a page of the server's own origin and to everybody else nothing is
// said.
func (t *httpTransport) admitPage(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin, ok := originOf(r)
	if !ok || origin == "" || !slices.Contains(t.opts.Origins, origin) || t.checkHost(r) != nil {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", pageSees)
		return false
	}
	h.Set("Access-Control-Allow-Methods", pageMethods)
	h.Set("Access-Control-Allow-Headers", pageHeaders)
	h.Set("Access-Control-Max-Age", pageAsksAgain)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// crossOrigin trusts no origin that cannot be parsed.
func (s *Server) crossOrigin(origins []string) *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			s.log.Error("not a web origin, and not trusted", "origin", origin)
		}
	}
	return protection
}

// checkOrigin goes by Sec-Fetch-Site as browsers set it, and by the Origin
// itself too, which other software can be made to send.
func (t *httpTransport) checkOrigin(r *http.Request) *refusal {
	origin, ok := originOf(r)
	if ok && t.foreign.Check(r) == nil && (origin == "" || slices.Contains(t.opts.Origins, origin) || ownOrigin(origin, r)) {
		return nil
	}
	return refuse(http.StatusForbidden, "Web pages of this Origin may not call this server.")
}

// originOf returns the one Origin of a request, or "". ok is false where there
// are two, of which somebody in between may have checked the other.
func originOf(r *http.Request) (origin string, ok bool) {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return "", len(r.Header.Values("Sec-Fetch-Site")) <= 1
	}
	return origins[0], len(origins) == 1 && origins[0] != "" && len(r.Header.Values("Sec-Fetch-Site")) <= 1
}

// ownOrigin wants the exact form in which browsers send an origin, so that
// nothing beside scheme and host can be in it.
func ownOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || !strings.EqualFold(u.Host, r.Host) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && r.TLS == nil
}

// shares bounds how much is held at once, by all together and by each caller, so
// that there is always some for somebody else: places, or bytes of bodies.
type shares struct {
	all, each int64

	mu   sync.Mutex
	used int64
	by   map[access.Caller]int64
}

func newShares(all, each int64) *shares {
	return &shares{all: all, each: each, by: map[access.Caller]int64{}}
}

// newPlaces gives one caller three places of four.
func newPlaces(n int) *shares { return newShares(int64(n), int64(n-n/4)) }

// take reports whether there was room; without a caller what all hold is bounded
// alone. What is larger than a whole share has room where nothing else is held.
func (s *shares) take(caller access.Caller, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used > 0 && s.used+n > s.all || !s.own(caller, n) {
		return false
	}
	s.used += n
	return true
}

// own counts as the caller's what all hold, if there is a share left.
func (s *shares) own(caller access.Caller, n int64) bool {
	held := s.by[caller]
	if held > 0 && held+n > s.each {
		return false
	}
	if caller != "" {
		s.by[caller] = held + n
	}
	return true
}

func (s *shares) give(caller access.Caller, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.by[caller] -= n; s.by[caller] <= 0 {
		delete(s.by, caller)
	}
}

// admission is one request's place, and its caller's share of places and of bytes
// once that is known.
type admission struct {
	places, bodies *shares
	caller         access.Caller
	bytes          int64
}

func (a *admission) leave() {
	a.bodies.give(a.caller, a.bytes)
	a.places.give(a.caller, 1)
}

// of says whose place it is, if there is a share left.
func (a *admission) of(caller access.Caller) bool {
	a.places.mu.Lock()
	defer a.places.mu.Unlock()
	if !a.places.own(caller, 1) {
		return false
	}
	a.caller = caller
	return true
}

// reserve takes room for a body before it is read.
func (a *admission) reserve(bytes int64) bool {
	if !a.bodies.take(a.caller, bytes) {
		return false
	}
	a.bytes += bytes
	return true
}

// keep gives back what was reserved beyond the bytes that came.
func (a *admission) keep(bytes int64) {
	a.bodies.give(a.caller, a.bytes-bytes)
	a.bytes = bytes
}

// move gives the place up for one elsewhere, if there is one.
func (a *admission) move(to *shares) bool {
	if !to.take(a.caller, 1) {
		return false
	}
	a.places.give(a.caller, 1)
	a.places = to
	return true
}

func overloaded() *refusal {
	refused := refuse(http.StatusServiceUnavailable, "")
	refused.err = busy("Too many requests at once. Send this one again after a second.")
	return refused.with("Retry-After", "1")
}

// levelCache remembers which log level each caller asked for last. Older
// revisions set it in a request of its own, and over HTTP there is no session
// that it could belong to.
type levelCache = lru.Cache[access.Caller, mcp.LoggingLevel]

// maxLevels bounds the cache. For one caller more, the one who has called for log
// messages longest ago is forgotten.
const maxLevels = 1024

func newLevelCache() *levelCache {
	cache, _ := lru.New[access.Caller, mcp.LoggingLevel](maxLevels) // fails for a size below 1 alone
	return cache
}

// callerLevel is the log level of one caller: over stdio, of the only client.
type callerLevel struct {
	cache  *levelCache
	caller access.Caller
}

func (c callerLevel) get() mcp.LoggingLevel {
	level, _ := c.cache.Get(c.caller)
	return level
}

func (c callerLevel) set(level mcp.LoggingLevel) { c.cache.Add(c.caller, level) }
