package server

import (
	"net/http"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"mcp-partner/guard"
)

// limiter bounds how many are in at once; nobody waits at its door.
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

// pass is one request's place in a limiter.
type pass struct{ in limiter }

func (p *pass) leave() { p.in.leave() }

// move gives the place up for one in another limiter, if there is one.
func (p *pass) move(to limiter) bool {
	if !to.enter() {
		return false
	}
	p.in.leave()
	p.in = to
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
	mu       sync.Mutex
	byCaller map[guard.Caller]mcp.LoggingLevel
}

// maxLevels bounds the book; callers beyond it get no log messages.
const maxLevels = 1024

func newLevelBook() *levelBook {
	return &levelBook{byCaller: map[guard.Caller]mcp.LoggingLevel{}}
}

// callerLevel is one caller's page of the book.
type callerLevel struct {
	book   *levelBook
	caller guard.Caller
}

// Level implements levels.
func (c callerLevel) Level() mcp.LoggingLevel {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	return c.book.byCaller[c.caller]
}

// SetLevel implements levels.
func (c callerLevel) SetLevel(level mcp.LoggingLevel) {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	if _, known := c.book.byCaller[c.caller]; known || len(c.book.byCaller) < maxLevels {
		c.book.byCaller[c.caller] = level
	}
}
