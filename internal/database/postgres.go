package database

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Server is a PostgreSQL database. All who open it in one process share connections.
type Server struct {
	config *pgx.ConnConfig

	mu    sync.Mutex
	db    *Database
	users int
}

// share returns the open database, which open makes for the first one.
func (s *Server) share(open func() (*Database, error)) (_ *Database, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		if s.db, err = open(); err != nil {
			s.db = nil
			return nil, err
		}
	}
	s.users++
	return s.db, nil
}

// left takes one user away and reports whether it was the last one.
func (s *Server) left(db *Database) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != db {
		return true
	}
	if s.users--; s.users > 0 {
		return false
	}
	s.db = nil
	return true
}

// connectPatience is how long a connection may take to be made.
const connectPatience = 5 * time.Second

// ParseURL reads the URL of a PostgreSQL database, with the parameters of libpq.
// A server on another machine must be one whose certificate is verified, for its
// name too. No error holds what the URL holds.
func ParseURL(text string) (*Server, error) {
	at, err := url.Parse(strings.TrimSpace(text))
	if err != nil || at.Scheme != "postgres" && at.Scheme != "postgresql" {
		return nil, errors.New("is not a URL of the form postgresql://USER:PASSWORD@HOST:5432/DATABASE")
	}
	parameters := at.Query()
	if parameters.Get("sslmode") == "" && !local(at.Hostname()) && !local(parameters.Get("host")) {
		parameters.Set("sslmode", "verify-full")
		at.RawQuery = parameters.Encode()
	}
	config, err := pgx.ParseConfig(at.String())
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return nil, fmt.Errorf("names a file that cannot be read: %s", file.Path)
	case err != nil:
		return nil, errors.New("has a parameter that PostgreSQL's client does not take")
	case config.Database == "":
		return nil, errors.New("names no database")
	case !verified(&config.Config):
		return nil, errors.New("turns the verification of the server's certificate off: use sslmode=verify-full, or a server on this machine")
	}
	// A process that stands still in a transaction keeps the others out of the
	// record until the server ends it. Others wait a little longer than that.
	config.RuntimeParams["lock_timeout"], config.RuntimeParams["idle_in_transaction_session_timeout"] = "5s", "3s"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "mcp-partner"
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectPatience {
		config.ConnectTimeout = connectPatience
	}
	return &Server{config: config}, nil
}

