package server

import (
	"net/http"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
)

// shares bounds how much is held at once, by all together and by each caller, so
// that there is always some for somebody else: places, or bytes of bodies.
type shares struct {
	all, each int64

	mu   sync.Mutex
	used int64
	by   map[access.Caller]int64
}

func newShares(all, each int64) *shares {
	return &shares{all: all, each: each, by: map[access.Caller]int64{}}
}

// newPlaces gives one caller three places of four.
func newPlaces(n int) *shares { return newShares(int64(n), int64(n-n/4)) }

// take reports whether there was room; without a caller what all hold is bounded
// alone. What is larger than a whole share has room where nothing else is held.
func (s *shares) take(caller access.Caller, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used > 0 && s.used+n > s.all || !s.own(caller, n) {
		return false
	}
	s.used += n
	return true
}

// own counts as the caller's what all hold, if there is a share left.
func (s *shares) own(caller access.Caller, n int64) bool {
	held := s.by[caller]
	if held > 0 && held+n > s.each {
		return false
	}
	if caller != "" {
		s.by[caller] = held + n
	}
	return true
}

func (s *shares) give(caller access.Caller, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.by[caller] -= n; s.by[caller] <= 0 {
		delete(s.by, caller)
	}
}

// admission is one request's place, and its caller's share of places and of bytes
// once that is known.
type admission struct {
	places, bodies *shares
	caller         access.Caller
	bytes          int64
}

func (a *admission) leave() {
	a.bodies.give(a.caller, a.bytes)
	a.places.give(a.caller, 1)
}

// of says whose place it is, if there is a share left.
func (a *admission) of(caller access.Caller) bool {
	a.places.mu.Lock()
	defer a.places.mu.Unlock()
	if !a.places.own(caller, 1) {
		return false
	}
	a.caller = caller
	return true
}

// reserve takes room for a body before it is read.
func (a *admission) reserve(bytes int64) bool {
	if !a.bodies.take(a.caller, bytes) {
		return false
	}
	a.bytes += bytes
	return true
}

// keep gives back what was reserved beyond the bytes that came.
func (a *admission) keep(bytes int64) {
	a.bodies.give(a.caller, a.bytes-bytes)
	a.bytes = bytes
}

// move gives the place up for one elsewhere, if there is one.
func (a *admission) move(to *shares) bool {
	if !to.take(a.caller, 1) {
		return false
	}
	a.places.give(a.caller, 1)
	a.places = to
	return true
}

func overloaded() *refusal {
	refused := refuse(http.StatusServiceUnavailable, "")
	refused.err = busy("Too many requests at once. Send this one again after a second.")
	return refused.with("Retry-After", "1")
}

// levelCache remembers which log level each caller asked for last. Older
// revisions set it in a request of its own, and over HTTP there is no session
// that it could belong to.
type levelCache = lru.Cache[access.Caller, mcp.LoggingLevel]

// maxLevels bounds the cache. For one caller more, the one who has called for log
// messages longest ago is forgotten.
const maxLevels = 1024

func newLevelCache() *levelCache {
	cache, _ := lru.New[access.Caller, mcp.LoggingLevel](maxLevels) // fails for a size below 1 alone
	return cache
}

// callerLevel is the log level of one caller: over stdio, of the only client.
type callerLevel struct {
	cache  *levelCache
	caller access.Caller
}

func (c callerLevel) get() mcp.LoggingLevel {
	level, _ := c.cache.Get(c.caller)
	return level
}

func (c callerLevel) set(level mcp.LoggingLevel) { c.cache.Add(c.caller, level) }
