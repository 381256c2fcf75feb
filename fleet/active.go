package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mcp-partner/schemas/problems"
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

const (
	// flushInterval is how long a result may wait to be stored, with others.
	flushInterval = 250 * time.Millisecond
	// flushSize is how many results are stored together at most.
	flushSize = 250
	// flushTries is how often storing is attempted, a second apart, before the run
	// is given up: results that cannot be stored need not be requested.
	flushTries = 5
)

// resultWriter stores results while others are still being asked for, and gives the
// signs of life of the run.
type resultWriter struct {
	f      *Fleet
	active *Active
	// entries is the queue of results. A send blocks while the store is slower.
	entries chan entry
	pins    []Pin
}

type entry struct {
	row Row
	pin *Pin
}

// keep starts storing. It calls lost when continuing is useless; later
// additions are dropped. The returned function says that nothing more is added,
// and returns the error.
func (b *resultWriter) keep(lost context.CancelCauseFunc) (saved func() error) {
	var failure error
	var keeping sync.WaitGroup
	keeping.Go(func() {
		failure = b.write()
		if failure != nil {
			lost(failure)
			for range b.entries { // nobody must wait for a writer that has gone
			}
		}
	})
	return func() error {
		close(b.entries)
		keeping.Wait()
		return failure
	}
}

func (b *resultWriter) write() error {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	var batch []Row
	alive := time.Now()
	for {
		full, ended := false, false
		select {
		case e, ok := <-b.entries:
			ended = !ok
			if ok {
				batch = append(batch, e.row)
				if e.pin != nil {
					b.pins = append(b.pins, *e.pin)
				}
			}
			full = len(batch) >= flushSize
		case <-tick.C:
			full = len(batch) > 0 || time.Since(alive) >= leaseRenewal
		}
		if full || ended {
			if err := b.save(batch); err != nil {
				return err
			}
			b.flushPins()
			batch, alive = batch[:0], time.Now()
		}
		if ended {
			return nil
		}
	}
}

// save stores a batch, also an empty one as a sign of life. It does not end with
// the run: what was answered is kept.
func (b *resultWriter) save(batch []Row) error {
	var failure error
	for try := range flushTries {
		if try > 0 {
			time.Sleep(time.Second)
		}
		ours, err := b.f.opts.Store.SaveRows(context.Background(), b.active.id, b.f.owner, leaseTime, batch)
		if err == nil && !ours {
			return problems.New(problems.CodeRunInProgress, "Another process has taken over the run "+b.active.id+".")
		}
		if err == nil {
			b.active.answered.Add(int64(len(batch)))
			return nil
		}
		failure = err
		b.f.opts.Logger.Warn("results of a run could not be stored", "run", b.active.id, "problem", problems.As(err).Code)
		if !problems.As(err).Retryable {
			break
		}
	}
	return failure
}

// flushPins remembers the identities. A run continues without.
func (b *resultWriter) flushPins() {
	if len(b.pins) == 0 {
		return
	}
	if err := b.f.opts.Pin(context.Background(), b.pins); err != nil {
		b.f.opts.Logger.Warn("identities could not be pinned", "run", b.active.id, "problem", problems.As(err).Code)
	}
	b.pins = b.pins[:0]
}
