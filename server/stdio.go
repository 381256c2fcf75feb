package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/sync/semaphore"

	"mcp-partner/access"
	"mcp-partner/tools"
)

const (
	// maxFrame is the longest line that is accepted, in bytes.
	maxFrame = 4 << 20
	// maxRunning is how many requests of a connection run at once. One that waits for
	// a person does not count. Further ones wait.
	maxRunning = 64
	// drainLimit is how long calls may take to end after the input has ended or the
	// context was cancelled, and cancelGrace how long those that were cut off may take
	// to say so.
	drainLimit  = 30 * time.Second
	cancelGrace = time.Second
)

type stdioConn struct {
	server *Server
	caller access.Principal
	frames int // the longest line, maxFrame
	id     string
	base   context.Context
	peer   *peer
	level  callerLevel
	whole  *session // gets what is broadcast to older clients
	out    *lineWriter
	calls  *calls
	asks   *asks
	slots  *semaphore.Weighted
}

// ServeStdio serves newline-delimited JSON-RPC to the caller who started the process
// until in ends, ctx is cancelled or out fails. Then it takes nothing new in, answers
// every request that was read, within drainLimit, and returns: nil at the end of the
// input and after a cancelled context, else what broke. It may return while a Read of
// in is under way; that Read's data is dropped.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer, caller access.Principal) error {
	return s.newStdioConn(context.WithoutCancel(ctx), out, caller).serve(ctx, in)
}

func (c *stdioConn) serve(ctx context.Context, in io.Reader) error {
	if err := c.server.mcp.RegisterSession(c.base, c.whole); err != nil {
		return fmt.Errorf("stdio session: %w", err)
	}
	defer c.close()
	ended := make(chan error, 1)
	go func() { ended <- c.read(in) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	case <-c.out.broken:
	}
	c.drain()
	return errors.Join(err, c.out.failure())
}

func (c *stdioConn) close() {
	c.server.mcp.UnregisterSession(c.base, c.id)
	c.whole.flush()
	c.out.shut.Store(true)
}

func (s *Server) newStdioConn(base context.Context, out io.Writer, caller access.Principal) *stdioConn {
	c := &stdioConn{
		server: s,
		caller: caller,
		frames: maxFrame,
		id:     fmt.Sprintf("stdio-%d", s.conns.Add(1)),
		base:   base,
		peer:   &peer{},
		level:  callerLevel{cache: newLevelCache()},
		out:    &lineWriter{out: out, broken: make(chan struct{})},
		calls:  &calls{all: map[*call]struct{}{}, byKey: map[string]*call{}, drained: make(chan struct{})},
		slots:  semaphore.NewWeighted(maxRunning),
	}
	c.asks = newAsks(c.out)
	c.whole = &session{id: c.id, peer: c.peer, level: c.level, emit: c.broadcast}
	return c
}

func (c *stdioConn) broadcast(method string, params any) error {
	return c.out.notify(method, params, c.level.get())
}

// read takes frames in until the input ends. It waits for no handler, so that
// cancellations and answers to our questions always get through.
func (c *stdioConn) read(in io.Reader) error {
	frames := &frameReader{in: bufio.NewReaderSize(in, 64<<10), limit: c.frames}
	for {
		frame, err := frames.next()
		switch {
		case errors.Is(err, errFrameTooLong):
			c.refuse(invalidRequest(fmt.Sprintf("The message is longer than %d bytes, which is the limit, and was dropped. Send less at once.", c.frames)))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read from the client: %w", err)
		default:
			c.take(frame)
		}
	}
}

func (c *stdioConn) refuse(f *rpcError) { _ = c.out.write(f.encode()) }

func (c *stdioConn) take(frame []byte) {
	if len(bytes.Trim(frame, " \t\r")) == 0 {
		return
	}
	m, f := parseMessage(frame)
	if f != nil {
		c.refuse(f)
		return
	}
	switch {
	case m.kind == kindResponse:
		if !c.asks.deliver(m) {
			c.server.log.Warn("dropped a response that answers no request", "connection", c.id)
		}
	case m.isCancel():
		c.takeCancel(m)
	default:
		c.start(m)
	}
}

// takeCancel drops a cancellation that could mean two requests; the protocol
// has no answer to one.
func (c *stdioConn) takeCancel(m *message) {
	if f := checkMembers(m); f != nil {
		c.server.log.Warn("dropped a cancellation that cannot be read", "connection", c.id, "reason", f.text)
		return
	}
	c.calls.cancel(m)
}

