// Package ledger keeps what the guard must not forget in one SQLite file of
// the state directory, or in PostgreSQL: the tickets, the users, the freeze, and the record of
// everything asked, approved, done and refused. It implements guard.Store.
//
// # What it shows
//
// The record is tamper-evident given a head kept elsewhere. Each entry carries
// two links to the one before it:
//
//   - hash, a SHA-256 chain that anybody can follow. A signed Head names its
//     end, so an auditor with an export, the head and the public key can check the
//     export without any secret (VerifyExport).
//   - mac, an HMAC-SHA256 chain under a key of the vault. Somebody who has the file
//     alone can recompute the first chain and not the second (Verify).
//
// The rows that hold tickets, users and the freeze carry a MAC as well, and
// name the entry that changed them last. A row that was edited, or put back
// from an older copy, counts as not there; for the freeze it counts as pulled.
//
// The vault remembers how far the record had come. It is told before a call
// returns that spends or decides a ticket, records an intent, or changes the
// freeze or the users; of other entries it learns with the next such call,
// and when the ledger closes. An older file that is put back is noticed when it
// is opened or next written: all its tickets are voided, an entry says how many
// entries are gone, and numbering goes on where it had been, so that no number
// is given twice. Freeze and users are then as they were in that older
// file, which the entry says.
//
// Before a ticket is spent or decided, all entries since it changed last are
// compared with the authenticated chain, so that an older copy of its row has
// no effect even where the entry about the change was removed. So it is before
// each step of a run. For the freeze and the users, which may be years old,
// only Verify looks at all of it.
//
// It does not stop anybody who has both the file and the vault's key, and a
// tail that was cut off together with an older vault is found only with a head
// that was kept elsewhere.
//
// # What it costs
//
// A write is one transaction and is on the disk when the call returns. Counts of tokens are kept in memory for
// up to a minute, and of refusals that came before for up to ten; a crash loses
// them, by design, and nothing else. Every call asks for the freeze and for its
// token. One look tells whether anything was committed since they were read, and
// calls that come while one is under way share the next. Nothing is opened or read before the first use.
//
// The record holds personal data: who called and approved, the operating-system
// account of a requester, and reasons that people typed. Prune removes it by
// age.
package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"mcp-partner/guard"
	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/flight"
)

// Options says where a ledger is and what it needs.
type Options struct {
	// Dir is the state directory; it is made with mode 0700 if there is none.
	Dir disk.Dir
	// Server is where the ledger is, or nil for a file in the state directory.
	Server *database.Server
	Keys   Keys
	// Program is the version of the program, recorded in every entry.
	Program string
	// Now defaults to time.Now.
	Now func() time.Time
	// Announces says that questions for approvers, and changes of users, go into the outbox.
	Announces bool
	// RolledBack is called when an older ledger was found, or another server, with the
	// number of entries that are known to be missing; may be nil.
	RolledBack func(missing int64)
	// Patience is how long a call waits for another process; 5 seconds if zero.
	Patience time.Duration
}

// Ledger is a guard.Store in one SQLite file. It is safe for concurrent use,
// by several processes on one state directory. Methods return problems only:
// CodeVaultUnavailable for a file that is locked, full or out of reach,
// CodeVaultCorrupt for one that is not what it should be, CodeCancelled, and
// what Keys return.
type Ledger struct {
	o      Options
	source database.Source
	// name is how messages name the database.
	name string
	// givenClock says that Options.Now stands for every clock.
	givenClock bool

	tokens   tokenCounts
	refusals refusals

	mu     sync.Mutex
	db     *opened
	closed bool

	counter counter
	looks   *flight.Latest[observation]
	// lookedBy is the connection of the last look, 0 before the first. The comparisons
	// of another one end with the ledger.
	lookedBy    atomic.Int64
	comparisons *flight.Group[int64, struct{}]
	stop        context.CancelFunc
	recent      *lru.Cache[recent, any]
	prefix      verifiedPrefix
}

