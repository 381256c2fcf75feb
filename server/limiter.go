package server

import (
	"context"
	"net/http"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/guard"
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

// shared is a limiter of which one caller gets three places of four, so that
// there is always one for somebody else.
type shared struct {
	limiter
	mu   sync.Mutex
	held map[guard.Caller]int
}

func newShared(places int) *shared {
	return &shared{limiter: make(limiter, places), held: map[guard.Caller]int{}}
}

// claim takes a share for a caller who has a place.
func (s *shared) claim(caller guard.Caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[caller] >= cap(s.limiter)-cap(s.limiter)/4 {
		return false
	}
	s.held[caller]++
	return true
}

func (s *shared) unclaim(caller guard.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[caller]--; s.held[caller] == 0 {
		delete(s.held, caller)
	}
}

// pass is one request's place in a limiter, and its caller's share once that is
// known.
type pass struct {
	in     *shared
	caller guard.Caller
}

func (p *pass) leave() {
	if p.caller != "" {
		p.in.unclaim(p.caller)
	}
	p.in.leave()
}

// of says whose place it is, if there is a share left.
func (p *pass) of(caller guard.Caller) bool {
	if !p.in.claim(caller) {
		return false
	}
	p.caller = caller
	return true
}

// move gives the place up for one in another limiter, if there is one.
func (p *pass) move(to *shared) bool {
	next := &pass{in: to}
	if !to.enter() {
		return false
	}
	if !next.of(p.caller) {
		next.leave()
		return false
	}
	p.leave()
	*p = *next
	return true
}

func overloaded() *refusal {
	no := refuse(http.StatusServiceUnavailable, "")
	no.fault = busy("Too many requests at once. Send this one again after a second.")
	return no.with("Retry-After", "1")
}

// levelBook remembers which log level each caller asked for last. Older
// revisions set it in a request of its own, and over HTTP there is no session
// that it could belong to.
type levelBook struct {
	byCaller *lru.Cache[guard.Caller, mcp.LoggingLevel]
}

// maxLevels bounds the book. For one caller more, the one who has called for log
// messages longest ago is forgotten.
const maxLevels = 1024

func newLevelBook() *levelBook {
	byCaller, err := lru.New[guard.Caller, mcp.LoggingLevel](maxLevels)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &levelBook{byCaller}
}

// callerLevel is one caller's page of the book.
type callerLevel struct {
	book   *levelBook
	caller guard.Caller
}

// Level implements levels.
func (c callerLevel) Level() mcp.LoggingLevel {
	level, _ := c.book.byCaller.Get(c.caller)
	return level
}

// SetLevel implements levels.
func (c callerLevel) SetLevel(level mcp.LoggingLevel) { c.book.byCaller.Add(c.caller, level) }
