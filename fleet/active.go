package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Why a run ends before all its targets have results.
var (
	errInterrupted = errors.New("the process ends")
	errCancelled   = errors.New("the caller canceled the run")
	errTime        = errors.New("the run's time limit was reached")
)

// Active is a run that is under way. In another process it can only be watched.
type Active struct {
	id    string
	total int
	f     *Fleet
	// done is closed when the run has ended here; nil for another process's run.
	done     chan struct{}
	cancel   context.CancelCauseFunc
	answered atomic.Int64
	// failure is why the run ended without all results; read it after done.
	failure error

	mu      sync.Mutex
	waiters int
	told    bool // some caller had an answer, so hanging up cancels nothing
}

// ID returns the run's ID.
func (a *Active) ID() string { return a.id }

// Progress returns how many targets have results, and how many there are.
func (a *Active) Progress() (answered, total int) { return int(a.answered.Load()), a.total }

// watchEvery is how often another process's run is looked at.
const watchEvery = 500 * time.Millisecond

// Wait waits until the run has ended, or the context. It returns why the run
// ended early, or the context's error.
func (a *Active) Wait(ctx context.Context) error {
	if a.done == nil {
		return a.watch(ctx)
	}
	select {
	case <-a.done:
		return a.failure
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch follows a run of another process.
func (a *Active) watch(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		run, err := a.f.Run(ctx, Operator, a.id)
		if err != nil {
			return err
		}
		if counts, _, err := a.f.opts.Store.CountRows(ctx, a.id); err == nil {
			a.answered.Store(int64(run.Rows - counts[""]))
		}
		if run.State != RunRunning {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Attend registers a waiter for the first answer. The returned function ends
// that: with true if the waiter got the answer, with false if it disconnected.
// A run without an answered waiter is cancelled when the last waiter leaves.
func (a *Active) Attend() (leave func(answered bool)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiters++
	return func(answered bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.waiters--
		a.told = a.told || answered
		if a.waiters == 0 && !a.told && a.cancel != nil {
			a.cancel(errCancelled)
		}
	}
}

// Interrupt ends the run so that it can be resumed. It returns false for a run
// of another process, which continues.
func (a *Active) Interrupt() bool {
	if a.cancel == nil {
		return false
	}
	a.cancel(errInterrupted)
	return true
}
