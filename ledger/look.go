package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"mcp-partner/internal/database"
)

// observation is what one look found of all that may change between two calls.
type observation struct {
	db *opened
	// revision changes with everything that is committed, by this process or
	// another one.
	revision revision
	// marked says that the file of a freeze of reads is there.
	marked bool
}

// look asks once for everything. Calls that come meanwhile share the next look.
func (l *Ledger) look(ctx context.Context) (seen observation, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	seen.marked = l.marked()
	if seen.db, err = l.use(ctx); err != nil {
		return seen, err
	}
	if seen.revision, err = seen.db.Revision(ctx); err == nil {
		err = l.compare(ctx, seen.db, seen.revision.Connection)
	}
	return seen, l.problem(err)
}

// comparePatience bounds one comparison. It is many questions to the server, which may
// be far away or busy.
const comparePatience = 30 * time.Second

// compare compares the counter where another connection answers than at the last look.
// A comparison that takes longer than its look goes on, and the next look waits for it:
// begun anew each time, it might never come to its end.
func (l *Ledger) compare(ctx context.Context, db *opened, connection int64) error {
	if l.lookedBy.CompareAndSwap(0, connection) || l.lookedBy.Load() == connection {
		return nil // the opening compared
	}
	_, err := l.comparisons.Do(ctx, connection, func(ctx context.Context) (none struct{}, err error) {
		if err = l.compareCounter(ctx, db); err == nil {
			l.lookedBy.Store(connection)
		}
		return none, err
	})
	return err
}

// markedIn looks at the mark again where the call went away before its look.
func (l *Ledger) markedIn(seen observation) bool {
	return seen.marked || seen.db == nil && l.marked()
}

type revision = database.Revision

// maxRecent bounds how many rows are kept in memory.
const maxRecent = 1000

// recent is a row at a revision. What was read of the freeze and of tokens is kept for
// as long as nothing is committed: every call asks for them, and hardly any finds a
// change.
type recent struct {
	// at is from before the reading, which may have seen more.
	at         revision
	kind, name string
}

// current returns what a row holds as of a look, or why that cannot be known.
func current[T any](ctx context.Context, l *Ledger, seen observation, kind, name string) (value T, why string, err error) {
	key := recent{seen.revision, kind, name}
	kept, _ := l.recent.Get(key)
	if value, ok := kept.(T); ok {
		return value, "", nil
	}
	known := l.counter.get().seen // before the query, which may see more
	var last int64
	var s state
	err = seen.db.row.QueryRowContext(ctx, kind, name).Scan(append([]any{&last}, s.columns()...)...)
	switch missing := errors.Is(err, sql.ErrNoRows); {
	case missing, err == nil && !seen.db.genuine(s):
		return value, "the row of the " + kind + " was changed by another program", nil
	case err != nil:
		return value, "", err
	case last < known:
		return value, "entries are missing at the end", nil
	}
	if value, err = decode[T](s.body); err == nil {
		l.recent.Add(key, value)
	}
	return value, "", err
}
