package testkit

import (
	"sync"
	"time"
)

// Clock is a time that moves only when a test moves it. Where nothing outside a
// test takes part, testing/synctest is simpler.
type Clock struct {
	mu   sync.Mutex
	now  time.Time
	step time.Duration
}

// NewClock returns a clock that stands at a time.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// NewSteppingClock returns a clock that moves by a step each time it is read, so
// that no two moments are the same.
func NewSteppingClock(at time.Time, step time.Duration) *Clock { return &Clock{now: at, step: step} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(c.step)
	return c.now
}

// Advance moves the clock, forwards or backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
