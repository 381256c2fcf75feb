// Package sharedfiles keeps the files of a state directory in the database, where
// every replica sees them.
package sharedfiles

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/flight"
	"mcp-partner/schemas/problems"
)

// patience is how long one question to the database may take.
const patience = 30 * time.Second

// Files implements disk.Files. It opens the database at its first use.
type Files struct {
	source database.Source
	looks  *flight.Latest[map[string]disk.Version]

	opening sync.Mutex
	db      *database.Database

	// turn is taken by the lock that this process holds, on the connection locked.
	turn   chan struct{}
	locked atomic.Pointer[sql.Conn]
}

// New returns the files in a database, whose tables the migrations make.
func New(server *database.Server, migrations fs.FS) *Files {
	f := &Files{source: database.OnServer(server, migrations), turn: make(chan struct{}, 1)}
	f.looks = flight.NewLatest(f.look)
	return f
}

// Place names the database in messages.
func (f *Files) Place() string { return f.source.Name() }

// Close lets go of the database. A later use opens it again.
func (f *Files) Close() error {
	f.opening.Lock()
	defer f.opening.Unlock()
	db := f.db
	f.db = nil
	if db == nil {
		return nil
	}
	return db.Close()
}

func (f *Files) use(ctx context.Context) (db *database.Database, err error) {
	f.opening.Lock()
	defer f.opening.Unlock()
	if f.db == nil {
		f.db, err = f.source.Open(ctx)
	}
	return f.db, err
}

// Versions implements disk.Files. Calls that come during one look share the next.
func (f *Files) Versions() (map[string]disk.Version, error) {
	versions, err := f.looks.Get(context.Background())
	return versions, f.problem(table, err)
}

func (f *Files) look(ctx context.Context) (map[string]disk.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db, err := f.use(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.Read.QueryContext(ctx, `SELECT name, version, size FROM files`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]disk.Version{}
	for rows.Next() {
		var name string
		var v disk.Version
		if err := rows.Scan(&name, &v.ID, &v.Size); err != nil {
			return nil, err
		}
		found[name] = v
	}
	return found, rows.Err()
}

// Read implements disk.Files.
func (f *Files) Read(name string, offset int64) ([]byte, disk.Version, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var data []byte
	var version disk.Version
	db, err := f.use(ctx)
	if err == nil {
		data, version, err = read(ctx, db.Read, name, offset)
	}
	return data, version, f.problem("The file "+name, err)
}

// Look reads files of a database that this program may not have used yet, and makes
// nothing in it. It calls do for what else is read, unless there are no tables. A role
// that may not write files is an error.
func (f *Files) Look(ctx context.Context, names []string, do func(database.Querier) error) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found := map[string][]byte{}
	return found, f.problem(table, f.source.Look(ctx, func(q database.Querier) error {
		var made, writes bool
		err := q.QueryRowContext(ctx, `SELECT to_regclass('files') IS NOT NULL, coalesce(has_table_privilege(to_regclass('files'), 'INSERT'), false)`).Scan(&made, &writes)
		switch {
		case err != nil || !made:
			return err
		case !writes:
			return &database.Trouble{What: "cannot be written: its role lacks the privilege", Next: "Let the role insert into the table files."}
		}
		for _, name := range names {
			data, version, err := read(ctx, q, name, 0)
			if err != nil {
				return err
			}
			if version.ID != "" {
				found[name] = data
			}
		}
		return do(q)
	}))
}

func read(ctx context.Context, q database.Querier, name string, offset int64) (data []byte, version disk.Version, err error) {
	rows, err := q.QueryContext(ctx, `SELECT f.version, f.size, p.at, p.bytes FROM files f JOIN file_parts p ON p.name = f.name
		WHERE f.name = $1 AND p.at >= (SELECT max(at) FROM file_parts WHERE name = $1 AND at <= $2) ORDER BY p.at`, name, offset)
	if err != nil {
		return nil, version, err
	}
	defer rows.Close()
	begin, end := int64(-1), int64(0)
	for rows.Next() {
		var at int64
		var part sql.RawBytes
		if err := rows.Scan(&version.ID, &version.Size, &at, &part); err != nil {
			return nil, version, err
		}
		if begin < 0 {
			data, begin = make([]byte, 0, version.Size-at), at
		}
		data, end = append(data, part...), at+int64(len(part))
	}
	switch err := rows.Err(); {
	case err != nil || begin < 0:
		return nil, version, err
	case end != version.Size || end-begin != int64(len(data)):
		return nil, version, errTorn
	}
	return data[min(offset-begin, int64(len(data))):], version, nil
}

