package users

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxKeys bounds how many keys a Limiter remembers.
const maxKeys = 4096

// Limiter bounds how often something is done for one key, such as an address, and for
// all of them. It is safe for concurrent use.
type Limiter struct {
	keys  *lru.Cache[string, *bucket]
	each  rate.Limit
	burst int
	all   *rate.Limiter
	now   func() time.Time
}

// bucket is one key, with how often it was refused since Note allowed it.
type bucket struct {
	*rate.Limiter
	more atomic.Int64
}

// NewLimiter allows burst at once and one more in each period for a key, and so many
// times that for all keys: addresses cost nothing with IPv6.
func NewLimiter(period time.Duration, burst, times int, now func() time.Time) *Limiter {
	keys, _ := lru.New[string, *bucket](maxKeys) // fails for a size below 1 alone
	each := rate.Every(period)
	return &Limiter{keys: keys, each: each, burst: burst, all: rate.NewLimiter(rate.Limit(times)*each, times*burst), now: now}
}

// Allow asks for the key first, so that one that asks too often takes nothing from others.
func (l *Limiter) Allow(key string) bool { return l.allow(l.of(key)) }

func (l *Limiter) allow(b *bucket) bool {
	now := l.now()
	return b.AllowN(now, 1) && l.all.AllowN(now, 1)
}

func (l *Limiter) of(key string) *bucket {
	b := &bucket{Limiter: rate.NewLimiter(l.each, l.burst)}
	if known, found, _ := l.keys.PeekOrAdd(key, b); found {
		return known
	}
	return b
}

// Note is Allow for an entry of the record, which also says how many of the same key
// were left out since the last one.
func (l *Limiter) Note(key, detail string) (string, bool) {
	b := l.of(key)
	if !l.allow(b) {
		b.more.Add(1)
		return "", false
	}
	if more := b.more.Swap(0); more > 0 {
		detail += fmt.Sprintf(" (and %d more since the last entry)", more)
	}
	return detail, true
}

// AddressOf is where a request came from; with IPv6 it is the network that one
// subscriber has. What a proxy says of that is not believed.
func AddressOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr) // the server's own form
	address, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown"
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
