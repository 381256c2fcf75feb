package sharedfiles_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/database"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/sharedfiles"
	"mcp-partner/ledger"
	"mcp-partner/schemas/problems"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// machine is a state directory in a database, as one of several machines sees it.
func machine(t *testing.T, url string) (disk.Dir, *sharedfiles.Files) {
	t.Helper()
	server, err := database.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	files := sharedfiles.New(server, ledger.Migrations())
	t.Cleanup(func() { _ = files.Close() })
	where := disk.New(t.TempDir())
	where.Shared = &disk.Shared{Files: files, Place: files.Place(), URLFile: "/run/secrets/url"}
	return where, files
}

// onBoth runs a test with two views of a directory on a disk and in a database.
func onBoth(t *testing.T, test func(t *testing.T, one, two disk.Dir)) {
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		where := disk.New(t.TempDir())
		if err := os.Chmod(where.Path, 0o700); err != nil {
			t.Fatal(err)
		}
		test(t, where, where)
	})
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		url := pgtest.URL(t)
		one, _ := machine(t, url)
		two, _ := machine(t, url)
		test(t, one, two)
	})
}

func lock(t *testing.T, where disk.Dir, name string) func() {
	t.Helper()
	unlock, err := where.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

func read(t *testing.T, where disk.Dir, name string) string {
	t.Helper()
	data, _, err := where.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func stat(t *testing.T, where disk.Dir, name string) disk.Stamp {
	t.Helper()
	seen, err := where.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReplacedFileIsSeenByOthersAndKeepsItsPrevious(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, one, two disk.Dir) {
		if data, seen, err := two.Read("a.json"); data != nil || !seen.Missing() || err != nil {
			t.Fatalf("%q, %v, %v", data, seen, err)
		}
		defer lock(t, one, "a.lock")()
		var before disk.Stamp
		for _, content := range []string{"first", "nul\x00 and \xff", "", "same size"} {
			old := read(t, two, "a.json")
			check(t, one.Replace("a.json", []byte(content)))
			now := stat(t, two, "a.json")
			if read(t, two, "a.json") != content || now.Missing() || now.Same(before) || !now.Same(stat(t, one, "a.json")) {
				t.Errorf("%q is not seen", content)
			}
			if !before.Missing() && read(t, two, "a.json"+disk.PreviousMark) != old {
				t.Errorf("the previous version is not %q", old)
			}
			before = now
		}
		check(t, one.Remove("a.json"))
		check(t, one.Remove("a.json"))
		if !stat(t, two, "a.json").Missing() {
			t.Error("it is still there")
		}
		check(t, one.Write("a.json", []byte("same size")))
		if stat(t, two, "a.json").Same(before) {
			t.Error("a new file counts as the removed one")
		}
	})
}

func TestAppendedFileExtendsWhatWasRead(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, one, two disk.Dir) {
		defer lock(t, one, "a.lock")()
		var whole string
		var before disk.Stamp
		for i := range 5 {
			line := fmt.Sprintf("line %d\n", i)
			seen, err := one.Append("pins", int64(len(whole)), []byte(line))
			check(t, err)
			if !seen.Extends(before) || seen.Same(before) || !seen.Same(stat(t, two, "pins")) {
				t.Errorf("line %d does not extend the file", i)
			}
			got, _, err := two.ReadFrom("pins", int64(len(whole)))
			check(t, err)
			if whole += line; string(got) != line || read(t, two, "pins") != whole {
				t.Errorf("behind line %d: %q of %q", i, got, read(t, two, "pins"))
			}
			before = seen
		}
		rest, _, err := two.ReadFrom("pins", 1000)
		if len(rest) != 0 || err != nil {
			t.Errorf("behind the end: %q, %v", rest, err)
		}
	})
}

func TestChangesUnderOneLockAreNotLost(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, one, two disk.Dir) {
		var all sync.WaitGroup
		for i := range 40 {
			where := []disk.Dir{one, two}[i%2]
			all.Go(func() {
				unlock, err := where.Lock(context.Background(), "n.lock")
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
				data, _, err := where.Read("n")
				n, _ := strconv.Atoi(string(data))
				if err = errors.Join(err, where.Replace("n", []byte(strconv.Itoa(n+1)))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := read(t, one, "n"); got != "40" {
			t.Errorf("%s of 40 changes", got)
		}
	})
}

func TestInterruptedReplaceLeavesOneVersionWhole(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, one, two disk.Dir) {
		defer lock(t, one, "a.lock")()
		check(t, one.Replace("a", []byte("old")))
		for at := range 20 {
			steps, crashing := 0, one
			crashing.Step = func(string) error {
				if steps++; steps > at {
					return errors.New("crash")
				}
				return nil
			}
			err := crashing.Replace("a", []byte("new"))
			if got := read(t, two, "a"); got != "old" && got != "new" || err == nil && got != "new" {
				t.Fatalf("after %d steps: %q", at, got)
			}
			if err == nil {
				return
			}
		}
		t.Fatal("it never ended")
	})
}

func TestFileThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, one, two disk.Dir) {
		defer lock(t, one, "a.lock")()
		err := one.Replace("a", make([]byte, disk.MaxFileBytes+1))
		if p := problems.As(err); p.Code != problems.CodeVaultUnavailable || !strings.Contains(p.Message, "64 MiB") {
			t.Errorf("%v", err)
		}
		large := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
		check(t, one.Replace("a", large))
		if read(t, two, "a") != string(large) {
			t.Error("a file of 4 MiB came back as another one")
		}
	})
}

