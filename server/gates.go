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
	"slices"
	"strconv"
	"strings"
	"time"

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

func (t *httpTransport) identify(r *http.Request) (p access.Principal, issued bool, refused *refusal) {
	if t.opts.Bearer == nil && t.opts.OAuth == nil && t.opts.Anonymous.Caller != "" {
		visitOf(r).authenticated()
		return t.opts.Anonymous, false, nil
	}
	token, ok := bearerToken(r.Header)
	if !ok {
		return access.Principal{}, false, unauthorized(t.challenge(r, "", "", t.firstScope()), "Send Authorization: Bearer with a token that is valid here. "+t.whereToGetToken())
	}
	authenticate := t.opts.Bearer.Authenticate
	if issued = t.opts.OAuth != nil && t.opts.OAuth.Takes(token); issued { // then the issuer alone decides
		authenticate = t.opts.OAuth.Authenticate
	}
	p, err := authenticate(r.Context(), token)
	if err != nil || p.Caller == "" {
		return access.Principal{}, false, t.denied(r, err)
	}
	visitOf(r).authenticated()
	return p, issued, nil
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
