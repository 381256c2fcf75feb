// Package database opens the database of the program, so that the rest of it
// knows SQL and no driver. One process has one connection that writes.
package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
)

// maxReaders bounds the connections that read at the same time.
const maxReaders = 4

// Source says where a database is. It opens nothing.
type Source struct {
	dialect
	// Migrations has a folder for each kind of database, one file a version.
	Migrations fs.FS
}

// dialect is what differs between databases.
type dialect interface {
	// kind is the folder of the migrations.
	kind() string
	// Name is how messages name the database. It holds no password.
	Name() string
	// connect checks the place and returns connections to it. The function that is
	// returned ends what keeps other processes from opening it meanwhile.
	connect(ctx context.Context) (write, read *sql.DB, ready func(), err error)
	goose() goose.Dialect
	// scratch is an empty database of the same kind that ends when it is closed.
	scratch(ctx context.Context) (*sql.DB, error)
	// beforeMigration is called with an older database.
	beforeMigration(ctx context.Context, db *sql.DB, version int64) error
	// statements are the SQL that only this database has.
	statements() statements
	// refused reports an error by which the server answers and does not do what was asked.
	refused(err error) bool
	// trouble puts an error of the driver into words; nil for any other error.
	trouble(err error) *Trouble
	// Replaced reports whether another database took the place of the open one.
	Replaced() bool
}

// statements are SQL of one kind of database. One that is empty is not needed.
type statements struct {
	// lock begins a transaction that writes, while others wait.
	lock string
	// facts tell a server from another one that answers to the same name, and from
	// itself after it was restored. They go with lock.
	facts []fact
	// snapshot is how a transaction reads one state; nil where any does.
	snapshot *sql.TxOptions
	// revision changes with whatever another connection commits. It is bounded where
	// the driver bounds how long the answer takes.
	revision string
	bounded  bool
	// now asks for the time, where others share the database from machines whose
	// clocks differ.
	now string
	// foreign counts what would do something by itself; schema lists tables and
	// indexes as text; integrity lists damage, or ok.
	foreign, schema, integrity string
	// compact leaves nothing behind of rows that were removed.
	compact []string
	// index names the index that a query takes.
	index string
}

// fact is a query of one value, and what that value is.
type fact struct{ name, query string }

// Database is an open database.
type Database struct {
	Source
	// Withheld names the facts that the server does not tell this role.
	Withheld []string
	// Read are connections that read. Write is the one that writes, which Begin
	// takes while no other process writes.
	Read, Write *sql.DB

	said    statements
	place   string
	commits commits
}

// Open checks the place, connects, and brings the tables to this program's
// schema, one process at a time.
func (s Source) Open(ctx context.Context) (*Database, error) {
	if server, ok := s.dialect.(*Server); ok {
		return server.share(func() (*Database, error) { return s.open(ctx) })
	}
	return s.open(ctx)
}

func (s Source) open(ctx context.Context) (*Database, error) {
	write, read, ready, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer ready()
	// One writer in the process: callers queue here and can be cancelled, in
	// place of waiting for each other in the database.
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(maxReaders + 2) // one is for looking at changes, one for the locks of files
	read.SetMaxIdleConns(maxReaders)
	db := &Database{Source: s, Read: read, Write: write, said: s.statements()}
	db.commits = commits{from: read}
	if err := db.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.disconnect())
	}
	return db, nil
}

func (d *Database) prepare(ctx context.Context) error {
	if err := d.migrate(ctx); err != nil {
		return err
	}
	if err := d.askFacts(ctx); err != nil {
		return err
	}
	return d.onlyOwn(ctx)
}

// onlyOwn refuses what would do something by itself.
func (d *Database) onlyOwn(ctx context.Context) error {
	var foreign int
	err := d.Write.QueryRowContext(ctx, d.said.foreign).Scan(&foreign)
	if err == nil && foreign > 0 {
		return &Trouble{Class: Corrupt, What: "it has triggers or views, which this program does not create"}
	}
	return err
}

