package server

import (
	"bytes"
	"errors"
	"maps"
	"mime"
	"net/http"
	"sync"
	"time"
)

// exchangeWriter is the response to one POST. It holds mcp-go's answer back
// until the handler has returned: if the handler notified meanwhile, the
// response is an event stream whose last event is the answer, else it is the
// answer as JSON. So every notification is on its own call's stream and ahead
// of the answer.
type exchangeWriter struct {
	post    *post
	level   callerLevel
	control *http.ResponseController

	mu       sync.Mutex
	out      http.ResponseWriter
	header   http.Header // what mcp-go sets
	status   int
	body     bytes.Buffer
	open     bool // headers are sent: of an event stream, or of JSON that is not there yet
	relay    bool // mcp-go streams by itself
	finished bool
	err      error
	// beat sends the next comment; nil where there are none.
	beat *time.Timer
}

func newExchangeWriter(out http.ResponseWriter, p *post, l callerLevel) *exchangeWriter {
	return &exchangeWriter{post: p, level: l, control: http.NewResponseController(out), out: out, header: http.Header{}}
}

func (w *exchangeWriter) Header() http.Header { return w.header }

func (w *exchangeWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
	if kind, _, _ := mime.ParseMediaType(w.header.Get("Content-Type")); kind == eventStream {
		w.relay = true
		w.begin()
	}
}

func (w *exchangeWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.relay {
		return w.body.Write(p)
	}
	w.send(p)
	return len(p), w.err
}

// Flush is there because mcp-go streams only where it can flush.
func (w *exchangeWriter) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		w.deliver(nil)
	}
}

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
// every interval: a comment, or to a client that takes JSON alone white space, which
// may stand before any JSON.
func (w *exchangeWriter) keepAlive(interval time.Duration) {
	if w.post.message.kind != kindRequest {
		return
	}
	w.mu.Lock() // the timer may be faster than this
	defer w.mu.Unlock()
	w.beat = time.AfterFunc(min(firstKeepAlive, interval), func() { w.comment(interval) })
}

func (w *exchangeWriter) comment(interval time.Duration) {
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
	w.beat.Reset(interval)
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
	w.deliver(append(append([]byte("event: message\ndata: "), bytes.TrimRight(data, "\n")...), "\n\n"...))
}

// deliver writes what is whole, and lets the client have it at once.
func (w *exchangeWriter) deliver(p []byte) {
	w.send(p)
	if w.err == nil {
		w.err = w.control.Flush()
	}
	if errors.Is(w.err, http.ErrNotSupported) {
		w.err = nil // an in-memory writer has nothing to flush
	}
	w.liftDeadline()
}

func (w *exchangeWriter) send(p []byte) {
	if w.err == nil {
		w.extendDeadline()
		_, w.err = w.out.Write(p)
	}
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

// finish sends the answer, with our error in place of mcp-go's where there is
// one. It is called once, after the handler has returned.
func (w *exchangeWriter) finish(f *rpcError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	if w.beat != nil {
		w.beat.Stop()
	}
	if f != nil && !w.relay {
		w.replace(f)
	}
	if !w.post.takes.json && w.status == http.StatusOK && w.body.Len() > 0 {
		w.begin()
	}
	switch {
	case w.relay:
	case !w.open:
		w.plain()
	case !w.post.takes.stream:
		w.deliver(w.body.Bytes())
	case w.body.Len() > 0:
		w.event(w.body.Bytes())
	}
}

func (w *exchangeWriter) replace(f *rpcError) {
	w.body.Reset()
	w.header.Set("Content-Type", "application/json")
	if w.post.message.kind == kindNotification {
		w.status = http.StatusAccepted
		return
	}
	w.body.Write(append(f.withID(w.post.message.id).encode(), '\n'))
	w.status = statusOf(f.code, w.post.modern)
}

func (w *exchangeWriter) plain() {
	maps.Copy(w.out.Header(), w.header)
	w.extendDeadline()
	if w.status != 0 {
		w.out.WriteHeader(w.status)
	}
	_, w.err = w.out.Write(w.body.Bytes())
}