// start runs a message on a goroutine of its own. What the messages after it
// depend on, the handshake and the log level, is done on the spot; no handler
// of ours stands behind these.
func (c *stdioConn) start(m *message) {
	k := c.newCall(m)
	if f := c.calls.add(k); f != nil {
		k.cancel(errStopping)
		if m.kind == kindRequest {
			c.refuse(f)
		}
		return
	}
	switch {
	case m.method == string(mcp.MethodInitialize), m.method == string(mcp.MethodSetLogLevel):
		c.finish(k, &slot{})
	case m.isListen():
		go c.finish(k, &slot{})
	default:
		go c.finish(k, &slot{all: c.slots})
	}
}

func (c *stdioConn) newCall(m *message) *call {
	k := &call{message: m, conn: c}
	if m.kind == kindRequest {
		k.key = idKey(m.id)
	}
	ctx, cancel := context.WithCancelCause(c.base)
	k.cancel = cancel
	k.ctx = c.server.facts(ctx, tools.Request{Principal: c.caller, Notifier: k}, m, nil)
	return k
}

func (c *stdioConn) finish(k *call, place *slot) {
	defer c.calls.remove(k)
	defer k.cancel(nil)
	if f := checkParams(k.message); f != nil {
		k.answer(f.encode())
		return
	}
	if !place.take(k.ctx) {
		k.answer(stopped(k.message).encode())
		return
	}
	defer place.leave()
	line, failure := c.server.handle(k.ctx, k.message, c.sessionFor(k, place))
	if failure != nil {
		line = failure.encode()
	}
	k.answer(line)
}

// stopped answers a request that was cut off when the server stopped.
func stopped(m *message) *rpcError {
	return busy("The server stopped before " + clip(m.method) +
		" had ended. Check the state before repeating a call that writes.").withID(m.id)
}

// drain ends the connection: nothing new, no open questions, and an answer to
// every request, if need be that it was cut off.
func (c *stdioConn) drain() {
	c.calls.close()
	c.asks.close()
	if c.out.failure() != nil {
		c.calls.cancelAll() // nobody is left to answer, but writes under way end well
	}
	if !within(drainLimit, c.calls.drained) {
		c.cutOff(c.calls.cancelAll())
	}
}

// cutOff answers for calls that do not end, without waiting for output that
// hangs.
func (c *stdioConn) cutOff(left []*call) {
	if within(cancelGrace, c.calls.drained) {
		return
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		for _, k := range left {
			k.answer(stopped(k.message).encode())
		}
	}()
	within(cancelGrace, said)
}

func within(limit time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// lineWriter writes whole lines, one at a time. After the first error it
// writes no more: half a line cannot be taken back.
type lineWriter struct {
	mu     sync.Mutex
	out    io.Writer
	err    error
	broken chan struct{}
	// shut is set when the connection is over; what comes later is dropped.
	shut atomic.Bool
}

// write appends the line end, in the same Write call. It owns line.
func (w *lineWriter) write(line []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.shut.Load() {
		return w.err
	}
	if _, err := w.out.Write(append(line, '\n')); err != nil {
		w.err = fmt.Errorf("write to the client: %w", err)
		close(w.broken)
	}
	return w.err
}

// notify writes a notification, unless it is a log message below the level.
func (w *lineWriter) notify(method string, params any, level mcp.LoggingLevel) error {
	line, err := encodeNotification(method, params, level)
	if err != nil || line == nil {
		return err
	}
	return w.write(line)
}

// failure is the error that broke the output, if one did. It does not wait for
// a write that hangs.
func (w *lineWriter) failure() error {
	select {
	case <-w.broken:
		return w.err // not written again
	default:
		return nil
	}
}

// errFrameTooLong means that a line was longer than the limit. It has been
// read to its end and thrown away; the next line can be read.
var errFrameTooLong = errors.New("frame too long")

// frameReader cuts a stream into lines without holding more than limit bytes
// of one.
type frameReader struct {
	in    *bufio.Reader
	limit int
}

// next returns the next line without its line end, in memory of its own. The
// last line may lack a line end. At the end of the stream the error is io.EOF.
func (r *frameReader) next() ([]byte, error) {
	var frame []byte
	tooLong := false
	for {
		part, err := r.in.ReadSlice('\n')
		if tooLong = tooLong || len(frame)+len(bytes.TrimRight(part, "\r\n")) > r.limit; !tooLong {
			frame = append(frame, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && err != io.EOF:
			return nil, err
		case tooLong:
			return nil, errFrameTooLong
		case err == io.EOF && len(frame) == 0:
			return nil, io.EOF
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(frame, []byte("\n")), []byte("\r")), nil
	}
}