// Close ends all connections, unless others in this process use the same server.
func (d *Database) Close() error {
	if server, ok := d.dialect.(*Server); ok && !server.left(d) {
		return nil
	}
	return d.disconnect()
}

func (d *Database) disconnect() error {
	return errors.Join(d.commits.close(), d.Read.Close(), d.Write.Close())
}

// askFacts finds the facts that the server tells: managed ones may refuse some.
func (d *Database) askFacts(ctx context.Context) error {
	var told []string
	for _, f := range d.said.facts {
		if _, err := d.Write.ExecContext(ctx, f.query); d.refused(err) {
			d.Withheld = append(d.Withheld, f.name)
		} else if err != nil {
			return err
		} else {
			told = append(told, "'"+f.name+"', ("+f.query+")::text")
		}
	}
	d.place = `, json_build_object(` + strings.Join(told, ", ") + `)::text`
	return nil
}

// Begin begins the only transaction that writes, over all processes. It returns also
// the facts about the server, as JSON of their names; "" for a file.
func (d *Database) Begin(ctx context.Context) (tx *sql.Tx, place string, err error) {
	tx, err = d.Write.BeginTx(ctx, nil)
	if err != nil || d.said.lock == "" {
		return tx, "", err
	}
	if err := tx.QueryRowContext(ctx, d.said.lock+d.place).Scan(new(any), &place); err != nil {
		return nil, "", errors.Join(err, tx.Rollback())
	}
	return tx, place, nil
}

// Snapshot begins a transaction that reads one state of the database.
func (d *Database) Snapshot(ctx context.Context) (*sql.Tx, error) {
	return d.Read.BeginTx(ctx, d.said.snapshot)
}

// Now is the time of the database, or that of this machine where no other one uses
// the database.
func (d *Database) Now(ctx context.Context, q Querier) (now time.Time, err error) {
	if d.said.now == "" {
		return time.Now(), nil
	}
	err = q.QueryRowContext(ctx, d.said.now).Scan(&now)
	return now, err
}

// Revision tells one state of the database from every other one that this
// process sees.
type Revision struct {
	// Connection counts the connections that were asked. A new one may lead to another
	// server.
	Connection int64
	version    string
}

// Revision asks whether anything was committed. What came before the call is in
// the answer.
func (d *Database) Revision(ctx context.Context) (Revision, error) {
	if d.said.bounded {
		ctx = context.WithoutCancel(ctx) // one that can end would cost more than the question
	}
	return d.commits.now(ctx, d.said.revision)
}

// commits tells whether something was committed. SQLite counts for each
// connection what the others commit, and not what it commits itself; so this one
// is kept for the question, and writes nothing.
type commits struct {
	from *sql.DB

	// mu is held by one look at a time.
	mu         sync.Mutex
	conn       *sql.Conn
	version    *sql.Stmt
	connection int64
}

func (c *commits) now(ctx context.Context, question string) (r Revision, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		if err := c.connect(ctx, question); err != nil {
			return Revision{}, err
		}
	}
	r.Connection = c.connection
	if err := c.version.QueryRowContext(ctx).Scan(&r.version); err != nil {
		return Revision{}, errors.Join(err, c.disconnect())
	}
	return r, nil
}

// connect begins a count that is comparable with none before it.
func (c *commits) connect(ctx context.Context, question string) (err error) {
	if c.conn, err = c.from.Conn(ctx); err != nil {
		return err
	}
	c.connection++
	if c.version, err = c.conn.PrepareContext(ctx, question); err != nil {
		return errors.Join(err, c.disconnect())
	}
	return nil
}

func (c *commits) disconnect() error {
	var err error
	if c.version != nil {
		err = c.version.Close()
	}
	err = errors.Join(err, c.conn.Close())
	c.conn, c.version = nil, nil
	return err
}

func (c *commits) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	return c.disconnect()
}

// Index is the clause behind a table's name that makes a query take an index,
// where the database would not find it by itself.
func (d *Database) Index(name string) string { return strings.ReplaceAll(d.said.index, "?", name) }

