package server

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

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
