package oauth

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxLimited is for how many keys, addresses or hosts, a limiter remembers.
const maxLimited = 4096

// limiter bounds how often something is done for one key, and for all of them.
type limiter struct {
	keys  *lru.Cache[string, *rate.Limiter]
	each  rate.Limit
	burst int
	all   *rate.Limiter
	now   func() time.Time
}

// newLimiter allows burst at once and one more in each period for a key, and tenfold for
// all keys.
func newLimiter(period time.Duration, burst int, now func() time.Time) *limiter {
	keys, _ := lru.New[string, *rate.Limiter](maxLimited) // fails for a size below 1 alone
	each := rate.Every(period)
	return &limiter{keys: keys, each: each, burst: burst, all: rate.NewLimiter(10*each, 10*burst), now: now}
}

// allow asks for the key first, so that one that asks too often takes nothing from others.
func (l *limiter) allow(key string) bool {
	one := rate.NewLimiter(l.each, l.burst)
	if known, found, _ := l.keys.PeekOrAdd(key, one); found {
		one = known
	}
	now := l.now()
	return one.AllowN(now, 1) && l.all.AllowN(now, 1)
}