// local reports a host that is this machine: a socket or a loopback address.
func local(host string) bool {
	return strings.HasPrefix(host, "/") || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// verified reports whether each server that may be asked is local, or proves its
// name.
func verified(config *pgconn.Config) bool {
	proves := func(host string, setup *tls.Config) bool {
		return local(host) || setup != nil && !setup.InsecureSkipVerify && setup.ServerName != ""
	}
	for _, other := range config.Fallbacks {
		if !proves(other.Host, other.TLSConfig) {
			return false
		}
	}
	return proves(config.Host, config.TLSConfig)
}

// OnServer is a database on a server.
func OnServer(s *Server, migrations fs.FS) Source { return Source{s, migrations} }

func (s *Server) kind() string         { return "postgres" }
func (s *Server) goose() goose.Dialect { return goose.DialectPostgres }

// Name names server and database, without who signs in.
func (s *Server) Name() string {
	return fmt.Sprintf("in the database %s of PostgreSQL at %s", s.config.Database, net.JoinHostPort(s.config.Host, strconv.Itoa(int(s.config.Port))))
}

// Replaced implements dialect: another server is noticed by what is in it.
func (s *Server) Replaced() bool { return false }

func (s *Server) statements() statements {
	return statements{
		// The lock is held before the first snapshot is taken, and is another one than
		// that of the migrations. Each schema is a database of its own.
		lock: `SELECT pg_advisory_xact_lock(1886221424, hashtext(current_schema()))`,
		facts: []fact{
			{"system identifier", `SELECT system_identifier FROM pg_control_system()`},
			// The control file says so only after the first checkpoint.
			{"timeline", `SELECT CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END`},
			{"database OID", `SELECT oid FROM pg_database WHERE datname = current_database()`},
			{"table OID", `SELECT 'schema_versions'::regclass::oid`},
		},
		snapshot: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		// Two snapshots that read alike see the same transactions.
		revision: `SELECT pg_current_snapshot()::text`,
		now:      `SELECT clock_timestamp()`,
		// The queue's own migrations make a trigger and remove it two versions later.
		foreign: `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
			WHERE c.relkind IN ('v', 'm') OR EXISTS (SELECT 1 FROM pg_rewrite WHERE ev_class = c.oid)
				OR EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND (relname, tgname) <> ('river_job', 'river_notify'))`,
		schema: catalog,
	}
}

// queueConnections bounds what the queue of jobs keeps open.
const queueConnections = 4

// queueLock keeps the migrations of the queue apart, which do not wait for each other.
const queueLock = `(1886221427, hashtext(current_schema()))`

// Queue returns connections for the queue of jobs, which brings tables of its own
// into the same schema. Their names begin with river_. Other processes wait here until
// ready is called.
func (s *Server) Queue(ctx context.Context) (pool *pgxpool.Pool, ready func(), err error) {
	config, err := pgxpool.ParseConfig(s.config.ConnString())
	if err != nil {
		return nil, nil, err
	}
	config.ConnConfig = s.config.Copy()
	config.ConnConfig.RuntimeParams["statement_timeout"] = "30s"
	config.MaxConns = queueConnections
	waiting := config.ConnConfig.Copy()
	waiting.RuntimeParams["lock_timeout"] = "30s"
	locked, err := pgx.ConnectConfig(ctx, waiting)
	if err != nil {
		return nil, nil, err
	}
	ready = func() { _ = locked.Close(context.WithoutCancel(ctx)) } // the lock ends with its connection
	if _, err = locked.Exec(ctx, `SELECT pg_advisory_lock`+queueLock); err == nil {
		pool, err = pgxpool.NewWithConfig(ctx, config)
	}
	if err != nil {
		ready()
	}
	return pool, ready, err
}

// Look lets do read a database on a server as it is, through connections that cannot
// write: no table is made. It fails where Open would.
func (s Source) Look(ctx context.Context, do func(Querier) error) (err error) {
	server, ok := s.dialect.(*Server)
	if !ok {
		return errors.ErrUnsupported
	}
	config := server.config.Copy()
	config.RuntimeParams["default_transaction_read_only"] = "on"
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	looking := &Database{Source: s, Read: db, Write: db, said: s.statements()}
	if err := looking.usable(ctx); err != nil {
		return err
	}
	if err := looking.onlyOwn(ctx); err != nil {
		return err
	}
	return do(db)
}

// usable reports why the tables could not be brought to this program's schema.
func (d *Database) usable(ctx context.Context) error {
	var homeless, standby, made, creates bool
	err := d.Read.QueryRowContext(ctx, `SELECT current_schema() IS NULL, pg_is_in_recovery(), to_regclass('schema_versions') IS NOT NULL,
		coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&homeless, &standby, &made, &creates)
	switch {
	case err != nil:
		return err
	case homeless:
		return reportedTrouble("3F000")
	case standby:
		return reportedTrouble("25006")
	}
	whole := false
	if made {
		if _, _, whole, err = d.versions(ctx); err != nil {
			return err
		}
	}
	if !whole && !creates {
		return reportedTrouble("42501")
	}
	return nil
}

// queueRights is whether the role may use the tables of the queue, or make them where
// they are missing. Rights in one string would be alternatives.
const queueRights = `SELECT CASE WHEN to_regclass('river_job') IS NULL THEN coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
	ELSE coalesce((SELECT bool_and(coalesce(has_table_privilege(to_regclass(name), privilege), false))
		FROM unnest(ARRAY['river_job', 'river_leader', 'river_queue']) AS name, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege)
		AND has_table_privilege(to_regclass('river_migration'), 'SELECT')
		AND has_sequence_privilege(to_regclass('river_job_id_seq'), 'USAGE'), false) END`

// CheckQueue reports why Queue could not be used. It makes nothing.
func (s *Server) CheckQueue(ctx context.Context) error {
	db := stdlib.OpenDB(*s.config)
	var allowed bool
	err := db.QueryRowContext(ctx, queueRights).Scan(&allowed)
	if err == nil && !allowed {
		err = &Trouble{Class: Unsafe, What: "cannot be opened: its role lacks privileges on the tables river_*, or may not make them",
			Next: "Start a server once as the owner of the tables, then grant what docs/deploy.md lists."}
	}
	return errors.Join(err, db.Close())
}

// catalog lists what the schema holds, but for the tables of the queue. Names of schemas are left out, because the
// tables are made once more in another one to compare.
const catalog = `WITH relation AS (SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind <> 'S' AND NOT starts_with(c.relname, 'river_'))
	SELECT replace(replace(line, quote_ident(current_schema()) || '.', ''), 'pg_temp.', '') FROM (
		SELECT concat_ws(' ', 'relation', relname, relkind, relrowsecurity) AS line FROM relation
		UNION ALL SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, attidentity, collname, pg_get_expr(adbin, adrelid))
			FROM relation JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
			LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum LEFT JOIN pg_collation ON pg_collation.oid = attcollation
		UNION ALL SELECT concat_ws(' ', 'constraint', relname, conname, pg_get_constraintdef(pg_constraint.oid)) FROM pg_constraint JOIN relation ON conrelid = relation.oid
		UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN relation ON indexrelid = relation.oid
		UNION ALL SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN relation ON tgrelid = relation.oid WHERE NOT tgisinternal
		UNION ALL SELECT concat_ws(' ', 'rule', relname, rulename) FROM pg_rewrite JOIN relation ON ev_class = relation.oid
		UNION ALL SELECT concat_ws(' ', 'policy', relname, polname) FROM pg_policy JOIN relation ON polrelid = relation.oid
	) AS lines ORDER BY line COLLATE "C"`

// migrationLock is another one than that of writers, which a migration takes too.
const migrationLock = `(1886221425, hashtext(current_schema()))`

func (s *Server) connect(ctx context.Context) (write, read *sql.DB, ready func(), err error) {
	writer := s.config.Copy()
	writer.RuntimeParams["statement_timeout"] = "30s" // readers keep nobody out
	write, read = stdlib.OpenDB(*writer), stdlib.OpenDB(*s.config)
	locked, err := read.Conn(ctx)
	var homeless bool
	if err == nil {
		err = locked.QueryRowContext(ctx, `SELECT current_schema() IS NULL, pg_advisory_lock`+migrationLock+`::text`).Scan(&homeless, new(any))
	}
	if homeless {
		err = reportedTrouble("3F000")
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, write.Close(), read.Close())
	}
	return write, read, func() {
		_, _ = locked.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock`+migrationLock) // else the connection ends with it
		_ = locked.Close()
	}, nil
}

