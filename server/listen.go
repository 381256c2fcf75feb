package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"

	"mcp-partner/internal/untrusted"
)

// ServeMonitor serves health and metrics on a listener of its own until ctx is
// cancelled or l fails. Of the options only Health, Metrics, Hosts and TLS count;
// addresses and localhost are allowed beside the hosts. It closes l.
func (s *Server) ServeMonitor(ctx context.Context, l net.Listener, o HTTPOptions) error {
	t := s.newMonitor(ctx, o)
	hs := s.httpServer(http.HandlerFunc(t.serveMonitor), t.opts)
	hs.WriteTimeout, hs.ReadTimeout = writeLimit, t.opts.BodyLimit
	if err := serve(ctx, hs, l); err != nil {
		return fmt.Errorf("serve health and metrics: %w", err)
	}
	return hs.Close()
}

func (s *Server) newMonitor(ctx context.Context, o HTTPOptions) *httpTransport {
	o.MaxConnections, o.Hosts = monitorConnections, append([]string{"localhost"}, o.Hosts...)
	return s.newHTTPTransport(ctx, o.withDefaults())
}

// monitorConnections is plenty for those who watch over one process.
const monitorConnections = 64

const (
	// maxStreams is how many requests of one HTTP/2 connection are handled at once.
	maxStreams = 100
	// pingInterval is after how long a silent HTTP/2 connection is asked whether
	// anybody is there.
	pingInterval = time.Minute
)

// ServeListener serves HTTP on l until ctx is cancelled or l fails. Then it
// takes no more requests, ends subscription streams, lets calls end within
// drainLimit and closes what is left. It returns nil after a cancelled context
// if every call ended in time. It closes l.
func (s *Server) ServeListener(ctx context.Context, l net.Listener, o HTTPOptions) error {
	o = o.withDefaults()
	stopping, stop := context.WithCancel(context.Background())
	defer stop()
	hs := s.httpServer(s.newHTTPTransport(stopping, o), o)
	if err := serve(ctx, hs, l); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	stop()
	o.Health.stop()
	return drainHTTP(hs)
}

func (s *Server) httpServer(h http.Handler, o HTTPOptions) *http.Server {
	open := newConnections(o.MaxConnections)
	return &http.Server{
		Handler:           open.counting(impatient(h)),
		ReadHeaderTimeout: o.HeaderLimit,
		IdleTimeout:       o.IdleLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         o.TLS,
		HTTP2:             http2Limits(),
		ConnState:         open.watch,
		ConnContext:       withConnection,
		ErrorLog:          log.New(connectionLog{s.log}, "", 0),
	}
}

// http2Limits bound what one connection can hold, and end one that takes nothing
// or is gone.
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerConnection: 64 << 10, // the least that HTTP/2 has
		MaxReceiveBufferPerStream:     64 << 10,
		SendPingTimeout:               pingInterval,
		PingTimeout:                   writeLimit,
		WriteByteTimeout:              writeLimit,
	}
}

// impatient keeps net/http from waiting for clients for as long as they like.
// After the handler has returned it would wait for the rest of a body that nobody
// reads, such as that of a request which is refused, and for a client that takes
// no answer, and nobody could push such a connection out of its place. A
// handler that reads a body or writes a long answer sets its own deadline.
func impatient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without a body the deadline would end the call; over HTTP/2 nobody waits
		// for one, and a deadline that has passed cannot be moved.
		if r.ContentLength != 0 && r.ProtoMajor == 1 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerLimit))
		}
		defer beginAnswer(w, r)
		h.ServeHTTP(w, r)
	})
}

// beginAnswer bounds how long an answer may take to go out. Before a call has
// ended it would be too early: over HTTP/2 the deadline ends the call. From here
// on the connection counts as waiting.
func beginAnswer(w http.ResponseWriter, r *http.Request) {
	visitOf(r).rest()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit)) // in-memory writers have none
}

