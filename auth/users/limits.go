package users

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// addressRate and addressBurst bound the attempts from one address, behind which
	// may be a whole office; accountRate and accountBurst those for one user.
	addressRate, addressBurst = rate.Limit(1), 60
	accountRate, accountBurst = rate.Limit(1.0 / 30), 10
	// overallRate and overallBurst bound what all addresses together begin, and so the
	// rows that wait for an answer.
	overallRate, overallBurst = rate.Limit(20), 200
	// maxVisitors bounds how many addresses and accounts are known at a time.
	maxVisitors = 4096
	// refusalEvery is how often a refusal of one address is written; entryRate and
	// entryBurst bound the entries of all, since addresses cost nothing with IPv6.
	refusalEvery          = time.Minute
	entryRate, entryBurst = rate.Limit(0.2), 60
)

// limits bound attempts to sign in.
type limits struct {
	now              func() time.Time
	overall, entries *rate.Limiter

	mu       sync.Mutex
	visitors *lru.Cache[string, *visitor]
}

// visitor is an address or an account.
type visitor struct {
	limiter *rate.Limiter
	// written is when a refusal was written last, and more how many came since.
	written time.Time
	more    int
}

func newLimits(now func() time.Time) *limits {
	visitors, _ := lru.New[string, *visitor](maxVisitors) // fails for no such size
	return &limits{now: now, overall: rate.NewLimiter(overallRate, overallBurst), entries: rate.NewLimiter(entryRate, entryBurst), visitors: visitors}
}

// address counts an attempt from where a request came. What a proxy says of that is
// not believed.
func (l *limits) address(r *http.Request) bool {
	return l.of(AddressOf(r), addressRate, addressBurst).limiter.AllowN(l.now(), 1) && l.overall.AllowN(l.now(), 1)
}

func (l *limits) account(name string) bool {
	return l.of("user "+name, accountRate, accountBurst).limiter.AllowN(l.now(), 1)
}

func (l *limits) of(name string, every rate.Limit, burst int) *visitor {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.visitors.Get(name)
	if !ok {
		known = &visitor{limiter: rate.NewLimiter(every, burst)}
		l.visitors.Add(name, known)
	}
	return known
}

// refused counts a refusal, and reports whether it is written, with how many came since
// the last that was.
func (l *limits) refused(address string) (more int, write bool) {
	known := l.of(address, addressRate, addressBurst)
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); (known.written.IsZero() || now.Sub(known.written) >= refusalEvery) && l.entries.AllowN(now, 1) {
		more, known.more, known.written = known.more, 0, now
		return more, true
	}
	known.more++
	return 0, false
}

// AddressOf is where a request came from; with IPv6 it is the network that one
// subscriber has.
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
