package ledger

import (
	"context"
	"sync"
)

// counter is what the vault remembers of how far the record had come, and what
// this process knows of it.
type counter struct {
	keys Keys

	// flushing is held while the vault is told, which may take a while; mu only
	// for a moment, because every call asks what was seen.
	flushing sync.Mutex

	mu sync.Mutex
	// seen is the highest entry known to have been there; kept is what the
	// vault has.
	seen, kept int64
}

// knows raises seen and returns it.
func (c *counter) knows(seq int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = max(c.seen, seq)
	return c.seen
}

// remembers takes in what the vault has, and returns seen.
func (c *counter) remembers(value int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = max(c.kept, value)
	c.seen = max(c.seen, value)
	return c.seen
}

// flush tells the vault. Callers that arrive while one is being served are
// served with it.
func (c *counter) flush(ctx context.Context) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	seen, kept := c.values()
	if kept >= seen {
		return nil
	}
	if err := c.keys.SetCounter(ctx, seen); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = max(c.kept, seen)
	return nil
}

func (c *counter) values() (seen, kept int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen, c.kept
}
