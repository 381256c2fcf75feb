package server

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections are open. When one too many comes,
// the one that has waited longest without a request is closed for it: who only
// holds connections open pushes out his own, and nobody is kept out. Where all
// have requests under way, the new one is closed.
type connections struct {
	most int

	mu sync.Mutex
	// waiting are the connections without a request, longest first.
	waiting *list.List
	open    map[net.Conn]*list.Element // nil for one with a request
}

func newConnections(most int) *connections {
	return &connections{most: most, waiting: list.New(), open: map[net.Conn]*list.Element{}}
}

// watch is http.Server's ConnState.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	if surplus := c.note(conn, state); surplus != nil {
		_ = bare(surplus).Close() // net/http notices, and forgets it
	}
}

// note keeps the books and returns the connection that has to go, if one does.
func (c *connections) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open[conn] = c.waiting.PushBack(conn)
		return c.surplus()
	case http.StateIdle:
		if at, known := c.open[conn]; known && at == nil {
			c.open[conn] = c.waiting.PushBack(conn)
		}
	case http.StateActive:
		c.stopWaiting(conn)
	case http.StateClosed, http.StateHijacked:
		c.stopWaiting(conn)
		delete(c.open, conn)
	}
	return nil
}

type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// answering counts a connection as waiting once its request has been answered:
// net/http still calls it active while the rest of a body has not come that nobody
// reads. Over HTTP/2 other requests may be under way.
func (c *connections) answering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if conn, ok := r.Context().Value(connectionKey{}).(net.Conn); ok && r.ProtoMajor == 1 {
			c.note(conn, http.StateIdle)
		}
	})
}

func (c *connections) stopWaiting(conn net.Conn) {
	if at := c.open[conn]; at != nil {
		c.waiting.Remove(at)
		c.open[conn] = nil
	}
}

func (c *connections) surplus() net.Conn {
	if len(c.open) <= c.most {
		return nil
	}
	longest := c.waiting.Front()
	c.waiting.Remove(longest)
	conn := longest.Value.(net.Conn)
	delete(c.open, conn)
	return conn
}

// bare is the connection under TLS: to end that politely could take as long as
// the other side likes.
func bare(conn net.Conn) net.Conn {
	if under, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return under.NetConn()
	}
	return conn
}
