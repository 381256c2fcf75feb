package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver registers itself as "sqlite"

	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
)

// maxReaders bounds the connections that read at the same time.
const maxReaders = 4

// database is the open file: one connection that writes, some that read.
type database struct {
	write, read *sql.DB
	file        fs.FileInfo
	id          string
	key         macKey
	// freeze and token are asked for at every change, so they are compiled once.
	freeze, token *sql.Stmt
	commits       commits
}

func (d *database) close() error {
	return errors.Join(d.commits.close(), d.read.Close(), d.write.Close())
}

// dsn names the file to the driver. Settings that hold for a connection go in
// here, because database/sql makes connections when it likes.
//
// synchronous=FULL syncs the log at each commit: in WAL mode NORMAL may lose
// the last commits at a power loss (SQLite's documentation of the pragma).
// secure_delete overwrites what Prune removes.
func dsn(path string, patience time.Duration, readOnly bool) string {
	query := url.Values{
		"mode":          {"rw"},
		"_busy_timeout": {fmt.Sprint(patience.Milliseconds())},
		"_foreign_keys": {"on"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_pragma":       {"secure_delete(ON)", "trusted_schema(OFF)", "cell_size_check(ON)"},
	}
	if readOnly {
		query.Set("_query_only", "on")
		query.Set("_txlock", "deferred")
	}
	path = filepath.ToSlash(path)
	if path != "" && path[0] != '/' {
		path = "/" + path // a drive letter: file:///C:/...
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// open checks, makes, migrates and identifies the file, one process at a time.
func (l *Ledger) open(ctx context.Context) (*database, error) {
	// Without a vault there is no ledger, and nothing is made for one.
	if _, err := l.o.Keys.Counter(ctx); err != nil {
		return nil, l.keysProblem(err)
	}
	if err := l.checkFiles(); err != nil {
		return nil, err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	db, err := l.connect()
	if err != nil {
		return nil, err
	}
	if err := l.prepare(ctx, db); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

func (l *Ledger) connect() (*database, error) {
	path, err := filepath.Abs(l.path)
	if err != nil {
		return nil, err
	}
	if err := create(path); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(path, l.o.Patience, false))
	if err != nil {
		return nil, err
	}
	read, err := sql.Open("sqlite", dsn(path, l.o.Patience, true))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	// One writer in the process: callers queue here and can be cancelled, in
	// place of polling SQLite's lock.
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(maxReaders + 1) // one is for looking at changes
	read.SetMaxIdleConns(maxReaders)
	return &database{write: write, read: read, file: info, commits: commits{from: read}}, nil
}

func (l *Ledger) prepare(ctx context.Context, db *database) error {
	if err := l.migrate(ctx, db.write); err != nil {
		return err
	}
	if err := l.checkSchema(ctx, db.write); err != nil {
		return err
	}
	if err := l.identify(ctx, db); err != nil {
		return err
	}
	var err error
	if db.freeze, err = db.read.PrepareContext(ctx, freezeQuery); err != nil {
		return err
	}
	if db.token, err = db.read.PrepareContext(ctx, tokenQuery); err != nil {
		return err
	}
	return l.compareCounter(ctx, db)
}

// checkSchema refuses a file that would do something by itself.
func (l *Ledger) checkSchema(ctx context.Context, db *sql.DB) error {
	var foreign int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')`).Scan(&foreign)
	if err == nil && foreign > 0 {
		return l.corrupt("it has triggers or views, which this program does not create")
	}
	return err
}

// identify reads what the file is, or writes it into a new one, and proves
// that the vault's key belongs to it.
func (l *Ledger) identify(ctx context.Context, db *database) error {
	id, mac, err := identity(ctx, db.write)
	fresh := errors.Is(err, sql.ErrNoRows)
	if err != nil && !fresh {
		return err
	}
	key, err := l.macKey(ctx, fresh)
	if err != nil {
		return err
	}
	if fresh {
		id, mac, err = l.found(ctx, db.write, key)
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

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

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
func list[T any](ctx context.Context, l *Ledger, scan func(scanner) (T, error), text string, args ...any) (found []T, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	err = query(ctx, db.read, func(columns scanner) error {
		one, err := scan(columns)
		found = append(found, one)
		return err
	}, text, args...)
	return found, l.problem(err)
}

func identity(ctx context.Context, q querier) (id string, mac []byte, err error) {
	err = q.QueryRowContext(ctx, `SELECT id, mac FROM ledger WHERE one = 1`).Scan(&id, &mac)
	return id, mac, err
}

// found gives a new file its name. A file that has entries and no name lost it.
func (l *Ledger) found(ctx context.Context, db *sql.DB, key macKey) (string, []byte, error) {
	var begun bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events)`).Scan(&begun); err != nil {
		return "", nil, err
	}
	if begun {
		return "", nil, l.corrupt("it has entries but no ledger ID")
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	id := hex.EncodeToString(random[:])
	mac := key.genesis(id).mac
	return id, mac[:], firstRows(ctx, db, key, id, mac)
}

// firstRows writes the file's name and a freeze that is released, so that a
// freeze that is missing later was removed.
func firstRows(ctx context.Context, db *sql.DB, key macKey, id string, mac digest) error {
	s := state{kind: stateFreeze, name: theFreeze, body: encodeFreeze(guard.Freeze{})}
	rowMAC := key.state(s)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	_, err = tx.ExecContext(ctx, `INSERT INTO ledger (one, id, mac) VALUES (1, $1, $2)`, id, mac[:])
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO states (kind, name, seq, body, mac) VALUES ($1, $2, 0, $3, $4)`, s.kind, s.name, string(s.body), rowMAC[:])
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

const (
	fileName = "ledger.db"
	lockName = "ledger.lock"

	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600

	lockRetry = 10 * time.Millisecond
)

// checkFiles refuses a state directory or a file of the database that others
// can look into or that is something else than a file. Missing ones are no
// error.
func (l *Ledger) checkFiles() error {
	if err := l.checkDir(); err != nil {
		return err
	}
	for _, path := range []string{l.path, l.path + "-wal", l.path + "-shm", l.path + "-journal", l.lockPath()} {
		if err := l.checkFile(path); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) checkDir() error {
	info, err := os.Stat(l.o.Dir.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(l.o.Dir.Path, dirMode)
	case err != nil:
		return err
	case !info.IsDir():
		return l.unsafe(l.o.Dir.Path, "is not a directory", "Give another --state-dir.")
	case l.o.Dir.Exposed(info):
		return l.exposed("The state directory "+l.o.Dir.Path, "chmod 700 "+phrase.ShellWord(l.o.Dir.Path))
	}
	return nil
}

func (l *Ledger) checkFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return l.unsafe(path, "is a symbolic link, which is not followed", "Put the file itself there.")
	case !info.Mode().IsRegular():
		return l.unsafe(path, "is not a regular file", "Remove it, or give another --state-dir.")
	case l.o.Dir.Exposed(info):
		return l.exposed(path, "chmod 600 "+path)
	}
	return nil
}

// create makes an empty file that only its owner can read. SQLite gives its
// write-ahead log and shared memory the mode of the database.
func create(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

func (l *Ledger) lockPath() string { return l.o.Dir.File(lockName) }

// lock keeps other processes from opening or migrating the file at the same
// time: SQLite does not wait for a change of the journal mode.
func (l *Ledger) lock(ctx context.Context) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	lock := flock.New(l.lockPath(), flock.SetPermissions(fileMode))
	locked, err := lock.TryLockContext(ctx, lockRetry)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	if !locked {
		return nil, l.unavailable("is being opened by another process, which did not finish", "The lock file is "+l.lockPath()+".")
	}
	return func() { _ = lock.Close() }, nil
}
