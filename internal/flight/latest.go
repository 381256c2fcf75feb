package flight

import (
	"context"
	"sync"
)

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
