package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
)

// eachWrite calls every method that writes, and returns the errors.
func (h *house) eachWrite() map[string]error {
	e := event(guard.KindIntent, intent("stdio", "contoso", "1234567"))
	_, put := h.PutTicket(ctx(), ticket("ap_new", e.Intent), 10, e)
	_, decide := h.DecideTicket(ctx(), "ap_1", guard.Decision{}, e, nil)
	_, _, spend := h.SpendTicket(ctx(), "ap_1", e)
	_, add := h.Append(ctx(), e)
	approver := putUser(h, guard.User{Name: "eve"}, e)
	remove := removeUser(h, "ada", e)
	_, prune := h.Prune(ctx(), noon().Add(time.Hour))
	return map[string]error{"put": put, "decide": decide, "spend": spend, "append": add, "approver": approver,
		"remove": remove, "freeze": h.SetFreeze(ctx(), guard.Freeze{Writes: true}, e), "prune": prune}
}

func TestLockedFileChangesNothing(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.patience = 20 * time.Millisecond
	h.reopen()
	h.put("ap_1")
	err := putUser(h, guard.User{Name: "ada"}, event(guard.KindUser, guard.Intent{}))
	h.must(err)
	other, err := sql.Open("sqlite", h.name)
	h.must(err)
	defer other.Close()
	other.SetMaxOpenConns(1)
	_, err = other.Exec(`BEGIN EXCLUSIVE`)
	h.must(err)
	for name, err := range h.eachWrite() {
		t.Run(name, func(t *testing.T) {
			problemOf(t, err, "vault_unavailable", h.name, "locked", "Nothing is written to Azure")
		})
	}
	_, err = other.Exec(`ROLLBACK`)
	h.must(err)
	if events := h.events(); len(events) != 2 {
		t.Errorf("%+v", events)
	}
	if spent, _, err := h.SpendTicket(ctx(), "ap_1"); !spent || err != nil {
		t.Error(spent, err)
	}
}

// A file size limit simulates a full disk: SQLite reports the same error.
func TestFullDiskChangesNothing(t *testing.T) {
	t.Parallel()
	h := furnish(build(t))
	want, err := h.shown()
	h.must(err)
	db, err := h.use(ctx())
	h.must(err)
	var pages int
	h.must(db.Write.QueryRow(`PRAGMA page_count`).Scan(&pages))
	h.must(db.Write.QueryRow(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)).Scan(&pages))
	big := guard.Event{Time: noon(), Kind: guard.KindConfirmed, Detail: strings.Repeat("x", 20_000)}
	spent, _, err := h.SpendTicket(ctx(), "ap_1", big)
	problemOf(t, err, "vault_unavailable", h.name, "the disk is full", "Nothing is written to Azure")
	_, err = h.Append(ctx(), event(guard.KindRefusal, guard.Intent{}), big)
	problemOf(t, err, "vault_unavailable", "the disk is full")
	h.must(db.Write.QueryRow(`PRAGMA max_page_count = 1000000`).Scan(&pages))
	got, err := h.shown()
	h.must(err)
	if spent || !reflect.DeepEqual(got, want) {
		t.Error("something was changed")
	}
	h.whole()
}

func TestCancelledCalls(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		gone, cancel := context.WithCancel(ctx())
		cancel()
		spent, _, err := h.SpendTicket(gone, "ap_1")
		problemOf(t, err, "cancelled", h.name)
		late, cancel := context.WithTimeout(ctx(), 0)
		defer cancel()
		_, err = h.Append(late, event(guard.KindIntent, guard.Intent{}))
		problemOf(t, err, "vault_unavailable", "in time")
		if spent || len(h.events()) != 1 {
			t.Error("something was changed")
		}
	})
}

func TestClosedLedgerRefusesCalls(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.must(h.Close())
		h.must(h.Close())
		_, err := h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
		problemOf(t, err, "vault_unavailable", "closed")
	})
}

func TestFilesAreCreatedAtFirstUse(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.must(h.Close())
	if entries, err := os.ReadDir(h.dir); err != nil || len(entries) > 0 {
		t.Error(entries, err)
	}
}

func TestFilesAreReadableByOwnerOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("file modes mean nothing there")
	}
	h := build(t)
	h.put("ap_1")
	seen := 0
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.lock"} {
		info, err := os.Lstat(filepath.Join(h.dir, name))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
		seen++
	}
	if entries, err := os.ReadDir(h.dir); err != nil || len(entries) != seen {
		t.Error(entries, err)
	}
}

func TestUnsafeFilesAreRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("file modes mean nothing there")
	}
	for name, test := range map[string]struct {
		spoil func(h *house) error
		what  string
	}{
		"open directory": {func(h *house) error { return os.Chmod(h.dir, 0o755) }, "chmod 700"},
		"open file":      {func(h *house) error { return os.Chmod(h.name, 0o640) }, "chmod 600"},
		"open log": {func(h *house) error {
			return errors.Join(os.WriteFile(h.name+"-wal", nil, 0o600), os.Chmod(h.name+"-wal", 0o604))
		}, "chmod 600"},
		"linked file": {func(h *house) error {
			return errors.Join(os.Rename(h.name, h.name+".away"), os.Symlink(h.name+".away", h.name))
		}, "symbolic link"},
		"linked log": {func(h *house) error { return os.Symlink("/dev/null", h.name+"-wal") }, "symbolic link"},
		"linked lock": {func(h *house) error {
			return errors.Join(os.Remove(filepath.Join(h.dir, "ledger.lock")), os.Symlink("x", filepath.Join(h.dir, "ledger.lock")))
		}, "symbolic link"},
		"a directory": {func(h *house) error { return errors.Join(os.Remove(h.name), os.Mkdir(h.name, 0o700)) }, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := furnish(build(t))
			h.must(h.Close())
			h.must(test.spoil(h))
			h.reopen()
			_, err := h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
			problemOf(t, err, "vault_unavailable", test.what, "Nothing is written to Azure")
		})
	}
}

func TestDirectoryNamesAreEscapedForSQLite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a ?mode=memory&x=%41#'b")
	l := Open(Options{Dir: disk.New(dir), Keys: keysAt(t.TempDir())})
	defer l.Close()
	if _, err := l.Append(ctx(), event(guard.KindRefusal, guard.Intent{})); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "ledger.db")); err != nil || info.Size() == 0 {
		t.Error(info, err)
	}
}

func TestInvalidDatabaseFileIsRefused(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.must(os.WriteFile(h.name, []byte(strings.Repeat("this is no database. ", 400)), 0o600))
	_, err := h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
	problemOf(t, err, "vault_corrupt", h.name, "Nothing is written to Azure")
}

// later is this program's schema and one that does not exist yet.
func later(t *testing.T) fstest.MapFS {
	t.Helper()
	files, err := migrationFiles.ReadDir("migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	all := fstest.MapFS{"sqlite/99999_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE more (x TEXT) STRICT;\nALTER TABLE checkpoints ADD COLUMN note TEXT;\n")}}
	for _, file := range files {
		text, err := migrationFiles.ReadFile("migrations/sqlite/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		all["sqlite/"+file.Name()] = &fstest.MapFile{Data: text}
	}
	return all
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	h := furnish(build(t))
	h.reopen()
	h.source.Migrations = later(t)
	h.whole()
	backups, err := filepath.Glob(filepath.Join(h.dir, "ledger.db.schema-*"))
	if err != nil || len(backups) != 1 {
		t.Fatal(backups, err)
	}
	h.reopen()
	_, err = h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
	problemOf(t, err, "vault_unavailable", "schema 99999", "a newer mcp-partner", "Nothing was changed")
	h.must(h.Close())
	info, err := os.Stat(backups[0])
	h.must(err)
	if h.o.Dir.Exposed(info) {
		t.Error("the backup is open to others")
	}
	h.must(os.Rename(backups[0], h.name)) // the backup is a whole ledger
	h.reopen()
	if report := h.whole(); report.Entries != 13 {
		t.Errorf("%+v", report)
	}
}
