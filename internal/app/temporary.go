package app

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"

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
		Dir: disk.New(dir), Keys: ledger.NewTemporaryKeys(), Program: BuildInfo().Version,
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
