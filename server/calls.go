package server

import (
	"context"
	"errors"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/sync/semaphore"
)

const (
	// maxPending and maxPendingBytes bound what waits on one connection. They
	// are far beyond what a client sends by itself; a pipe may reach them.
	maxPending      = 8192
	maxPendingBytes = 64 << 20
)

var (
	errCancelled = errors.New("cancelled by the client")
	errStopping  = errors.New("the server is stopping")
)

// call is one message on its way through the server.
type call struct {
	message *message
	key     string // "" for a notification
	ctx     context.Context
	cancel  context.CancelCauseFunc
	conn    *stdioConn

	mu       sync.Mutex
	answered bool
}

// Notify implements tools.Notifier. The lock keeps it ahead of the answer.
func (c *call) Notify(method string, params any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered {
		return errAnswered
	}
	return c.conn.out.notify(method, params, askedLevel(c.message, c.conn.level))
}

// answer writes the response, once. A call that the client cancelled gets
// none, as the protocol wants. The ID is free before the client can see the
// answer, because it may use it again at once.
func (c *call) answer(line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered {
		return
	}
	c.answered = true
	c.conn.calls.forget(c)
	if c.key != "" && !errors.Is(context.Cause(c.ctx), errCancelled) {
		_ = c.conn.out.write(line) // the loop watches out for broken output
	}
}

// calls are the messages being handled on one connection.
type calls struct {
	mu      sync.Mutex
	all     map[*call]struct{}
	byKey   map[string]*call
	bytes   int
	closed  bool
	drained chan struct{} // closed when closed and empty
}

func (c *calls) add(k *call) *rpcError {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return busy("The server is stopping. Send the request to a new one.").withID(k.message.id)
	case len(c.all) >= maxPending || c.bytes+len(k.message.raw) > maxPendingBytes && len(c.all) > 0:
		return busy("Too many requests are waiting. Wait for some answers, then send this one again.").withID(k.message.id)
	case k.key != "" && c.byKey[k.key] != nil:
		// An answer with this ID would be taken for the first request's.
		return invalidRequest("A request with the ID " + clip(string(k.message.id)) +
			" is still being handled. Use each ID once. The first request continues.")
	}
	c.all[k] = struct{}{}
	c.bytes += len(k.message.raw)
	if k.key != "" {
		c.byKey[k.key] = k
	}
	return nil
}

func (c *calls) forget(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[k.key] == k {
		delete(c.byKey, k.key)
	}
}

func (c *calls) remove(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, k)
	c.bytes -= len(k.message.raw)
	c.signal()
}

func (c *calls) signal() {
	if c.closed && len(c.all) == 0 {
		close(c.drained)
	}
}

// cancel ends the call that a notifications/cancelled names, if it is there.
func (c *calls) cancel(m *message) {
	id, ok := m.given["requestId"]
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.byKey[idKey(id)]; k != nil && k.key != "" {
		k.cancel(errCancelled)
	}
}

// close takes no more calls in. Listening streams end, because nothing else
// would end them; other calls go on.
func (c *calls) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	for k := range c.all {
		if k.message.isListen() {
			k.cancel(errStopping)
		}
	}
	c.signal()
}

func (c *calls) cancelAll() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := make([]*call, 0, len(c.all))
	for k := range c.all {
		k.cancel(errStopping)
		left = append(left, k)
	}
	return left
}

// slot is a running call's slot of the connection's semaphore. A nil all
// means that the call needs none.
type slot struct {
	all *semaphore.Weighted

	mu     sync.Mutex
	held   bool
	asking int
}

// take waits for a share; false means that the call ended before it got one.
func (s *slot) take(ctx context.Context) bool {
	if s.all == nil {
		return true
	}
	if s.all.Acquire(ctx, 1) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
	return true
}

func (s *slot) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
}

func (s *slot) release() {
	if s.held {
		s.held = false
		s.all.Release(1)
	}
}

// whileAsking gives the share back as long as a person is asked: open
// questions must not keep other calls from running.
func (s *slot) whileAsking(ask asker) asker {
	return func(ctx context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
		s.mu.Lock()
		s.asking++
		s.release()
		s.mu.Unlock()
		result, err := ask(ctx, r)
		s.mu.Lock()
		s.asking--
		last := s.asking == 0
		s.mu.Unlock()
		if last {
			s.take(ctx) // a call that ended meanwhile gets none and only returns
		}
		return result, err
	}
}
