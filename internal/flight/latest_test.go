package flight

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A caller that arrives while a request is in flight shares the next one, which
// starts after it arrived.
func TestLatestSharesNextResultAmongWaiters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var asked atomic.Int64
		l := NewLatest(func(context.Context) (time.Duration, error) {
			asked.Add(1)
			at := time.Since(begun) // what is seen is as old as the beginning
			time.Sleep(time.Second)
			return at, nil
		})
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				time.Sleep(time.Duration(i) * 25 * time.Millisecond) // all within 2.5 s
				called := time.Since(begun)
				if at, err := l.Get(t.Context()); err != nil || at < called {
					t.Errorf("called after %s, answered with what was so after %s, %v", called, at, err)
				}
			})
		}
		callers.Wait()
		if n := asked.Load(); n != 4 {
			t.Errorf("asked %d times", n)
		}
		synctest.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.asking || l.next != nil {
			t.Error("something is left")
		}
	})
}

// A caller that leaves gets its own error and takes nothing from the others.
func TestLatestSurvivesCancelledCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLatest(func(ctx context.Context) (int, error) {
			time.Sleep(time.Second)
			return 1, ctx.Err()
		})
		go func() { _, _ = l.Get(t.Context()) }()
		synctest.Wait()
		leaving, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := l.Get(leaving); !errors.Is(err, context.Canceled) {
				t.Errorf("the one that left: %v", err)
			}
		})
		callers.Go(func() {
			if n, err := l.Get(t.Context()); n != 1 || err != nil {
				t.Errorf("the other: %d, %v", n, err)
			}
		})
		synctest.Wait()
		leave()
		callers.Wait()
	})
}

// A failure is the answer of those who share it, and is not kept.
func TestLatestForgetsFailure(t *testing.T) {
	t.Parallel()
	failure := errors.New("no")
	l := NewLatest(func(context.Context) (int, error) { return 0, failure })
	if _, err := l.Get(t.Context()); !errors.Is(err, failure) {
		t.Error(err)
	}
	l.ask = func(context.Context) (int, error) { return 1, nil }
	if n, err := l.Get(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
}
