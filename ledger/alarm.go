package ledger

import (
	"context"
	"time"
)

// alarm has what was gathered in memory written some time after the first of it.
// Whoever holds one guards it with a mutex of its own.
type alarm struct {
	// after calls a function later; tests replace it.
	after  func(time.Duration, func()) (stop func() bool)
	stop   func() bool
	closed bool
}

func newAlarm() alarm {
	return alarm{after: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }}
}

// set has flush called once after d, unless that is on its way already.
func (a *alarm) set(l *Ledger, d time.Duration, flush func(context.Context) error) {
	if a.stop != nil || a.closed {
		return
	}
	a.stop = a.after(d, func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.o.Patience)
		defer cancel()
		_ = flush(ctx) // what failed is kept for the next time
	})
}

// rang lets set begin anew.
func (a *alarm) rang() { a.stop = nil }

// close keeps it from ringing again.
func (a *alarm) close() {
	if a.stop != nil {
		a.stop()
	}
	a.closed = true
}
