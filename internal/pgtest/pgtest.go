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

// server is the one of this test program.
var server struct {
	sync.Mutex
	started bool
	schemas int
	url     string
	failure error
	input   io.Closer
	command *exec.Cmd
}

// script makes a database in the folder $1 and runs it on port $2 until its input
// ends, whatever ended the tests.
const script = `set -e
cd "$1"
printf %s "$3" >password
initdb -D data --no-sync --auth=scram-sha-256 --username=postgres --pwfile=password --encoding=UTF8 --locale=C.UTF-8 >log 2>&1
postgres -D data -p "$2" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=" -c fsync=off -c max_connections=300 >>log 2>&1 &
read -r _ || true
kill -INT $!
wait`

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
	if !server.started {
		server.started = true
		server.failure = start(bin)
	}
	if server.failure != nil {
		t.Fatal("PostgreSQL does not start: ", server.failure)
	}
	server.schemas++
	schema := fmt.Sprintf("test_%d", server.schemas)
	if err := execute("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	return server.url + "?search_path=" + schema
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

func start(bin string) error {
	folder, err := os.MkdirTemp("/tmp", "pgtest") // others can enter it, unlike some TMPDIR of root
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return err
	}
	command := exec.Command("/bin/sh", "-c", script, "sh", folder, fmt.Sprint(port), Password)
	command.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	command.Dir = "/"
	if os.Geteuid() == 0 {
		if err := asNobody(command, folder); err != nil {
			return err
		}
	}
	if server.input, err = command.StdinPipe(); err != nil {
		return err
	}
	server.command = command
	server.url = fmt.Sprintf("postgresql://postgres:%s@127.0.0.1:%d/postgres", Password, port)
	if err := command.Start(); err != nil {
		return err
	}
	return answers(folder)
}

// answers waits until the server does.
func answers(folder string) error {
	deadline := time.Now().Add(time.Minute)
	for {
		err := execute("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(folder, "log"))
			return fmt.Errorf("%w\n%s", err, log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// execute runs a statement as the owner of everything.
func execute(statement string) error {
	db, err := sql.Open("pgx", server.url)
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
	if server.command == nil {
		return
	}
	_ = server.input.Close()
	_ = server.command.Wait()
	_ = os.RemoveAll(server.command.Args[4])
}
