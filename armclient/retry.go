package armclient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const (
	// readTime and writeTime bound a call whose context has no deadline. A PUT
	// was seen to take 15 s.
	readTime  = 30 * time.Second
	writeTime = 40 * time.Second
	// readRetries is how often a read is repeated.
	readRetries = 2
	// longestWait is the longest Retry-After that is waited for.
	longestWait = 10 * time.Second
	// waitSpread is the most that is added to Retry-After, at random: azcore
	// waits for exactly the time given, and all who wait would wake together.
	waitSpread = 500 * time.Millisecond
)

func readRetry(o Options) policy.RetryOptions {
	if o.Once {
		return noRetry()
	}
	return policy.RetryOptions{MaxRetries: readRetries, RetryDelay: o.RetryDelay, MaxRetryDelay: longestWait + waitSpread}
}

// noRetry is for writes: the answer of a write that is repeated after a lost
// success is a misleading Conflict or 404. It is also for a read whose caller
// does the waiting.
func noRetry() policy.RetryOptions { return policy.RetryOptions{MaxRetries: -1} }

// pacing rewrites the wait that azcore's retry policy will find in an answer. It
// stands inside that policy.
type pacing struct{ clock func() time.Time }

// headerRetryMillis is the header that azcore looks at before any other.
const headerRetryMillis = "Retry-After-Ms"

func (p pacing) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err == nil {
		p.pace(req.Raw().Context(), resp.Header)
	}
	return resp, err
}

// pace notes what ARM asks for, and spreads it.
func (p pacing) pace(ctx context.Context, h http.Header) {
	wait := retryAfter(h, p.clock)
	recordOf(ctx).retryAfter = int((max(wait, 0) + time.Second - 1) / time.Second) // rounded up
	if wait <= 0 {
		return
	}
	wait += rand.N(waitSpread)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		wait = longestWait + time.Hour // not worth it: azcore gives the answer back at once
	}
	h.Set(headerRetryMillis, strconv.FormatInt(wait.Milliseconds(), 10))
}

// retryAfter reads the header in its two forms and Microsoft's two in
// milliseconds; 0 without a valid one.
func retryAfter(h http.Header, clock func() time.Time) time.Duration {
	for _, name := range []string{headerRetryMillis, "X-Ms-Retry-After-Ms"} {
		if n, err := strconv.Atoi(h.Get(name)); err == nil && n > 0 {
			return bounded(n, time.Millisecond)
		}
	}
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return bounded(n, time.Second)
	}
	if when, err := http.ParseTime(text); err == nil {
		return min(when.Sub(clock()), maxRetryAfter)
	}
	return 0
}

// maxRetryAfter bounds what is passed on to a caller.
const maxRetryAfter = 24 * time.Hour

func bounded(n int, unit time.Duration) time.Duration {
	return time.Duration(min(int64(n), int64(maxRetryAfter/unit))) * unit
}

func withDeadline(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}
