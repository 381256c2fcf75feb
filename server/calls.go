package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

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

// ErrClientGone means that the client disconnected before it answered a
// question.
var ErrClientGone = fmt.Errorf("the client went away before it answered: %w", context.Canceled)

// elicitLimit is how long a question to a person waits for its answer.
const elicitLimit = 2 * time.Minute

// asks are the questions to the client of one connection that wait for an
// answer.
type asks struct {
	prefix string
	out    *lineWriter

	mu      sync.Mutex
	next    int
	waiting map[string]chan *message
	// close fails all questions, now and later.
	closed context.Context
	close  context.CancelFunc
}

// newAsks makes IDs that no other request on the connection can have by
// chance.
func newAsks(out *lineWriter) *asks {
	a := &asks{prefix: "mcp-partner-" + rand.Text()[:8] + "-", out: out, waiting: map[string]chan *message{}}
	a.closed, a.close = context.WithCancel(context.Background())
	return a
}

// ask sends an elicitation/create and waits for its answer within elicitLimit.
func (a *asks) ask(ctx context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	ctx, cancel := context.WithTimeout(ctx, elicitLimit)
	defer cancel()
	id, answer := a.open()
	defer a.take(id)
	if err := a.send(id, r.Params); err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		return readAnswer(m)
	case <-a.closed.Done():
		return nil, ErrClientGone
	case <-ctx.Done():
		a.withdraw(id)
		return nil, fmt.Errorf("nobody answered: %w", context.Cause(ctx))
	}
}

func (a *asks) open() (string, chan *message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	id, answer := a.prefix+strconv.Itoa(a.next), make(chan *message, 1)
	a.waiting[id] = answer
	return id, answer
}

// take returns who waits for the answer to a question, who then waits no more.
func (a *asks) take(id string) (answer chan<- *message, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, ok = a.waiting[id]
	delete(a.waiting, id)
	return answer, ok
}

func (a *asks) send(id string, params mcp.ElicitationParams) error {
	if a.closed.Err() != nil {
		return ErrClientGone
	}
	line, err := json.Marshal(mcp.JSONRPCRequest{
		JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id), Params: params, Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)},
	})
	if err != nil {
		return fmt.Errorf("elicitation/create: %w", err)
	}
	return a.out.write(line)
}

func (a *asks) withdraw(id string) {
	params := map[string]string{"requestId": id, "reason": "the answer came too late"}
	_ = a.out.notify(string(mcp.MethodNotificationCancelled), params, "") // a courtesy
}

// deliver passes a response to its question. It returns false if there is none.
func (a *asks) deliver(m *message) bool {
	var id string
	if json.Unmarshal(m.id, &id) != nil {
		return false
	}
	answer, ok := a.take(id)
	if ok {
		answer <- m // has room for the one answer there can be
	}
	return ok
}

// readAnswer fails closed: what is not one of the three actions is no answer.
func readAnswer(m *message) (*mcp.ElicitationResult, error) {
	if m.failure != nil {
		return nil, errors.New("the client answered elicitation/create with an error")
	}
	if f := checkNames("result", "result", m.result, false); f != nil {
		return nil, errors.New("the client's answer to elicitation/create is ambiguous: " + f.text)
	}
	var result mcp.ElicitationResult
	if err := json.Unmarshal(m.result, &result); err != nil {
		return nil, errors.New("the client's answer to elicitation/create cannot be read")
	}
	switch result.Action {
	case mcp.ElicitationResponseActionAccept, mcp.ElicitationResponseActionDecline, mcp.ElicitationResponseActionCancel:
		return &result, nil
	}
	return nil, errors.New("the client's answer to elicitation/create has no known action")
}
