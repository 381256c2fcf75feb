package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"

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
	tx, place, err := db.BeginAt(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	id, mac, err := identity(ctx, tx)
	fresh := errors.Is(err, sql.ErrNoRows)
	if err != nil && !fresh {
		return err
	}
	key, err := l.macKey(ctx, fresh)
	if err != nil {
		return err
	}
	if fresh {
		if id, mac, err = l.found(ctx, tx, key, place); err == nil {
			err = tx.Commit()
		}
	}
	if err != nil {
		return err
	}
	if expected := key.genesis(id).mac; len(mac) != len(expected) || !same(expected, digest(mac)) {
		return l.corrupt("it was made with a key other than the vault's")
	}
	db.id, db.key = id, key
	return nil
}

func identity(ctx context.Context, q querier) (id string, mac []byte, err error) {
	err = q.QueryRowContext(ctx, `SELECT id, mac FROM ledger WHERE one = 1`).Scan(&id, &mac)
	return id, mac, err
}

// found gives a new ledger its name, a freeze that is released and the place where
// it is, so that one that is missing later was removed. A ledger that has entries and no name lost it.
func (l *Ledger) found(ctx context.Context, tx *sql.Tx, key macKey, place string) (string, []byte, error) {
	var begun bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events)`).Scan(&begun); err != nil {
		return "", nil, err
	}
	if begun {
		return "", nil, l.corrupt("it has entries but no ledger ID")
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	id := hex.EncodeToString(random[:])
	mac := key.genesis(id).mac
	if _, err := tx.ExecContext(ctx, `INSERT INTO ledger (one, id, mac) VALUES (1, $1, $2)`, id, mac[:]); err != nil {
		return "", nil, err
	}
	if place != "" {
		if err := putState(ctx, tx, key, state{kind: stateServer, name: theServer, body: []byte(place)}); err != nil {
			return "", nil, err
		}
	}
	s := state{kind: stateFreeze, name: theFreeze, body: encode(guard.Freeze{})}
	return id, mac[:], putState(ctx, tx, key, s)
}

type querier = database.Querier

// scanner takes the columns of one row.
type scanner = func(columns ...any) error

// errStop ends a query early without a failure.
var errStop = errors.New("stop")

// query calls do with each row that a query selects.
func query(ctx context.Context, q querier, do func(scanner) error, text string, args ...any) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows.Scan); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}

// list returns what scan makes of each row that a query selects.
func list[T any](ctx context.Context, q querier, scan func(scanner) (T, error), text string, args ...any) (found []T, err error) {
	err = query(ctx, q, func(columns scanner) error {
		one, err := scan(columns)
		found = append(found, one)
		return err
	}, text, args...)
	return found, err
}

// value returns what a query of one value finds.
func value[T any](ctx context.Context, q querier, text string, args ...any) (found T, err error) {
	err = q.QueryRowContext(ctx, text, args...).Scan(&found)
	return found, err
}

// read returns what do finds in the open database. Its error is a problem.
func read[T any](ctx context.Context, l *Ledger, do func(*opened) (T, error)) (found T, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return found, err
	}
	found, err = do(db)
	return found, l.problem(err)
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
