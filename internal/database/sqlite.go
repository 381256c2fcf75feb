package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // registers itself as the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas/problems"
)

const (
	fileMode  fs.FileMode = 0o600
	lockRetry             = 10 * time.Millisecond
)

// File is a SQLite database.
type File struct {
	// Dir is the state directory; it is made with mode 0700 if there is none.
	Dir disk.Dir
	// Base is the name of the file without .db.
	Base string
	// Patience is how long a call waits for another process; 5 seconds if zero.
	Patience time.Duration

	opened fs.FileInfo
}

// InFile is a database in a file.
func InFile(f File, migrations fs.FS) Source {
	f.Patience = cmp.Or(f.Patience, 5*time.Second)
	return Source{&f, migrations}
}

func (f *File) kind() string         { return "sqlite" }
func (f *File) goose() goose.Dialect { return goose.DialectSQLite3 }

// Name returns the path of the file.
func (f *File) Name() string { return f.Dir.File(f.Base + ".db") }

func (f *File) lockPath() string { return f.Dir.File(f.Base + ".lock") }

func (f *File) statements() statements {
	return statements{
		revision:  `PRAGMA data_version`,
		bounded:   true,
		foreign:   `SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')`,
		schema:    `SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name`,
		integrity: `PRAGMA integrity_check(5)`,
		// The file is rewritten, and the write-ahead log emptied, which would otherwise
		// keep removed data for a while.
		compact: []string{`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`},
		index:   ` INDEXED BY ?`,
	}
}

// dsn names the file to the driver. Settings that hold for a connection go in
// here, because database/sql makes connections when it likes.
//
// synchronous=FULL syncs the log at each commit: in WAL mode NORMAL may lose
// the last commits at a power loss (SQLite's documentation of the pragma).
// secure_delete overwrites what is removed.
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

func (f *File) connect(ctx context.Context) (write, read *sql.DB, ready func(), err error) {
	if err := f.check(); err != nil {
		return nil, nil, nil, err
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	if write, read, err = f.connections(ctx); err != nil {
		unlock()
	}
	return write, read, unlock, err
}

func (f *File) connections(ctx context.Context) (write, read *sql.DB, err error) {
	path, err := filepath.Abs(f.Name())
	if err != nil {
		return nil, nil, err
	}
	if err := create(path); err != nil {
		return nil, nil, err
	}
	if f.opened, err = os.Lstat(path); err != nil {
		return nil, nil, err
	}
	if write, err = sql.Open("sqlite", dsn(path, f.Patience, false)); err != nil {
		return nil, nil, err
	}
	if read, err = sql.Open("sqlite", dsn(path, f.Patience, true)); err == nil {
		_, err = write.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
	}
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	return write, read, nil
}

// Queue opens a file for the queue of jobs, which brings its own tables. It has one
// connection, because SQLite refuses who comes second. Other processes wait here until
// ready is called.
func (f File) Queue(ctx context.Context) (db *sql.DB, ready func(), err error) {
	f.Patience = cmp.Or(f.Patience, 5*time.Second)
	write, read, ready, err := f.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	return write, ready, read.Close()
}

// Replaced notices a file that was put in the place of the open one. What is
// written into the old one would be lost.
func (f *File) Replaced() bool {
	info, err := os.Lstat(f.Name())
	return err != nil || !os.SameFile(info, f.opened)
}

// check refuses a state directory or a file of the database that others can look
// into or that is something else than a file. Missing ones are no error.
func (f *File) check() error {
	err := f.Dir.Prepare()
	if err == nil {
		name := f.Base + ".db"
		_, err = f.Dir.Stats(name, name+"-wal", name+"-shm", name+"-journal", f.Base+".lock")
	}
	if p, ok := errors.AsType[*problems.Problem](err); ok {
		return &Trouble{Class: Unsafe, Whole: strings.TrimSuffix(p.Message, "."), Next: p.Hint, Command: p.Command}
	}
	return err
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

// lock keeps other processes from opening or migrating the file at the same
// time: SQLite does not wait for a change of the journal mode.
func (f *File) lock(ctx context.Context) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, f.Patience)
	defer cancel()
	lock := flock.New(f.lockPath(), flock.SetPermissions(fileMode))
	locked, err := lock.TryLockContext(ctx, lockRetry)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	if !locked {
		return nil, &Trouble{What: "is being opened by another process, which did not finish", Next: "The lock file is " + f.lockPath() + "."}
	}
	return func() { _ = lock.Close() }, nil
}

// beforeMigration copies the file as it is. The name tells the schema and the time.
func (f *File) beforeMigration(ctx context.Context, db *sql.DB, version int64) error {
	path := fmt.Sprintf("%s.schema-%d.%s", f.Name(), version, time.Now().UTC().Format("20060102T150405.000000000Z"))
	// SQLite fills an empty file; made here, it has our mode from the start.
	if err := create(path); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (f *File) scratch(context.Context) (*sql.DB, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err == nil {
		db.SetMaxOpenConns(1) // each connection would have a memory of its own
	}
	return db, err
}

func (f *File) refused(error) bool { return false }

// trouble words SQLite's result codes, whose low byte is the class.
func (f *File) trouble(err error) *Trouble {
	var reported *sqlite.Error
	if !errors.As(err, &reported) {
		return nil
	}
	switch reported.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return &Trouble{What: "is locked by another process", Next: "Wait until it has finished, then try again."}
	case sqlite3.SQLITE_FULL:
		return &Trouble{What: "cannot grow: the disk is full", Next: "Free some space, then try again."}
	case sqlite3.SQLITE_READONLY:
		return &Trouble{What: "cannot be written: it is read-only", Next: "Make the state directory writable."}
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return &Trouble{What: "cannot be opened", Next: "Check who owns the state directory, and that it is writable for you."}
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM:
		return &Trouble{What: "cannot be read or written", Next: "Check the disk."}
	case sqlite3.SQLITE_INTERRUPT:
		return &Trouble{Class: Cancelled}
	}
	return &Trouble{Class: Corrupt, What: fmt.Sprintf("SQLite reports code %d", reported.Code())}
}
