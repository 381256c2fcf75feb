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
)

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
