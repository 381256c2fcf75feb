package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

func embeddedMigrations() fs.FS {
	folder, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the pattern above has that folder
	}
	return folder
}

// migrate brings the file to this program's schema. A newer one is refused, an
// older one is first copied beside itself. The caller holds the lock.
func (l *Ledger) migrate(ctx context.Context, db *sql.DB) error {
	provider, err := l.provider(db)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
		return err
	}
	has, wants, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case has > wants:
		return l.unsafe("The ledger "+l.path, fmt.Sprintf("has schema %d, and this program knows schemas up to %d: a newer mcp-partner wrote it", has, wants), "Use that version of mcp-partner or a later one. The file was not changed.")
	case has == wants:
		return nil
	case has > 0:
		if err := l.backUp(ctx, db, has); err != nil {
			return err
		}
	}
	_, err = provider.Up(ctx)
	return err
}

// backUp copies the file as it is. The name tells the schema and the time.
func (l *Ledger) backUp(ctx context.Context, db *sql.DB, version int64) error {
	path := l.o.Dir.File(fmt.Sprintf("%s.schema-%d.%s", fileName, version, l.o.Now().UTC().Format("20060102T150405.000000000Z")))
	// SQLite fills an empty file; made here, it has our mode from the start.
	if err := create(path); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (l *Ledger) provider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, l.migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithTableName("schema_versions"))
}

// expectedSchema makes the tables anew, in memory.
func (l *Ledger) expectedSchema(ctx context.Context) (string, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "", err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	provider, err := l.provider(db)
	if err != nil {
		return "", err
	}
	if _, err := provider.Up(ctx); err != nil {
		return "", err
	}
	return schemaOf(ctx, db)
}

// schemaOf returns the tables and indexes of a file as text.
func schemaOf(ctx context.Context, q querier) (string, error) {
	var all strings.Builder
	err := query(ctx, q, func(scan scanner) error {
		var one string
		err := scan(&one)
		all.WriteString(one + "\n")
		return err
	}, `SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name`)
	return all.String(), err
}
