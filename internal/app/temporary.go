package app

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/exit"
	"mcp-partner/ledger"
)

// temporaryLedger is the ledger of a simulation, and of runs where no vault
// holds a key. It ends with the process: its keys are in memory alone.
type temporaryLedger struct {
	*ledger.Ledger
	dir string
}

// newTemporaryLedger makes nothing on the disk: the ledger makes its folder at
// its first use, so a command that needs none runs without a temporary folder.
func newTemporaryLedger() *temporaryLedger {
	dir := filepath.Join(os.TempDir(), "mcp-partner-"+rand.Text())
	return &temporaryLedger{ledger.Open(ledger.Options{
		Dir: disk.New(dir), Keys: &temporaryKeys{keys: map[string][]byte{}}, Program: BuildInfo().Version,
	}), dir}
}

// makeFolder says early what would make every call fail.
func (t *temporaryLedger) makeFolder() error {
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return exit.Failed("set TMPDIR (TMP on Windows) to a folder that you can write", "the folder %s for the ledger of the simulation cannot be made: %s", t.dir, disk.Cause(err))
	}
	return nil
}

// Close removes the folder too.
func (t *temporaryLedger) Close() error {
	return errors.Join(t.Ledger.Close(), os.RemoveAll(t.dir))
}

// GuardStore is where the guard keeps approvals, freezes and the record.
func (a *App) GuardStore() guard.Store {
	if a.Ledger != nil {
		return a.Ledger
	}
	return a.temporary
}

// temporaryKeys are ledger.Keys for one process.
type temporaryKeys struct {
	mu      sync.Mutex
	keys    map[string][]byte
	counter int64
}

// Key implements ledger.Keys.
func (k *temporaryKeys) Key(_ context.Context, name string, size int, _ bool) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[name] == nil {
		k.keys[name] = make([]byte, size)
		_, _ = rand.Read(k.keys[name]) // never fails
	}
	return k.keys[name], nil
}

// Counter implements ledger.Keys.
func (k *temporaryKeys) Counter(context.Context) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counter, nil
}

// SetCounter implements ledger.Keys.
func (k *temporaryKeys) SetCounter(_ context.Context, value int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counter = max(k.counter, value)
	return nil
}