func (s *Server) beforeMigration(context.Context, *sql.DB, int64) error { return nil }

// scratch is the schema of temporary tables, which is there after the first one.
func (s *Server) scratch(ctx context.Context) (*sql.DB, error) {
	config := s.config.Copy()
	config.RuntimeParams["search_path"] = "pg_temp"
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(1) // each connection has a schema of its own
	if _, err := db.ExecContext(ctx, `CREATE TABLE scratch (n integer)`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	_, err := db.ExecContext(ctx, `DROP TABLE scratch`)
	return db, err
}

func (s *Server) refused(err error) bool {
	reported, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (reported.Code == "42501" || reported.Code == "42883" || reported.Code == "0A000")
}

// trouble words what PostgreSQL reports, by the code alone: texts of the server may
// hold anything.
func (s *Server) trouble(err error) *Trouble {
	var reported *pgconn.PgError
	var unreached *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &reported):
		return reportedTrouble(reported.Code)
	case errors.As(err, &unreached):
		return &Trouble{What: "cannot be reached: " + unreachedCause(unreached), Next: "Check the server and the URL of --database-url-file."}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err):
		return &Trouble{What: "lost its connection to the server", Next: "Try again."}
	}
	return nil
}

// reportedTrouble words SQLSTATE codes, of which the first two letters are the class.
func reportedTrouble(code string) *Trouble {
	switch code {
	case "25P03":
		return &Trouble{What: "ended a transaction in which this program stood still for 3 seconds", Next: "Try again."}
	case "25006":
		return &Trouble{What: "cannot be written: the server is a standby or read-only", Next: "Name the primary server in the URL of --database-url-file."}
	case "55P03", "40001", "40P01", "57014":
		return &Trouble{What: "is locked by another process", Next: "Wait until it has finished, then try again."}
	case "3D000", "3F000":
		return &Trouble{What: "cannot be opened: the database or its schema does not exist", Next: "Create it, or correct the URL of --database-url-file."}
	case "42501":
		return &Trouble{What: "cannot be used: its role lacks a privilege", Next: "Let the role create and use tables in its schema."}
	case "53100":
		return &Trouble{What: "cannot grow: the server's disk is full", Next: "Free some space, then try again."}
	}
	switch code[:min(2, len(code))] {
	case "28":
		return &Trouble{What: "refuses the sign-in", Next: "Check user and password in the URL of --database-url-file."}
	case "08", "53", "57":
		return &Trouble{What: "is not available: the server reports " + code, Next: "Check the server, then try again."}
	}
	return &Trouble{Class: Corrupt, What: "PostgreSQL reports code " + code}
}

func unreachedCause(err error) string {
	var number syscall.Errno
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return "its certificate is not trusted, or is for another name"
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &name):
		return "there is no host of that name"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "what answers is not PostgreSQL with TLS"
}
