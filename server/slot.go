package server

import (
	"context"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// slot is a running call's share of the connection's concurrency. A nil all
// means that the call needs none.
type slot struct {
	all chan struct{}

	mu     sync.Mutex
	held   bool
	asking int
}

// take waits for a share; false means that the call ended before it got one.
func (s *slot) take(ctx context.Context) bool {
	if s.all == nil {
		return true
	}
	select {
	case s.all <- struct{}{}:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = true
		return true
	case <-ctx.Done():
		return false
	}
}

// leave gives the share back, if it is held.
func (s *slot) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
}

func (s *slot) release() {
	if s.held {
		s.held = false
		<-s.all
	}
}

// whileAsking gives the share back as long as a person is asked: open
// questions must not keep other calls from running.
func (s *slot) whileAsking(ask asker) asker {
	return func(ctx context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
		s.beginAsking()
		result, err := ask(ctx, r)
		if s.endAsking() {
			s.take(ctx) // a call that ended meanwhile gets none and only returns
		}
		return result, err
	}
}

func (s *slot) beginAsking() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking++
	s.release()
}

func (s *slot) endAsking() (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking--
	return s.asking == 0
}