// errTorn means that the parts of a file are not those that were written.
var errTorn = errors.New("torn")

// errNotLocked means that a file is written without a lock.
var errNotLocked = errors.New("not locked")

// Write implements disk.Files.
func (f *Files) Write(name string, at int64, data []byte) error {
	return f.change(name, func(ctx context.Context, tx *sql.Tx) error {
		if at > 0 {
			return extend(ctx, tx, name, at, data)
		}
		return replace(ctx, tx, name, data)
	})
}

func replace(ctx context.Context, tx *sql.Tx, name string, data []byte) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM files WHERE name = $1`, name)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO files (name, version, size) VALUES ($1, $2, $3)`, name, rand.Text(), len(data))
	}
	if err != nil {
		return err
	}
	return add(ctx, tx, name, 0, data)
}

func extend(ctx context.Context, tx *sql.Tx, name string, at int64, data []byte) error {
	result, err := tx.ExecContext(ctx, `UPDATE files SET size = $3 WHERE name = $1 AND size = $2`, name, at, at+int64(len(data)))
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errTorn)
	}
	return add(ctx, tx, name, at, data)
}

func add(ctx context.Context, tx *sql.Tx, name string, at int64, data []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO file_parts (name, at, bytes) VALUES ($1, $2, $3)`, name, at, data)
	return err
}

// Remove implements disk.Files.
func (f *Files) Remove(name string) error {
	return f.change(name, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM files WHERE name = $1`, name)
		return err
	})
}

// Lock implements disk.Files. This process holds one lock at a time. What is written
// meanwhile goes through the connection that holds it, so that no write comes after
// its loss. The server ends it for one that stands still while others wait.
func (f *Files) Lock(ctx context.Context, name string) (func(), error) {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, f.problem(table, ctx.Err())
	}
	conn, err := f.lock(ctx, name)
	if err != nil {
		<-f.turn
		return nil, f.problem(table, err)
	}
	f.locked.Store(conn)
	return func() {
		f.locked.Store(nil)
		unlock(conn)
		<-f.turn
	}, nil
}

func (f *Files) lock(ctx context.Context, name string) (*sql.Conn, error) {
	db, err := f.use(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := db.Read.Conn(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, `SELECT set_config('idle_session_timeout', '5s', false), set_config('lock_timeout', '9s', false)`)
	if err == nil {
		_, err = conn.ExecContext(ctx, `SELECT pg_advisory_lock(hashtextextended(current_schema() || '/' || $1, 1886221426))`, name)
	}
	if err != nil {
		unlock(conn)
	}
	return conn, err
}

// unlock gives the connection back as it was, or closes it.
func unlock(conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := conn.ExecContext(ctx, `SELECT set_config('idle_session_timeout', '0', false), set_config('lock_timeout', '5s', false), pg_advisory_unlock_all()::text`); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // so that the pool does not keep it
	}
	_ = conn.Close() // what cannot be closed is closed by the server
}

// change writes in one transaction, while a lock is held.
func (f *Files) change(name string, do func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn := f.locked.Load()
	if conn == nil {
		return f.problem("The file "+name, errNotLocked)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err == nil {
		defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
		if err = do(ctx, tx); err == nil {
			err = tx.Commit()
		}
	}
	return f.problem("The file "+name, err)
}

// table begins messages about all files.
const table = "The table of files"

// problem words an error by what the database says of it.
func (f *Files) problem(what string, err error) error {
	known, isKnown := errors.AsType[*problems.Problem](err)
	switch {
	case err == nil:
		return nil
	case isKnown:
		return known
	case problems.IsContext(err):
		return problems.OfContext(err, "Using the files "+f.Place())
	case errors.Is(err, errNotLocked):
		err = &database.Trouble{What: "cannot be changed without its lock", Next: "Try again."}
	case errors.Is(err, errTorn):
		err = &database.Trouble{Class: database.Corrupt, What: "is damaged: a part of it is missing", Next: "Restore the database from a backup."}
	}
	t := f.source.Trouble(err)
	p := problems.New(problems.CodeVaultUnavailable, what+" "+f.Place()+" "+t.What+".", problems.WithCommand(t.Next, "mcp-partner doctor"))
	if t.Class == database.Corrupt {
		p.Code = problems.CodeVaultCorrupt
	}
	p.Retryable = t.Class == database.Unavailable
	return p
}
