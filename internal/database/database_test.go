package database

import (
	"context"
	"testing"
	"testing/fstest"

	"mcp-partner/internal/disk"
)

// migrations make one table.
func migrations() fstest.MapFS {
	return fstest.MapFS{"sqlite/00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT) STRICT;\n")}}
}

func open(t *testing.T, source Source) *Database {
	t.Helper()
	db, err := source.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (d *Database) note(t *testing.T, n int) {
	t.Helper()
	tx, _, err := d.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`INSERT INTO notes (n, body) VALUES ($1, 'x')`, n); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (d *Database) revision(t *testing.T) Revision {
	t.Helper()
	r, err := d.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRevisionChangesWithEachCommit(t *testing.T) {
	t.Parallel()
	db := open(t, InFile(File{Dir: disk.New(t.TempDir() + "/state"), Base: "notes"}, migrations()))
	before := db.revision(t)
	if again := db.revision(t); again != before {
		t.Errorf("%+v and %+v with nothing between", before, again)
	}
	db.note(t, 1)
	if after := db.revision(t); after == before {
		t.Error("a commit is not noticed")
	}
}

// A connection that broke begins a count of its own: nothing that was read before
// stands for what is there now.
func TestReconnectChangesRevision(t *testing.T) {
	t.Parallel()
	db := open(t, InFile(File{Dir: disk.New(t.TempDir() + "/state"), Base: "notes"}, migrations()))
	before := db.revision(t)
	if err := db.commits.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := db.Revision(t.Context()); err == nil {
		t.Errorf("an answer without a connection: %+v", r)
	}
	if after := db.revision(t); after.Connection == before.Connection {
		t.Errorf("revisions %+v and %+v", before, after)
	}
}