// Compact leaves nothing behind of rows that were removed, as far as the database
// can.
func (d *Database) Compact(ctx context.Context) error {
	for _, statement := range d.said.compact {
		if _, err := d.Write.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Querier is a database or a transaction.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Damage is what the database finds wrong with its own structure.
func (d *Database) Damage(ctx context.Context, q Querier) (found []string, err error) {
	if d.said.integrity == "" {
		return nil, nil
	}
	lines, err := texts(ctx, q, d.said.integrity)
	if len(lines) == 1 && lines[0] == "ok" {
		return nil, err
	}
	return lines, err
}

// texts returns the only column of a query.
func texts(ctx context.Context, q Querier, query string) (all []string, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// migrate brings the tables to this program's schema. A newer one is refused, an
// older one is first kept as the dialect keeps it.
func (d *Database) migrate(ctx context.Context) error {
	provider, has, whole, err := d.versions(ctx)
	if err != nil || whole {
		return err
	}
	if has > 0 {
		if err := d.beforeMigration(ctx, d.Write, has); err != nil {
			return err
		}
	}
	_, err = provider.Up(ctx)
	return err
}

// versions returns the schema that the database has, and whether it is this program's.
func (d *Database) versions(ctx context.Context) (provider *goose.Provider, has int64, whole bool, err error) {
	if provider, err = d.provider(d.Write); err != nil {
		return nil, 0, false, err
	}
	has, wants, err := provider.GetVersions(ctx)
	if err == nil && has > wants {
		err = &Trouble{Class: Unsafe, What: fmt.Sprintf("has schema %d, and this program knows schemas up to %d: a newer mcp-partner wrote it", has, wants),
			Next: "Use that version of mcp-partner or a later one. Nothing was changed."}
	}
	return provider, has, has == wants, err
}

func (d *Database) provider(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(d.Migrations, d.kind())
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d.goose(), db, folder, goose.WithDisableGlobalRegistry(true), goose.WithTableName("schema_versions"))
}

// AsMigrated reports whether the tables are those that the migrations make.
func (d *Database) AsMigrated(ctx context.Context, q Querier) (bool, error) {
	empty, err := d.scratch(ctx)
	if err != nil {
		return false, err
	}
	defer empty.Close()
	provider, err := d.provider(empty)
	if err != nil {
		return false, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return false, err
	}
	expected, err := texts(ctx, empty, d.said.schema)
	if err != nil {
		return false, err
	}
	found, err := texts(ctx, q, d.said.schema)
	return strings.Join(found, "\n") == strings.Join(expected, "\n"), err
}

// Class is what follows from a trouble.
type Class int

// The classes. Unavailable may be over at the next try, Unsafe stays until a
// person acts, Corrupt means that the content is not what was written.
const (
	Unavailable Class = iota
	Unsafe
	Corrupt
	Cancelled
)

// Trouble says why a database cannot be used.
type Trouble struct {
	Class Class
	// Whole is all that there is to say where it is not about the database, but a file.
	Whole string
	// What continues a sentence about the database; Next says what to do, Command
	// what to run.
	What, Next, Command string
}

// Error implements error.
func (t *Trouble) Error() string { return cmp.Or(t.Whole, t.What) }

// Trouble puts any error into words. The text of a foreign error is never copied:
// it may hold a password.
func (s Source) Trouble(err error) *Trouble {
	var known *Trouble
	if errors.As(err, &known) {
		return known
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &Trouble{Class: Cancelled}
	case errors.Is(err, context.DeadlineExceeded):
		return &Trouble{What: "was not available in time", Next: "Try again."}
	}
	if known = s.trouble(err); known != nil {
		return known
	}
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return &Trouble{What: "cannot be used: " + number.Error(), Next: "Check the disk and who owns the file."}
	case errors.Is(err, fs.ErrPermission):
		return &Trouble{What: "cannot be used: permission denied", Next: "Check who owns the file."}
	}
	return &Trouble{What: "cannot be used", Next: "Examine the state directory."}
}

// Damaged reports whether the database found itself to be broken.
func (s Source) Damaged(err error) bool {
	found := s.trouble(err)
	return found != nil && found.Class == Corrupt
}
