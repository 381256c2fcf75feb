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
	"time"

	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/flight"
	"mcp-partner/schemas/problems"
)

const (
	// patience is how long one question to the database may take.
	patience = 30 * time.Second
	// lockRetry is the pause between two attempts to take a lock.
	lockRetry = 5 * time.Millisecond
)

// Files implements disk.Files. It opens the database at its first use.
type Files struct {
	source database.Source
	looks  *flight.Latest[map[string]disk.Version]

	opening sync.Mutex
	db      *database.Database

	// locks are those of this process.
	locks session
}

// New returns the files in a database, whose tables the migrations make.
func New(server *database.Server, migrations fs.FS) *Files {
	f := &Files{source: database.OnServer(server, migrations)}
	f.looks = flight.NewLatest(f.look)
	f.locks.files = f
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
	return versions, f.problem("The files", err)
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
	data, version, err := f.read(ctx, name, offset)
	return data, version, f.problem("The file "+name, err)
}

func (f *Files) read(ctx context.Context, name string, offset int64) (data []byte, version disk.Version, err error) {
	db, err := f.use(ctx)
	if err != nil {
		return nil, version, err
	}
	rows, err := db.Read.QueryContext(ctx, `SELECT f.version, f.size, p.at, p.bytes FROM files f LEFT JOIN file_parts p
		ON p.name = f.name AND p.at >= (SELECT max(at) FROM file_parts WHERE name = $1 AND at <= $2)
		WHERE f.name = $1 ORDER BY p.at`, name, offset)
	if err != nil {
		return nil, version, err
	}
	defer rows.Close()
	begin := offset
	for rows.Next() {
		var at sql.NullInt64
		var part []byte
		if err := rows.Scan(&version.ID, &version.Size, &at, &part); err != nil {
			return nil, version, err
		}
		if data == nil {
			data, begin = []byte{}, at.Int64
		}
		if at.Int64 != begin+int64(len(data)) {
			return nil, version, errTorn
		}
		data = append(data, part...)
	}
	if err := rows.Err(); err != nil || data == nil {
		return nil, version, err
	}
	if begin > offset || begin+int64(len(data)) != version.Size {
		return nil, version, errTorn
	}
	return data[min(offset-begin, int64(len(data))):], version, nil
}

// errTorn means that the parts of a file are not those that were written.
var errTorn = errors.New("torn")

// errNotLocked means that a file is written without a lock, or after its loss.
var errNotLocked = errors.New("not locked")

// Write implements disk.Files.
func (f *Files) Write(name string, at int64, data []byte) error {
	if at > 0 {
		versions, err := f.Versions()
		if err != nil {
			return err
		}
		if versions[name].Size > at { // a part of a line came with the file from a disk
			before, _, err := f.Read(name, 0)
			if err != nil || int64(len(before)) < at {
				return errors.Join(err, f.problem("The file "+name, errTorn))
			}
			at, data = 0, append(before[:at:at], data...)
		}
	}
	return f.problem("The file "+name, f.locks.change(func(ctx context.Context, tx *sql.Tx) error {
		if at > 0 {
			return extend(ctx, tx, name, at, data)
		}
		return replace(ctx, tx, name, data)
	}))
}

func replace(ctx context.Context, tx *sql.Tx, name string, data []byte) error {
	return all(ctx, tx,
		statement{`DELETE FROM files WHERE name = $1`, []any{name}},
		statement{`INSERT INTO files (name, version, size) VALUES ($1, $2, $3)`, []any{name, rand.Text(), len(data)}},
		statement{`INSERT INTO file_parts (name, at, bytes) VALUES ($1, 0, $2)`, []any{name, data}})
}

func extend(ctx context.Context, tx *sql.Tx, name string, at int64, data []byte) error {
	result, err := tx.ExecContext(ctx, `UPDATE files SET size = $3 WHERE name = $1 AND size = $2`, name, at, at+int64(len(data)))
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errTorn)
	}
	return all(ctx, tx, statement{`INSERT INTO file_parts (name, at, bytes) VALUES ($1, $2, $3)`, []any{name, at, data}})
}

// Remove implements disk.Files.
func (f *Files) Remove(name string) error {
	return f.problem("The file "+name, f.locks.change(func(ctx context.Context, tx *sql.Tx) error {
		return all(ctx, tx, statement{`DELETE FROM files WHERE name = $1`, []any{name}})
	}))
}