var _ guard.Store = (*Ledger)(nil)

// Open returns a ledger. Nothing is read, made or locked before its first use.
func Open(o Options) *Ledger {
	givenClock := o.Now != nil
	if !givenClock {
		o.Now = time.Now
	}
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	source := database.InFile(database.File{Dir: o.Dir, Base: baseName, Patience: o.Patience}, Migrations())
	if o.Server != nil {
		source = database.OnServer(o.Server, Migrations())
	}
	l := &Ledger{o: o, source: source, name: source.Name(), givenClock: givenClock}
	l.counter.keys = o.Keys
	l.looks = flight.NewLatest(l.look)
	l.recent, _ = lru.New[recent, any](maxRecent) // it refuses no positive size
	base, stop := context.WithCancel(context.Background())
	l.comparisons, l.stop = flight.New[int64, struct{}](base, comparePatience), stop
	l.tokens.init(l)
	l.refusals.init(l)
	return l
}

// baseName is the name of the file in the state directory, without .db.
const baseName = "ledger"

// Path is the path of the file, or says on which server the ledger is.
func (l *Ledger) Path() string { return l.name }

// OnServer reports whether the ledger is on a server and not in a file.
func (l *Ledger) OnServer() bool { return l.o.Server != nil }

// Begun reports whether there is a ledger, usable or not. On a server the first
// look begins one.
func (l *Ledger) Begun() bool {
	if l.OnServer() {
		return true
	}
	_, err := os.Lstat(l.name)
	return !errors.Is(err, fs.ErrNotExist)
}

// Close writes what is kept in memory and lets go of the file. A ledger that
// was never used closes without opening.
func (l *Ledger) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.o.Patience)
	defer cancel()
	failure := errors.Join(l.tokens.end(ctx, l.tokens.flush), l.refusals.end(ctx, l.refusals.flush))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	db := l.db
	l.db, l.closed = nil, true
	if db == nil {
		return failure
	}
	return errors.Join(failure, l.flush(ctx), l.problem(db.Close()))
}

// use returns the open database, and opens it the first time. A failure is not
// remembered: the next call tries again.
func (l *Ledger) use(ctx context.Context) (*opened, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, l.unavailable("was closed", "The program is ending.")
	}
	if l.db == nil {
		db, err := l.open(ctx)
		if err != nil {
			return nil, l.problem(err)
		}
		l.db = db
	}
	if l.source.Replaced() {
		return nil, l.unsafe(&database.Trouble{What: "was replaced or removed while this program was using it",
			Next: "Stop every mcp-partner on this state directory, then start again."})
	}
	return l.db, nil
}

// Status is the state of the file at a glance.
type Status struct {
	Path    string `json:"path"`
	Ledger  string `json:"ledger"`
	Entries int64  `json:"entries"`
	Last    int64  `json:"last"`
	// Remembered is the entry that the vault remembers.
	Remembered int64 `json:"remembered"`
	// AddsOnly says that the server lets this program add entries, and neither change
	// nor remove one.
	AddsOnly bool `json:"adds_only,omitempty"`
	// Withheld is what the server does not tell of itself, by which a failover or a
	// restored dump would be noticed.
	Withheld []string `json:"withheld,omitempty"`
}

// Status opens the file and says what is in it.
func (l *Ledger) Status(ctx context.Context) (Status, error) {
	return read(ctx, l, func(s *session) Status {
		now := Status{Path: l.name, Ledger: s.db.id, Withheld: s.db.Withheld}
		var err error
		if now.Remembered, err = l.o.Keys.Counter(ctx); err != nil {
			s.fail(l.keysProblem(err))
		}
		s.row([]any{&now.Entries, &now.Last}, `SELECT count(*), coalesce(max(seq), 0) FROM events`)
		if l.OnServer() {
			now.AddsOnly = value[bool](s, `SELECT NOT has_table_privilege('events', 'UPDATE, DELETE, TRUNCATE')`)
		}
		return now
	})
}

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
