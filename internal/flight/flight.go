// Package flight does a piece of work once for all who wait for it.
package flight

import (
	"context"
	"sync"
	"time"

	"mcp-partner/schemas/problems"
)

// Group runs work at most once at a time for each key. Callers that arrive
// while it runs wait for its outcome, each within its own context. The work
// continues when waiters leave: its result serves the next caller.
type Group[K comparable, V any] struct {
	// base ends all work when the program ends; limit bounds each piece of it.
	base    context.Context
	limit   time.Duration
	mu      sync.Mutex
	calls   map[K]*call[V]
	Running sync.WaitGroup
}

// call is one piece of work, and its outcome once done is closed.
type call[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// New makes a group whose work ends with base and takes at most limit.
func New[K comparable, V any](base context.Context, limit time.Duration) *Group[K, V] {
	return &Group[K, V]{base: base, limit: limit, calls: map[K]*call[V]{}}
}

// Do returns the outcome of the work for a key. The error of a context comes
// as it is.
func (f *Group[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	if err := ctx.Err(); err != nil {
		var none V
		return none, err
	}
	return f.Start(ctx, key, work).wait(ctx)
}

// wait returns the outcome, for as long as ctx lasts.
func (c *call[V]) wait(ctx context.Context) (V, error) {
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// Start begins the work for a key, or returns that which is under way.
func (f *Group[K, V]) Start(ctx context.Context, key K, work func(context.Context) (V, error)) *call[V] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.calls[key]; ok {
		return c
	}
	c := &call[V]{done: make(chan struct{})}
	f.calls[key] = c
	f.Running.Add(1)
	go f.run(ctx, key, c, work)
	return c
}

func (f *Group[K, V]) run(ctx context.Context, key K, c *call[V], work func(context.Context) (V, error)) {
	defer f.Running.Done()
	// The values of the first caller's context (tracing) stay, its end does not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.limit)
	defer cancel()
	defer context.AfterFunc(f.base, cancel)()
	defer f.finish(key, c)
	c.value, c.err = work(ctx)
}

// finish also runs when the work panics, so that no waiter is left behind and
// one bad answer does not end the program.
func (f *Group[K, V]) finish(key K, c *call[V]) {
	if recover() != nil {
		c.err = problems.New(problems.CodeInternal, "What the call waited for failed for an unknown reason.")
	}
	f.mu.Lock()
	delete(f.calls, key)
	f.mu.Unlock()
	close(c.done)
}

// Wait returns what a work comes to that knows no context, for as long as ctx
// lasts. A work that nobody waits for any more ends with the process.
func Wait[V any](ctx context.Context, work func() (V, error)) (V, error) {
	c := &call[V]{done: make(chan struct{})}
	go func() {
		c.value, c.err = work()
		close(c.done)
	}()
	return c.wait(ctx)
}

// Latest asks one question for many at once. One asking is under way at a time;
// callers that come meanwhile share the next one, so that no answer is older than
// its call.
type Latest[T any] struct {
	ask func(context.Context) (T, error)

	mu     sync.Mutex
	asking bool
	next   *call[T]
}

// NewLatest asks nothing yet.
func NewLatest[T any](ask func(context.Context) (T, error)) *Latest[T] {
	return &Latest[T]{ask: ask}
}

// Get returns an answer that was asked for after the call. One that is shared is
// not cut short when one of its callers leaves.
func (l *Latest[T]) Get(ctx context.Context) (T, error) {
	l.mu.Lock()
	if !l.asking {
		l.asking = true
		l.mu.Unlock()
		defer l.goOn()
		return l.ask(context.WithoutCancel(ctx))
	}
	if l.next == nil {
		l.next = &call[T]{done: make(chan struct{})}
	}
	shared := l.next
	l.mu.Unlock()
	return shared.wait(ctx)
}

// goOn asks for those who came meanwhile, if there are any.
func (l *Latest[T]) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	shared := l.next
	l.next = nil
	if l.asking = shared != nil; !l.asking {
		return
	}
	go func() {
		defer l.goOn()
		shared.value, shared.err = l.ask(context.Background())
		close(shared.done)
	}()
}
