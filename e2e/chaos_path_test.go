//go:build !windows

package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// networkFault is what a network path does to what is sent through it.
type networkFault int

const (
	forwards networkFault = iota
	// delays holds each piece back for pathDelay.
	delays
	// swallows takes what is sent and delivers nothing, as a firewall that drops
	// packets does: neither end is told.
	swallows
	// cuts resets connections, and refuses new ones.
	cuts
)

const pathDelay = 10 * time.Millisecond

// networkPath is a TCP proxy between a replica and PostgreSQL.
type networkPath struct {
	listener net.Listener

	mu     sync.Mutex
	server string
	fault  networkFault
	// pairs are the open connections; true marks those that have lost data.
	pairs map[*pairOfConns]bool
	ended bool
}

type pairOfConns struct{ replica, server net.Conn }

func (p *pairOfConns) close() {
	_ = p.replica.Close()
	_ = p.server.Close()
}

func newNetworkPath(tb testing.TB, server string) *networkPath {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(tb, err)
	p := &networkPath{listener: listener, server: server, pairs: map[*pairOfConns]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	tb.Cleanup(func() {
		p.end()
		serving.Wait()
	})
	return p
}

func (p *networkPath) address() string { return p.listener.Addr().String() }

func (p *networkPath) serve(serving *sync.WaitGroup) {
	for {
		replica, err := p.listener.Accept()
		if err != nil {
			return
		}
		serving.Go(func() { p.connect(replica) })
	}
}

func (p *networkPath) connect(replica net.Conn) {
	server, err := net.Dial("tcp", p.leadsTo())
	if err != nil {
		_ = replica.Close()
		return
	}
	pair := &pairOfConns{replica, server}
	defer p.forget(pair)
	if !p.keep(pair) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(pair, server, replica) })
	both.Go(func() { p.forward(pair, replica, server) })
	both.Wait()
}

func (p *networkPath) leadsTo() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server
}

// lead makes the path lead to another server, without the connections there are.
func (p *networkPath) lead(server string) {
	p.mu.Lock()
	p.server = server
	p.mu.Unlock()
	p.set(cuts)
	p.set(forwards)
}

func (p *networkPath) keep(pair *pairOfConns) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.fault == cuts {
		return false
	}
	p.pairs[pair] = p.fault == swallows
	return true
}

func (p *networkPath) forget(pair *pairOfConns) {
	pair.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, pair)
}

// forward copies one direction, as far as the fault of the moment lets it.
func (p *networkPath) forward(pair *pairOfConns, to io.Writer, from io.Reader) {
	defer pair.close()
	for piece := make([]byte, 32<<10); ; {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		switch p.now(pair) {
		case swallows:
			continue
		case delays:
			time.Sleep(pathDelay) // this is the latency
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

func (p *networkPath) now(pair *pairOfConns) networkFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == swallows {
		p.pairs[pair] = true
	}
	return p.fault
}

// set begins a fault, or ends it. Connections that have lost data end then, because
// what follows would make no sense.
func (p *networkPath) set(fault networkFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pair, lost := range p.pairs {
		if fault == cuts || lost && fault != swallows {
			pair.close()
		}
	}
	p.fault = fault
}

func (p *networkPath) end() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for pair := range p.pairs {
		pair.close()
	}
}
