package ledger

import (
	"context"
	"time"
)

// flushTimer has what was gathered in memory written some time after the first of it.
// Whoever holds one guards it with a mutex of its own.
type flushTimer struct {
	// after calls a function later; tests replace it.
	after  func(time.Duration, func()) (stop func() bool)
	stop   func() bool
	closed bool
}

func newFlushTimer() flushTimer {
	return flushTimer{after: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }}
}

// set has flush called once after d, unless that is on its way already.
func (t *flushTimer) set(l *Ledger, d time.Duration, flush func(context.Context) error) {
	if t.stop != nil || t.closed {
		return
	}
	t.stop = t.after(d, func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.o.Patience)
		defer cancel()
		_ = flush(ctx) // what failed is kept for the next time
	})
}

// fired lets set begin anew.
func (t *flushTimer) fired() { t.stop = nil }

// close keeps it from firing again.
func (t *flushTimer) close() {
	if t.stop != nil {
		t.stop()
	}
	t.closed = true
}
