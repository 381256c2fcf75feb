package ledger

import (
	"context"
	"crypto/rand"
	"sync"
)

// TemporaryKeys are Keys that end with the process, for a ledger that does too.
type TemporaryKeys struct {
	mu      sync.Mutex
	keys    map[string][]byte
	counter int64
}

// NewTemporaryKeys makes keys at random.
func NewTemporaryKeys() *TemporaryKeys { return &TemporaryKeys{keys: map[string][]byte{}} }

// Key implements Keys.
func (k *TemporaryKeys) Key(_ context.Context, name string, size int, _ bool) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[name] == nil {
		k.keys[name] = make([]byte, size)
		_, _ = rand.Read(k.keys[name]) // never fails: crypto/rand ends the process instead
	}
	return k.keys[name], nil
}

// Counter implements Keys.
func (k *TemporaryKeys) Counter(context.Context) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counter, nil
}

// SetCounter implements Keys.
func (k *TemporaryKeys) SetCounter(_ context.Context, value int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counter = max(k.counter, value)
	return nil
}
