package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
	"mcp-partner/tools"
)

// post is a POST that has passed the gates.
type post struct {
	principal access.Principal
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
		return &refusal{status: http.StatusBadRequest, err: f.withID(p.message.id)}
	}
	if f := checkParams(p.message); f != nil {
		return &refusal{status: statusOf(f.code, p.modern), err: f}
	}
	if f := checkRepeated(r, p); f != nil {
		return &refusal{status: http.StatusBadRequest, err: f.withID(p.message.id)}
	}
	if refused := t.stepUp(r, p); refused != nil {
		return refused
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if p.message.kind == kindRequest && p.message.isListen() {
		if !p.takes.stream {
			return refuse(http.StatusNotAcceptable, "A subscription is an event stream. Send Accept: text/event-stream.")
		}
		if !p.admission.move(t.streams) { // it stays for hours; it must not take the place of calls
			return overloaded()
		}
		defer context.AfterFunc(t.stopping, cancel)()
	}
	t.exchange(ctx, w, r, p)
	return nil
}

// checkRevision refuses a header that names a revision nobody speaks; initialize
// negotiates.
func checkRevision(r *http.Request, m *message) *rpcError {
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	if version == "" || mcp.IsValidProtocolVersion(version) || m.method == string(mcp.MethodInitialize) {
		return nil
	}
	supported := ProtocolVersions()
	return &rpcError{
		code: mcp.UNSUPPORTED_PROTOCOL_VERSION,
		text: fmt.Sprintf("The header %s names %q, which this server does not support. Send one of: %s.",
			mcp.HeaderProtocolVersion, clip(version), strings.Join(supported, ", ")),
		data: mcp.UnsupportedProtocolVersionData{Supported: supported, Requested: clip(version)},
	}
}

// ProtocolVersions are the revisions that are served, newest first.
func ProtocolVersions() []string { return slices.Clone(mcp.ValidProtocolVersions) }

// checkRepeated compares headers with what they repeat of the message since
// 2026-07-28. Something in between may have read them instead.
func checkRepeated(r *http.Request, p *post) *rpcError {
	m, version := p.message, r.Header.Get(mcp.HeaderProtocolVersion)
	declared := m.meta.ProtocolVersion()
	switch {
	case !p.modern:
		return nil
	case r.Header.Get(mcp.HeaderLastEventID) != "":
		return headerMismatch("The header " + mcp.HeaderLastEventID + " cannot be used: streams are not resumed. Send the request again under a new ID.")
	case declared == "":
		return invalidParams("params._meta lacks " + mcp.MetaKeyProtocolVersion + ". Send the revision that the header " + mcp.HeaderProtocolVersion + " names.")
	case version != declared:
		return headerMismatch(fmt.Sprintf("The header %s names %q, and params._meta %q. Send the same in both.", mcp.HeaderProtocolVersion, clip(version), clip(declared)))
	case m.kind != kindRequest:
		return nil
	}
	if err := mcp.ValidateStandardHeaders(r.Header.Get, version, mcp.MCPMethod(m.method), m.params); err != nil {
		return headerMismatch(err.Error())
	}
	return nil
}

func headerMismatch(text string) *rpcError { return &rpcError{code: mcp.HEADER_MISMATCH, text: text} }

