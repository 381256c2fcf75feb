package simulator

import (
	"math"
	"time"
)

// maxRate keeps a bucket's arithmetic far from overflow.
const maxRate = 1_000_000

// tokens is the level of a bucket. Its zero value is a full bucket; the
// principal's lock guards it.
type tokens struct {
	started bool
	left    float64
	at      time.Time
}

// take removes one token, or returns the time until the next one.
func (t *tokens) take(b Bucket, now time.Time) (ok bool, wait time.Duration) {
	t.refill(b, now)
	if t.left < 1 {
		return false, time.Duration((1 - t.left) / b.PerSecond * float64(time.Second))
	}
	t.left--
	return true, 0
}

func (t *tokens) refill(b Bucket, now time.Time) {
	if !t.started {
		*t = tokens{started: true, left: float64(b.Size), at: now}
		return
	}
	// A clock that was set back refills nothing, and takes nothing away.
	if since := now.Sub(t.at); since > 0 {
		t.left = math.Min(float64(b.Size), t.left+since.Seconds()*b.PerSecond)
		t.at = now
	}
}

// remaining is the value of the rate-limit headers.
func (t *tokens) remaining() int { return int(t.left) }

// wholeSeconds is the value of a Retry-After header: rounded up, at least 1.
func wholeSeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}
