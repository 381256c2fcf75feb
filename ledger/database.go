package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/database"
	"mcp-partner/schemas/problems"
)

//go:embed migrations
var migrationFiles embed.FS

// Migrations makes the tables of the program, one folder a kind of database.
func Migrations() fs.FS {
	folder, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the pattern above has that folder
	}
	return folder
}

// opened is the open database, and what it is.
type opened struct {
	*database.Database
	id  string
	key macKey
	// row asks for the end of the record and for a row. It is asked at every change, so
	// it is compiled once.
	row *sql.Stmt
}

// open makes, migrates and identifies the database.
func (l *Ledger) open(ctx context.Context) (*opened, error) {
	// Without a vault there is no ledger, and nothing is made for one.
	if _, err := l.o.Keys.Counter(ctx); err != nil {
		return nil, l.keysProblem(err)
	}
	connected, err := l.source.Open(ctx)
	if err != nil {
		return nil, err
	}
	db := &opened{Database: connected}
	if err := l.prepare(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (l *Ledger) prepare(ctx context.Context, db *opened) error {
	if err := l.identify(ctx, db); err != nil {
		return err
	}
	var err error
	if db.row, err = db.Read.PrepareContext(ctx, `SELECT `+lastEntry+`, `+stateColumns+` FROM states WHERE kind = $1 AND name = $2`); err != nil {
		return err
	}
	return l.compareCounter(ctx, db)
}

// identify reads what the ledger is, or writes it into a new one, and proves that
// the vault's key belongs to it.
func (l *Ledger) identify(ctx context.Context, db *opened) error {
	var mac digest
	err := l.change(ctx, db, func(s *session) (fresh bool) {
		var known bool
		db.id, mac, known = s.identity()
		if s.err != nil {
			return false
		}
		// A file that has entries and a vault that has no key for them do not belong
		// together, so none is made then.
		key, err := l.key(ctx, KeyMAC, macKeySize, !known)
		s.fail(err)
		if db.key = key; !known {
			db.id, mac = s.found()
		}
		return !known
	})
	if err == nil && !same(db.key.genesis(db.id).mac, mac) {
		err = l.corrupt("it was made with a key other than the vault's")
	}
	return err
}

func (s *session) identity() (id string, mac digest, known bool) {
	known = s.row([]any{&id, &mac}, `SELECT id, mac FROM ledger WHERE one = 1`)
	return id, mac, known
}

// found gives a new ledger its name, a freeze that is released and the place where
// it is, so that one that is missing later was removed. A ledger that has entries and no name lost it.
func (s *session) found() (id string, mac digest) {
	if value[bool](s, `SELECT EXISTS (SELECT 1 FROM events)`) {
		s.fail(s.l.corrupt("it has entries but no ledger ID"))
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	id = hex.EncodeToString(random[:])
	mac = s.db.key.genesis(id).mac
	s.exec(`INSERT INTO ledger (one, id, mac) VALUES (1, $1, $2)`, id, mac[:])
	if s.place != "" {
		s.putState(state{kind: stateServer, name: theServer, body: []byte(s.place)})
	}
	s.putState(state{kind: stateFreeze, name: theFreeze, body: encode(guard.Freeze{})})
	return id, mac
}

// session asks the database, or changes it in one transaction. Its first failure
// stays, as that of a bufio.Writer does: what is asked after it does nothing and
// answers with zero values, and nothing of it is committed. ctx is the transaction's.
type session struct {
	ctx context.Context
	l   *Ledger
	db  *opened
	q   database.Querier
	// tx is nil where nothing can be changed.
	tx *sql.Tx
	// place is where the record is, as the server says.
	place string
	err   error
}

// fail keeps the first failure.
func (s *session) fail(err error) { s.err = cmp.Or(s.err, err) }

// read returns what do finds in the open database. Its error is a problem.
func read[T any](ctx context.Context, l *Ledger, do func(*session) T) (found T, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return found, err
	}
	s := &session{ctx: ctx, l: l, db: db, q: db.Read}
	found = do(s)
	return found, l.problem(s.err)
}

// snapshot runs a function that reads one state of the database. Its error is a
// problem.
func (l *Ledger) snapshot(ctx context.Context, do func(*session)) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	tx, err := db.Snapshot(ctx)
	if err != nil {
		return l.problem(err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	s := &session{ctx: ctx, l: l, db: db, q: tx}
	do(s)
	return l.problem(s.err)
}

// change runs a function in the only transaction that writes. It is undone after a
// failure, and where the function says that there is nothing to keep.
func (l *Ledger) change(ctx context.Context, db *opened, do func(*session) (keep bool)) error {
	tx, place, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	s := &session{ctx: ctx, l: l, db: db, q: tx, tx: tx, place: place}
	if keep := do(s); s.err != nil || !keep {
		return s.err
	}
	return tx.Commit()
}

// exec runs a statement that changes something, and returns how many rows.
func (s *session) exec(text string, args ...any) (changed int64) {
	if s.err != nil {
		return 0
	}
	result, err := s.tx.ExecContext(s.ctx, text, args...)
	if err == nil {
		changed, err = result.RowsAffected()
	}
	s.fail(err)
	return changed
}

// row takes the columns of the first row that a query selects; false if there is none.
func (s *session) row(into []any, text string, args ...any) bool {
	if s.err != nil {
		return false
	}
	err := s.q.QueryRowContext(s.ctx, text, args...).Scan(into...)
	if !errors.Is(err, sql.ErrNoRows) {
		s.fail(err)
	}
	return err == nil
}

// value returns what a query of one value finds.
func value[T any](s *session, text string, args ...any) (found T) {
	s.row([]any{&found}, text, args...)
	return found
}

// rows goes through the rows that a query selects; columns are where those of one
// belong. A transaction must not be asked anything else meanwhile.
func rows[T any](s *session, columns func(*T) []any, text string, args ...any) iter.Seq[T] {
	return func(yield func(T) bool) {
		if s.err != nil {
			return
		}
		found, err := s.q.QueryContext(s.ctx, text, args...)
		if err != nil {
			s.fail(err)
			return
		}
		defer found.Close()
		for s.err == nil && found.Next() {
			var one T
			if s.fail(found.Scan(columns(&one)...)); s.err == nil && !yield(one) {
				return
			}
		}
		s.fail(found.Err())
	}
}

// moment takes a column with a time in the layout of the record, or without one.
type moment struct{ at *time.Time }

// Scan implements sql.Scanner.
func (m moment) Scan(column any) error {
	var text sql.NullString
	err := text.Scan(column)
	if *m.at = (time.Time{}); err != nil || text.String == "" {
		return err
	}
	if *m.at, err = time.Parse(timeLayout, text.String); err != nil {
		return errDamaged
	}
	return nil
}

// content takes a column with the JSON that encode wrote.
type content struct{ of any }

// Scan implements sql.Scanner.
func (c content) Scan(column any) error {
	var text sql.Null[[]byte]
	err := text.Scan(column)
	if err == nil && json.Unmarshal(text.V, c.of) != nil {
		err = errDamaged
	}
	return err
}

// errDamaged means that a row is not what this program writes.
var errDamaged = errors.New("damaged")

const nothingWritten = "Nothing is written to Azure until this is fixed."

// problem turns any error of the ledger into a problem. The text of a foreign
// error is never copied.
func (l *Ledger) problem(err error) error {
	var known *problems.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, errDamaged):
		return l.corrupt("it has a row that this program did not write")
	}
	switch t := l.source.Trouble(err); t.Class {
	case database.Cancelled:
		return problems.New(problems.CodeCancelled, "The caller disconnected while the ledger "+l.name+" was being used.")
	case database.Corrupt:
		return l.corrupt(t.What)
	case database.Unsafe:
		return l.unsafe(t)
	default:
		return l.unavailable(t.What, t.Next)
	}
}

func (l *Ledger) unavailable(what, next string) *problems.Problem {
	return problems.New(problems.CodeVaultUnavailable, "The ledger "+l.name+" "+what+". "+nothingWritten, problems.WithCommand(next, "mcp-partner doctor"))
}

// unsafe makes a problem that stays until a person acts.
func (l *Ledger) unsafe(t *database.Trouble) *problems.Problem {
	p := problems.New(problems.CodeVaultUnavailable, cmp.Or(t.Whole, "The ledger "+l.name+" "+t.What)+". "+nothingWritten, problems.WithHint("%s", t.Next))
	p.Retryable, p.Command = false, t.Command
	return p
}

func (l *Ledger) corrupt(what string) *problems.Problem {
	return problems.New(problems.CodeVaultCorrupt, "The ledger "+l.name+" is damaged: "+what+". "+nothingWritten,
		problems.WithCommand("Keep it as it is, and verify it.", "mcp-partner ledger verify"))
}

// damaged reports whether the database or a decoder found it to be broken.
func (l *Ledger) damaged(err error) bool {
	return errors.Is(err, errDamaged) || l.source.Damaged(err)
}