// exchange answers a message with a session of its own, so that what is sent
// through mcp-go's own API stays with its request.
func (t *httpTransport) exchange(ctx context.Context, w http.ResponseWriter, r *http.Request, p *post) {
	out := newExchangeWriter(w, p, callerLevel{t.levels, p.principal.Caller})
	ctx = t.server.facts(ctx, tools.Request{Principal: p.principal, Notifier: out}, p.message, r.Header.Get)
	w.Header().Set(requestIDHeader, tools.RequestOf(ctx).ID)
	out.keepAlive() // from here on a timer may write headers and comments
	client := &session{peer: &peer{initialized: true}, level: out.level, emit: out.Notify}
	if !p.modern {
		client.peer.version = r.Header.Get(mcp.HeaderProtocolVersion)
	}
	out.finish(t.server.handle(ctx, p.message, client))
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

// exchangeWriter is the response to one POST. If the handler notifies before it
// returns, the response is an event stream whose last event is the answer, else
// it is the answer as JSON. So every notification is on its own call's stream and
// ahead of the answer.
type exchangeWriter struct {
	post    *post
	level   callerLevel
	control *http.ResponseController

	mu       sync.Mutex
	out      http.ResponseWriter
	open     bool // headers are sent: of an event stream, or of JSON that is not there yet
	finished bool
	err      error
	// beat sends the next comment; nil where there are none.
	beat *time.Timer
}

func newExchangeWriter(out http.ResponseWriter, p *post, l callerLevel) *exchangeWriter {
	return &exchangeWriter{post: p, level: l, control: http.NewResponseController(out), out: out}
}

// Notify implements tools.Notifier.
func (w *exchangeWriter) Notify(method string, params any) error {
	event, err := encodeNotification(method, params, askedLevel(w.post.message, w.level))
	if err != nil || event == nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return errAnswered
	}
	if !w.post.takes.stream {
		return nil // the client takes the answer alone
	}
	w.begin()
	w.event(event)
	return w.err
}

// keepAlive begins the answer to a request that takes long, and sends something on it
// at intervals: a comment, or to a client that takes JSON alone white space, which
// may stand before any JSON.
func (w *exchangeWriter) keepAlive() {
	if w.post.message.kind != kindRequest {
		return
	}
	w.mu.Lock() // the timer may be faster than this
	defer w.mu.Unlock()
	w.beat = time.AfterFunc(firstKeepAlive, w.comment)
}

func (w *exchangeWriter) comment() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished || w.err != nil {
		return
	}
	w.begin()
	if w.post.takes.stream {
		w.deliver([]byte(":\n\n"))
	} else {
		w.deliver([]byte("\n"))
	}
	w.beat.Reset(keepAlive)
}

const eventStream = "text/event-stream"

func (w *exchangeWriter) begin() {
	if w.open {
		return
	}
	w.open = true
	h := w.out.Header()
	h.Set("Content-Type", "application/json")
	if w.post.takes.stream {
		h.Set("Content-Type", eventStream)
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies must not hold events back
	w.extendDeadline()
	w.out.WriteHeader(http.StatusOK)
}

// event writes one event; JSON has no line ends of its own.
func (w *exchangeWriter) event(data []byte) {
	w.deliver(append(append([]byte("event: message\ndata: "), data...), "\n\n"...))
}

// deliver writes what is whole, and lets the client have it at once.
func (w *exchangeWriter) deliver(p []byte) {
	if w.err == nil {
		w.extendDeadline()
		_, w.err = w.out.Write(p)
	}
	if w.err == nil {
		w.err = w.control.Flush()
	}
	if errors.Is(w.err, http.ErrNotSupported) {
		w.err = nil // an in-memory writer has nothing to flush
	}
	w.liftDeadline()
}

// extendDeadline lets a stream last as long as the client reads it.
func (w *exchangeWriter) extendDeadline() {
	_ = w.control.SetWriteDeadline(time.Now().Add(writeLimit)) // in-memory writers have none
}

// liftDeadline lets a stream be silent for as long as the call is: over HTTP/2 a
// deadline that passes ends it, also when there is nothing to write.
func (w *exchangeWriter) liftDeadline() {
	_ = w.control.SetWriteDeadline(time.Time{})
}

// finish sends the answer, or the error in its place. It is called once, after the
// handler has returned.
func (w *exchangeWriter) finish(line []byte, failure *rpcError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	if w.beat != nil {
		w.beat.Stop()
	}
	status := http.StatusOK
	if failure != nil {
		line, status = failure.encode(), statusOf(failure.code, w.post.modern)
	}
	switch {
	case w.post.message.kind == kindNotification:
		if !w.open {
			w.out.WriteHeader(http.StatusAccepted)
		}
	case !w.open && (w.post.takes.json || status != http.StatusOK):
		w.extendDeadline()
		sendJSON(w.out, status, append(line, '\n'))
	case w.post.takes.stream:
		w.begin()
		w.event(line)
	default:
		w.deliver(append(line, '\n'))
	}
}
