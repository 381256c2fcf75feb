// Package pgtest starts a private PostgreSQL for the tests of a package, from the
// binaries that Debian installs.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers itself as the driver "pgx"
)

// Variable names the environment variable that makes a missing PostgreSQL a
// failure where it is 1, and skips these tests where it is 0. The lanes of CI set it.
const Variable = "POSTGRES_UNDER_TEST"

// Password is that of the role postgres. No output may hold it.
const Password = "canary-of-postgres"

// cluster is a server that runs.
type cluster struct {
	url     string
	folder  string
	input   io.Closer
	command *exec.Cmd
}

// server is the one of this test program.
var server struct {
	sync.Mutex
	*cluster
	schemas int
	failure error
}

// The commands that make a database in the folder data.
const (
	anew   = `initdb -D data --no-sync --auth=scram-sha-256 --username=postgres --pwfile=password --encoding=UTF8 --locale=C.UTF-8`
	copied = `pg_basebackup -d "$4" -D data --checkpoint=fast --no-sync; touch data/standby.signal`
)

// script makes a database in the folder $1 and runs it on port $2 until its input
// ends, whatever ended the tests.
const script = `set -e
cd "$1"
printf %%s "$3" >password
%s >log 2>&1
postgres -D data -p "$2" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=" -c fsync=off -c max_connections=300 >>log 2>&1 &
read -r _ || true
kill -INT $!
wait`

// Installed reports whether URL has something to start, for benchmarks that compare
// with PostgreSQL where it is.
func Installed() bool {
	_, err := binaries()
	return err == nil && os.Getenv(Variable) != "0"
}

// URL returns the URL of a new schema, which the test has for itself. Where there
// is no PostgreSQL the test is skipped, or fails if Variable is set. TestMain of the
// package calls Stop.
func URL(t testing.TB) string {
	t.Helper()
	if os.Getenv(Variable) == "0" {
		t.Skip(Variable + "=0: another lane runs the tests on PostgreSQL")
	}
	bin, err := binaries()
	switch {
	case err != nil && os.Getenv(Variable) == "1":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	server.Lock()
	defer server.Unlock()
	if server.cluster == nil && server.failure == nil {
		server.cluster, server.failure = start(bin, anew, "")
	}
	if server.failure != nil {
		t.Fatal("PostgreSQL does not start: ", server.failure)
	}
	server.schemas++
	schema := fmt.Sprintf("test_%d", server.schemas)
	if err := server.execute("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	return server.url + "?search_path=" + schema
}

// Standby starts a copy of the server of URL, which gets nothing of what follows and
// can be written after pg_promote(), and returns its URL without a schema. It ends with
// the test.
func Standby(t testing.TB) string { return second(t, copied) }

// Another starts an empty server beside the one of URL. It ends with the test.
func Another(t testing.TB) string { return second(t, anew) }

func second(t testing.TB, command string) string {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err) // URL was called before
	}
	c, err := start(bin, command, server.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c.url
}

// binaries finds the newest PostgreSQL that is installed.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed (Debian's package postgresql); %s=1 makes this a failure", Variable)
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func start(bin, makes, from string) (*cluster, error) {
	folder, err := os.MkdirTemp("/tmp", "pgtest") // others can enter it, unlike some TMPDIR of root
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, err
	}
	run := []string{"/bin/sh", "-c", fmt.Sprintf(script, makes), "sh", folder, fmt.Sprint(port), Password, from}
	if os.Geteuid() == 0 { // which PostgreSQL refuses
		run = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, run...)
		if err := os.Chown(folder, 65534, 65534); err != nil {
			return nil, err
		}
	}
	command := exec.Command(run[0], run[1:]...)
	command.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	command.Dir = "/"
	c := &cluster{command: command, folder: folder, url: fmt.Sprintf("postgresql://postgres:%s@127.0.0.1:%d/postgres", Password, port)}
	if c.input, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	return c, c.answers()
}

// answers waits until the server does.
func (c *cluster) answers() error {
	deadline := time.Now().Add(3 * time.Minute) // a copy takes more than one where others load the machine
	for {
		err := c.execute("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(c.folder, "log"))
			return fmt.Errorf("%w\n%s", err, log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// execute runs a statement as the owner of everything.
func (c *cluster) execute(statement string) error {
	db, err := sql.Open("pgx", c.url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement)
	return err
}

// Stop ends the server, if there is one, and removes what it wrote.
func Stop() {
	server.Lock()
	defer server.Unlock()
	if server.cluster != nil {
		server.stop()
	}
}

func (c *cluster) stop() {
	_ = c.input.Close()
	_ = c.command.Wait()
	_ = os.RemoveAll(c.folder)
}
