package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"

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
	seen.revision, err = seen.db.Revision(ctx)
	if now := seen.revision.Connection; err == nil && now != l.lookedBy {
		if l.lookedBy > 0 {
			err = l.compareCounter(ctx, seen.db)
		}
		if err == nil {
			l.lookedBy = now
		}
	}
	return seen, l.problem(err)
}

// markedIn looks at the mark again where the call went away before its look.
func (l *Ledger) markedIn(seen observation) bool {
	return seen.marked || seen.db == nil && l.marked()
}

type revision = database.Revision

// maxRecent bounds how many rows are kept in memory.
const maxRecent = 1000

// recent keeps what was read last of the freeze and of tokens, for as long as
// nothing is committed: every call asks for them, and hardly any finds a change.
type recent struct {
	mu   sync.Mutex
	at   revision
	rows map[string]any
}

// get returns what was read of a row at a revision, and forgets what was read of
// another one.
func (r *recent) get(at revision, name string) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at != at || r.rows == nil {
		r.at, r.rows = at, map[string]any{}
	}
	return r.rows[name]
}

// keep is given the revision from before the reading, which may have seen more.
func (r *recent) keep(at revision, name string, value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == at && len(r.rows) < maxRecent {
		r.rows[name] = value
	}
}

// current returns what a row holds as of a look, or why that cannot be known.
func current[T any](ctx context.Context, l *Ledger, seen observation, kind, name string) (value T, why string, err error) {
	if value, ok := l.recent.get(seen.revision, ref(kind, name)).(T); ok {
		return value, "", nil
	}
	known := l.counter.knows(0) // before the query, which may see more
	var last int64
	row := seen.db.row.QueryRowContext(ctx, kind, name)
	s, err := scanState(func(columns ...any) error { return row.Scan(append([]any{&last}, columns...)...) })
	switch missing := errors.Is(err, sql.ErrNoRows); {
	case missing, err == nil && !seen.db.genuine(s):
		return value, "the row of the " + kind + " was changed by another program", nil
	case err != nil:
		return value, "", err
	case last < known:
		return value, "entries are missing at the end", nil
	}
	if value, err = decode[T](s.body); err == nil {
		l.recent.keep(seen.revision, ref(kind, name), value)
	}
	return value, "", err
}
