package server

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// endpoint is a connection that remembers whether it was closed.
type endpoint struct {
	net.Conn
	closed bool
}

func (e *endpoint) Close() error {
	e.closed = true
	return nil
}

func requestOn(conn net.Conn) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
	return r.WithContext(withConnection(context.Background(), conn))
}

func TestLongestWaitingConnectionMakesRoom(t *testing.T) {
	t.Parallel()
	c := newConnections(3)
	conns := make([]*endpoint, 6)
	for i := range conns {
		conns[i] = &endpoint{}
	}
	open := func(i int) { c.watch(conns[i], http.StateNew) }
	open(0)
	open(1)
	first := c.enter(requestOn(conns[0]))
	second := c.enter(requestOn(conns[0]))
	open(2)
	open(3) // 0 is at work, so 1 has waited longest
	c.watch(conns[1], http.StateClosed)
	first.rest()
	first.rest()  // counts once
	second.rest() // only now 0 begins to wait anew
	open(4)       // 2 has waited longest
	c.watch(conns[2], http.StateClosed)
	for i, want := range []bool{false, true, true, false, false} {
		if conns[i].closed != want {
			t.Errorf("connection %d: closed is %v", i, conns[i].closed)
		}
	}
	for _, i := range []int{0, 3, 4} {
		c.watch(conns[i], http.StateActive)
		c.enter(requestOn(conns[i]))
	}
	open(5)
	if !conns[5].closed || conns[0].closed {
		t.Error("where all are at work, the new one is closed")
	}
	for _, i := range []int{0, 3, 4, 5} {
		c.watch(conns[i], http.StateClosed)
	}
	if len(c.open) != 0 || c.waiting.Len() != 0 {
		t.Errorf("%d open and %d waiting are left", len(c.open), c.waiting.Len())
	}
}

// What net/http calls active need not be at work: bytes of a request have come,
// or an answer waits for its client.
func TestActiveConnectionWithoutHandlerWaits(t *testing.T) {
	t.Parallel()
	c := newConnections(1)
	stuck, next := &endpoint{}, &endpoint{}
	c.watch(stuck, http.StateNew)
	c.watch(stuck, http.StateActive)
	c.watch(next, http.StateNew)
	if !stuck.closed || next.closed {
		t.Errorf("closed: the stuck one %v, the new one %v", stuck.closed, next.closed)
	}
	late := c.enter(requestOn(stuck)) // its request comes after it was pushed out
	late.rest()
	if c.waiting.Len() != 1 {
		t.Errorf("%d wait", c.waiting.Len())
	}
}
