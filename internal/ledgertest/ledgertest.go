// Package ledgertest opens ledgers for the tests of other packages.
package ledgertest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/ledger"
)

// Store is a ledger in a folder of its own that ends with the test.
type Store struct {
	*ledger.Ledger
	t testing.TB
}

// New opens a ledger; now is asked for the time.
func New(t testing.TB, now func() time.Time) *Store {
	record := ledger.Open(ledger.Options{Dir: disk.New(filepath.Join(t.TempDir(), "state")), Keys: ledger.NewTemporaryKeys(), Now: now})
	t.Cleanup(func() { _ = record.Close() })
	return &Store{record, t}
}

// Events returns the record, oldest first.
func (s *Store) Events() []guard.Event {
	s.t.Helper()
	events, err := s.List(context.Background(), ledger.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	return events
}