// A lock is lost with its connection: nothing is written any more under it.
func TestWriteAfterLostLockFails(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	one, files := machine(t, url)
	two, _ := machine(t, url)
	unlock := lock(t, one, "a.lock")
	check(t, one.Write("a", []byte("under the lock")))
	terminate(t, url)
	taken := lock(t, two, "a.lock")
	check(t, two.Write("a", []byte("of the other")))
	for range 2 {
		if p := problems.As(one.Write("a", []byte("too late"))); p.Code != problems.CodeVaultUnavailable {
			t.Errorf("%+v", p)
		}
	}
	unlock()
	taken()
	defer lock(t, one, "a.lock")()
	check(t, one.Write("a", []byte("again")))
	if got := read(t, two, "a"); got != "again" {
		t.Error(got)
	}
	if err := errors.Join(one.Remove("a"), files.Close()); err != nil {
		t.Error(err)
	}
}

func TestWriteWithoutLockFails(t *testing.T) {
	t.Parallel()
	one, _ := machine(t, pgtest.URL(t))
	if _, err := one.Stat("a"); err != nil {
		t.Fatal(err)
	}
	if p := problems.As(one.Write("a", []byte("x"))); !strings.Contains(p.Message, "lock") {
		t.Errorf("%+v", p)
	}
}

// terminate ends the connections of the program that are not used just now, with
// the locks that they have.
func terminate(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	check(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
		AND (objid, classid) IN (SELECT (h & 4294967295)::bigint::oid, ((h >> 32) & 4294967295)::bigint::oid
			FROM hashtextextended(current_schema() || '/a.lock', 1886221426) AS h)`)
	check(t, err)
}

func TestRoleNeedsRightsOnFilesAlone(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	owner, _ := machine(t, url)
	stat(t, owner, "a") // makes the tables
	db, err := sql.Open("pgx", url)
	check(t, err)
	defer db.Close()
	schema := url[strings.Index(url, "search_path=")+len("search_path="):]
	app, _ := machine(t, strings.Replace(url, "postgres:", "files_"+schema+":", 1))
	for _, statement := range []string{
		fmt.Sprintf(`CREATE ROLE files_%s LOGIN PASSWORD '%s'`, schema, pgtest.Password),
		fmt.Sprintf(`GRANT USAGE ON SCHEMA %s TO files_%[1]s`, schema),
		fmt.Sprintf(`GRANT SELECT ON ALL TABLES IN SCHEMA %s TO files_%[1]s`, schema),
	} {
		_, err := db.Exec(statement)
		check(t, err)
	}
	unlock := lock(t, app, "a.lock")
	if p := problems.As(app.Write("a", []byte("x"))); !strings.Contains(p.Message, "lacks a privilege") || strings.Contains(p.Message, pgtest.Password) {
		t.Errorf("%+v", p)
	}
	unlock()
	_, err = db.Exec(fmt.Sprintf(`GRANT INSERT, UPDATE, DELETE ON files, file_parts TO files_%s`, schema))
	check(t, err)
	defer lock(t, app, "a.lock")()
	check(t, app.Replace("a", []byte("x")))
	_, err = app.Append("a", 1, []byte("y"))
	check(t, err)
	if read(t, owner, "a") != "xy" {
		t.Error(read(t, owner, "a"))
	}
	check(t, app.Remove("a"))
}

func TestDatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ url, message string }{
		"nobody listens": {"postgresql://partner:hidden@127.0.0.1:1/partner", "refused"},
		"unknown host":   {"postgresql://partner:hidden@db.invalid/partner", "no host of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where, _ := machine(t, test.url)
			_, err := where.Stat("a")
			_, _, readErr := where.Read("a")
			_, lockErr := where.Lock(t.Context(), "a.lock")
			for _, err := range []error{err, readErr, lockErr} {
				p := problems.As(err)
				if p.Code != problems.CodeVaultUnavailable || !strings.Contains(p.Message, test.message) || strings.Contains(fmt.Sprint(p), "hidden") {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

// A person restores the previous version with the command that the hint gives.
func TestPreviousVersionIsRestoredBySQL(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	where, _ := machine(t, url)
	defer lock(t, where, "a.lock")()
	check(t, where.Replace("a", []byte("first")))
	check(t, where.Replace("a", []byte("second")))
	check(t, where.Write("mark", []byte("2")))
	now := stat(t, where, "a")
	p := problems.New(problems.CodeVaultCorrupt, "x", where.PreviousHint("a", "the last", "nothing", "mark"))
	command, ok := strings.CutPrefix(p.Command, `psql "$(cat /run/secrets/url)" -c "`)
	if !ok {
		t.Fatalf("%+v", p)
	}
	db, err := sql.Open("pgx", url)
	check(t, err)
	defer db.Close()
	for _, statement := range strings.Split(strings.TrimSuffix(command, `"`), "; ") {
		_, err = db.ExecContext(t.Context(), statement)
		check(t, err)
	}
	if read(t, where, "a") != "first" || stat(t, where, "a").Same(now) || !stat(t, where, "mark").Missing() {
		t.Errorf("%q", read(t, where, "a"))
	}
}