type statement struct {
	text string
	args []any
}

func all(ctx context.Context, tx *sql.Tx, statements ...statement) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// Lock implements disk.Files.
func (f *Files) Lock(ctx context.Context, name string) (func(), error) {
	for {
		locked, err := f.locks.try(ctx, name)
		if err != nil {
			return nil, f.problem("The files", err)
		}
		if locked {
			return func() { f.locks.release(name) }, nil
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// session is the connection that holds the locks of this process and writes. The
// server ends both together: what is written was written under the lock.
type session struct {
	files *Files

	mu   sync.Mutex
	conn *sql.Conn
	held map[string]bool
}

const (
	lockKey = `(hashtextextended(current_schema() || '/' || $1, 1886221426))`
	// stillQuery sets after which time the server ends a session that stands still,
	// while others wait for its locks.
	stillQuery = `SELECT set_config('idle_session_timeout', $1, false)`
)

func (s *session) try(ctx context.Context, name string) (locked bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[name] {
		return false, nil
	}
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	// The question is short, and one that is cut off would take the connection with it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := s.conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock`+lockKey, name).Scan(&locked); err != nil {
		s.abandon()
		return false, err
	}
	if locked {
		s.held[name] = true
	}
	return locked, s.end(ctx)
}

// begin takes a connection. After its loss there is none until every lock that it
// had is given up.
func (s *session) begin(ctx context.Context) error {
	switch {
	case s.conn != nil:
		return nil
	case len(s.held) > 0:
		return errNotLocked
	}
	db, err := s.files.use(ctx)
	if err != nil {
		return err
	}
	s.held = map[string]bool{}
	conn, err := db.Read.Conn(ctx)
	if err != nil {
		return err
	}
	s.conn = conn
	if _, err = conn.ExecContext(ctx, stillQuery, "8s"); err != nil {
		s.abandon()
	}
	return err
}

// end gives the connection back that holds no lock.
func (s *session) end(ctx context.Context) error {
	if s.conn == nil || len(s.held) > 0 {
		return nil
	}
	if _, err := s.conn.ExecContext(ctx, stillQuery, "0"); err != nil {
		s.abandon()
		return err
	}
	conn := s.conn
	s.conn = nil
	return conn.Close()
}

// abandon closes the connection, and so gives up the locks.
func (s *session) abandon() {
	if s.conn == nil {
		return
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // so that the pool does not keep it
	_ = s.conn.Close()
	s.conn = nil
}

func (s *session) release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, name)
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var was bool
	err := s.conn.QueryRowContext(ctx, `SELECT pg_advisory_unlock`+lockKey, name).Scan(&was)
	if err != nil || !was {
		s.abandon()
		return
	}
	_ = s.end(ctx) // else the connection ends
}

// change writes in one transaction of the session.
func (s *session) change(do func(context.Context, *sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return errNotLocked
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err == nil {
		if err = do(ctx, tx); err != nil {
			err = errors.Join(err, tx.Rollback())
		} else {
			err = tx.Commit()
		}
	}
	if err != nil {
		s.abandon()
	}
	return err
}

// problem words an error by what the database says of it.
func (f *Files) problem(what string, err error) error {
	var known *problems.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, errNotLocked):
		err = &database.Trouble{What: "cannot be changed: the lock on them was lost", Next: "Try again."}
	case errors.Is(err, errTorn):
		return problems.New(problems.CodeVaultCorrupt, what+" "+f.Place()+" is damaged: parts of it are missing.",
			problems.WithCommand("Restore the database from a backup.", "mcp-partner doctor"))
	}
	t := f.source.Trouble(err)
	p := problems.New(problems.CodeVaultUnavailable, what+" "+f.Place()+" "+t.What+".", problems.WithCommand(t.Next, "mcp-partner doctor"))
	switch t.Class {
	case database.Cancelled:
		return problems.New(problems.CodeCancelled, "The caller disconnected while the files "+f.Place()+" were being used.")
	case database.Corrupt:
		p.Code = problems.CodeVaultCorrupt
	case database.Unsafe:
		p.Retryable = false
	}
	return p
}
