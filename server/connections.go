package server

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

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
	waiting *list.List
	open    map[net.Conn]*connection
}

// connection is an open one. The mutex of connections guards it, except for turns.
type connection struct {
	conn net.Conn
	// at is the place among those that wait; nil while handlers are at work.
	at      *list.Element
	working int
	// known is set once a request of it was authenticated.
	known bool
	// turns are taken by requests before that, over HTTP/2.
	turns *semaphore.Weighted
}

func newConnections(most int) *connections {
	return &connections{most: most, queue: semaphore.NewWeighted(waitingUnauthenticated), waiting: list.New(), open: map[net.Conn]*connection{}}
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
	added.at = c.waiting.PushBack(added)
	c.open[conn] = added
	if len(c.open) <= c.most {
		return nil
	}
	longest := c.waiting.Remove(c.waiting.Front()).(*connection)
	longest.at = nil
	delete(c.open, longest.conn)
	return longest.conn
}

func (c *connections) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gone := c.open[conn]; gone != nil && gone.at != nil {
		c.waiting.Remove(gone.at)
	}
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
	if on.working++; on.at != nil {
		c.waiting.Remove(on.at)
		on.at = nil
	}
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
		v.on.at = v.all.waiting.PushBack(v.on)
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