// serve returns nil when ctx is cancelled, or why l failed before.
func serve(ctx context.Context, hs *http.Server, l net.Listener) error {
	listen := hs.Serve
	if hs.TLSConfig != nil {
		listen = func(l net.Listener) error { return hs.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- listen(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// connectionLog gets what net/http says about connections. That a client broke off
// is of no interest; that none can be taken any more is.
type connectionLog struct{ log *slog.Logger }

func (f connectionLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(line, []byte("http: Accept error")) {
		level = slog.LevelError
	}
	f.log.Log(context.Background(), level, "connection error", "reason", untrusted.Sanitize(string(line)))
	return len(line), nil
}

func drainHTTP(hs *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err := hs.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("calls were still running after %s and were canceled", drainLimit), hs.Close())
	}
	return err
}

const (
	// unauthenticatedStreams is how many requests of one HTTP/2 connection are handled at
	// once before the first of them has been authenticated.
	unauthenticatedStreams = 8
	// waitingUnauthenticated is how many more wait for their turn, on all connections
	// together, and turnPatience is how long.
	waitingUnauthenticated = 1024
	turnPatience           = 2 * time.Second
	// unauthenticatedWriteLimit is how long an answer without authentication may take to
	// go out over HTTP/2.
	unauthenticatedWriteLimit = 5 * time.Second
)

// connections bounds how many connections are open. When one too many comes,
// the one that has waited longest is closed for it: a client that only holds
// connections open pushes out its own. A connection waits unless a handler is
// working on a request of it, whatever net/http and the protocol call its state.
// Where all are at work, the new one is closed.
type connections struct {
	most int
	// queue are the places to wait for a turn.
	queue *semaphore.Weighted

	mu sync.Mutex
	// waiting are the idle connections, longest first.
	waiting *simplelru.LRU[*connection, struct{}]
	open    map[net.Conn]*connection
}

// connection is an open one. The mutex of connections guards it, except for turns.
type connection struct {
	conn net.Conn
	// working is how many handlers are at work.
	working int
	// known is set once a request of it was authenticated.
	known bool
	// turns are taken by requests before that, over HTTP/2.
	turns *semaphore.Weighted
}

func newConnections(most int) *connections {
	waiting, _ := simplelru.NewLRU[*connection, struct{}](most+1, nil) // fails for a size below 1 alone
	return &connections{most: most, queue: semaphore.NewWeighted(waitingUnauthenticated), waiting: waiting, open: map[net.Conn]*connection{}}
}

// watch is http.Server's ConnState.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if surplus := c.add(conn); surplus != nil {
			_ = withoutTLS(surplus).Close() // net/http notices, and forgets it
		}
	case http.StateClosed, http.StateHijacked:
		c.remove(conn)
	}
}

// add returns the connection that has to go, if one does.
func (c *connections) add(conn net.Conn) (surplus net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	added := &connection{conn: conn, turns: semaphore.NewWeighted(unauthenticatedStreams)}
	c.waiting.Add(added, struct{}{})
	c.open[conn] = added
	if len(c.open) <= c.most {
		return nil
	}
	longest, _, _ := c.waiting.RemoveOldest() // the new one waits at least
	delete(c.open, longest.conn)
	return longest.conn
}

func (c *connections) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting.Remove(c.open[conn])
	delete(c.open, conn)
}

// visit is one request on a connection.
type visit struct {
	all *connections
	on  *connection
	// working and turn are set while the request counts as work and takes a turn.
	working, turn bool
}

type (
	connectionKey struct{}
	visitKey      struct{}
)

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// visitOf is nil where no connection is counted.
func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	return v
}

// enter counts a request as work on its connection.
func (c *connections) enter(r *http.Request) *visit {
	conn, _ := r.Context().Value(connectionKey{}).(net.Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	on := c.open[conn]
	if on == nil {
		return nil // it has just been closed
	}
	on.working++
	c.waiting.Remove(on)
	return &visit{all: c, on: on, working: true}
}

// rest no longer counts the request as work: the remainder is the client's.
func (v *visit) rest() {
	if v == nil {
		return
	}
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	if !v.working {
		return
	}
	v.working = false
	if v.on.working--; v.on.working == 0 && v.all.open[v.on.conn] == v.on {
		v.all.waiting.Add(v.on, struct{}{})
	}
}

// admit waits for a slot while no caller has been authenticated on the
// connection; false means that there is none. Over HTTP/1 there is one request
// at a time.
func (v *visit) admit(r *http.Request) bool {
	if v == nil || r.ProtoMajor < 2 || v.isKnown() {
		return true
	}
	v.turn = v.on.turns.TryAcquire(1) || v.await(r.Context())
	return v.turn || v.isKnown()
}

func (v *visit) await(ctx context.Context) bool {
	if !v.all.queue.TryAcquire(1) {
		return false
	}
	defer v.all.queue.Release(1)
	ctx, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	return v.on.turns.Acquire(ctx, 1) == nil
}

func (v *visit) isKnown() bool {
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	return v.on.known
}

// authenticated lifts the bound of queue from the connection.
func (v *visit) authenticated() {
	if v == nil {
		return
	}
	v.all.mu.Lock()
	v.on.known = true
	v.all.mu.Unlock()
	v.endTurn()
}

func (v *visit) endTurn() {
	if v.turn {
		v.turn = false
		v.on.turns.Release(1)
	}
}

// counting keeps account of the requests of each connection. A request whose
// handler has returned, or waits for its client to take an answer, is no work.
func (c *connections) counting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := c.enter(r)
		defer v.rest()
		if !v.admit(r) {
			panic(http.ErrAbortHandler) // resets the stream: an answer could wait for a window
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
		if v != nil && v.turn {
			v.rest()
			v.send(w)
		}
	})
}

// send waits until the client has taken an answer, so that one which takes none
// gets no further turns.
func (v *visit) send(w http.ResponseWriter) {
	defer v.endTurn()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(unauthenticatedWriteLimit))
	_ = control.Flush() // a client that left needs no answer
}

// withoutTLS is the connection under TLS: to end that politely could take as long
// as the other side likes.
func withoutTLS(conn net.Conn) net.Conn {
	if under, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return under.NetConn()
	}
	return conn
}
