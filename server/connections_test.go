package server

import (
	"net"
	"net/http"
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

func TestTheLongestWaitingConnectionMakesRoom(t *testing.T) {
	t.Parallel()
	c := newConnections(3)
	conns := make([]*endpoint, 6)
	for i := range conns {
		conns[i] = &endpoint{}
	}
	open := func(i int) { c.watch(conns[i], http.StateNew) }
	open(0)
	open(1)
	c.watch(conns[0], http.StateActive)
	open(2)
	open(3) // 0 works, so 1 has waited longest
	c.watch(conns[1], http.StateClosed)
	c.watch(conns[0], http.StateIdle)
	open(4) // 0 has begun to wait anew, so it is 2
	c.watch(conns[2], http.StateClosed)
	for i, want := range []bool{false, true, true, false, false} {
		if conns[i].closed != want {
			t.Errorf("connection %d: closed is %v", i, conns[i].closed)
		}
	}
	for _, i := range []int{0, 3, 4} {
		c.watch(conns[i], http.StateActive)
	}
	open(5)
	if !conns[5].closed || conns[0].closed {
		t.Error("where all work, it is the new one that goes")
	}
	for _, i := range []int{0, 3, 4, 5} {
		c.watch(conns[i], http.StateClosed)
	}
	if len(c.open) != 0 || c.waiting.Len() != 0 {
		t.Errorf("%d open and %d waiting are left", len(c.open), c.waiting.Len())
	}
}
