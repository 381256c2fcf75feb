package server

import (
	"context"
	"net/http"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/access"
)

// limiter bounds how many are in at once.
type limiter chan struct{}

func (l limiter) enter() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l limiter) leave() { <-l }

// wait is enter for one that waits; false means that the context ended first.
func (l limiter) wait(ctx context.Context) bool {
	select {
	case l <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// sharedLimiter is a limiter of which one caller gets three places of four, so that
// there is always one for somebody else.
type sharedLimiter struct {
	limiter
	mu   sync.Mutex
	held map[access.Caller]int
}

func newSharedLimiter(places int) *sharedLimiter {
	return &sharedLimiter{limiter: make(limiter, places), held: map[access.Caller]int{}}
}

// claim takes a share for a caller who has a place.
func (s *sharedLimiter) claim(caller access.Caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[caller] >= cap(s.limiter)-cap(s.limiter)/4 {
		return false
	}
	s.held[caller]++
	return true
}

func (s *sharedLimiter) unclaim(caller access.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[caller]--; s.held[caller] == 0 {
		delete(s.held, caller)
	}
}

// admission is one request's place in a limiter, and its caller's share of places
// and of bytes once that is known.
type admission struct {
	in     *sharedLimiter
	budget *byteBudget
	caller access.Caller
	bytes  int64
}

func (a *admission) leave() {
	if a.caller != "" {
		a.in.unclaim(a.caller)
	}
	a.budget.give(a.caller, a.bytes)
	a.in.leave()
}

// of says whose place it is, if there is a share left.
func (a *admission) of(caller access.Caller) bool {
	if !a.in.claim(caller) {
		return false
	}
	a.caller = caller
	return true
}

// reserve takes room for a body before it is read.
func (a *admission) reserve(bytes int64) bool {
	if !a.budget.take(a.caller, bytes) {
		return false
	}
	a.bytes += bytes
	return true
}

// keep gives back what was reserved beyond the bytes that came.
func (a *admission) keep(bytes int64) {
	a.budget.give(a.caller, a.bytes-bytes)
	a.bytes = bytes
}

// move gives the place up for one in another limiter, if there is one.
func (a *admission) move(to *sharedLimiter) bool {
	if !to.enter() {
		return false
	}
	if !to.claim(a.caller) {
		to.leave()
		return false
	}
	a.in.unclaim(a.caller)
	a.in.leave()
	a.in = to
	return true
}

// byteBudget bounds how many bytes of bodies are held at once, from before they
// are read until their requests are answered.
type byteBudget struct {
	all, each int64

	mu   sync.Mutex
	used int64
	by   map[access.Caller]int64
}

func newByteBudget(all, each int64) *byteBudget {
	return &byteBudget{all: all, each: each, by: map[access.Caller]int64{}}
}

// take reports whether there was room. What is larger than a whole share has room
// where its caller has nothing else.
func (b *byteBudget) take(caller access.Caller, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.by[caller]; b.used > 0 && b.used+bytes > b.all || held > 0 && held+bytes > b.each {
		return false
	}
	b.used += bytes
	b.by[caller] += bytes
	return true
}

func (b *byteBudget) give(caller access.Caller, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	if b.by[caller] -= bytes; b.by[caller] <= 0 {
		delete(b.by, caller)
	}
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
	cache, err := lru.New[access.Caller, mcp.LoggingLevel](maxLevels)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return cache
}

// callerLevel is the log level of one caller.
type callerLevel struct {
	cache  *levelCache
	caller access.Caller
}

func (c callerLevel) Level() mcp.LoggingLevel {
	level, _ := c.cache.Get(c.caller)
	return level
}

func (c callerLevel) SetLevel(level mcp.LoggingLevel) { c.cache.Add(c.caller, level) }
