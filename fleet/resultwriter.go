package fleet

import (
	"context"
	"sync"
	"time"

	"mcp-partner/schemas/problems"
)

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
