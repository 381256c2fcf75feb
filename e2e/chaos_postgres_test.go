//go:build !windows

package e2e

import (
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mcp-partner/internal/testkit"
)

// postgres is the PostgreSQL of pgtest, started anew so that it can be killed and
// started again. The test that does so has it for itself.
type postgres struct {
	*sql.DB
	tb     testing.TB
	url    *url.URL
	folder string
	// input ends PostgreSQL when it is closed; ended is closed when it has ended.
	input io.Closer
	ended chan struct{}
}

// again runs PostgreSQL in the folder $1 as it ran before, until it ends or until the
// input does, whatever ended the test.
const again = `cd "$1"
exec 3<&0
eval "exec $(cat data/postmaster.opts)" >>log 2>&1 &
server=$!
(read -r _ <&3; kill -INT $server) &
reader=$!
wait $server
kill $reader 2>/dev/null`

func openDatabase(tb testing.TB, text string) *postgres {
	tb.Helper()
	at, err := url.Parse(text)
	check(tb, err)
	db, err := sql.Open("pgx", text)
	check(tb, err)
	d := &postgres{DB: db, tb: tb, url: at}
	check(tb, db.QueryRow("SHOW data_directory").Scan(&d.folder))
	check(tb, syscall.Kill(d.process(), syscall.SIGINT))
	testkit.WaitFor(tb, "PostgreSQL ends", func() bool { return d.process() == 0 })
	tb.Cleanup(func() {
		_ = db.Close()
		_ = d.input.Close()
		<-d.ended
	})
	d.start()
	return d
}

// through is the URL of the database by another way, for a replica of a name.
func (d *postgres) through(address, name string) string {
	at := *d.url
	at.Host = address
	query := at.Query()
	query.Set("application_name", name)
	at.RawQuery = query.Encode()
	return at.String()
}

// process is the ID of PostgreSQL's process, 0 where it ended in good order.
func (d *postgres) process() int {
	text, err := os.ReadFile(filepath.Join(d.folder, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	check(d.tb, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	check(d.tb, err)
	return pid
}

// kill ends PostgreSQL as a crash does.
func (d *postgres) kill() {
	if err := syscall.Kill(d.process(), syscall.SIGKILL); err != nil {
		d.tb.Errorf("PostgreSQL is not killed: %v", err)
	}
	<-d.ended
}

// start starts PostgreSQL. It is tried again while processes of the one before are
// about to end.
func (d *postgres) start() {
	d.tb.Helper()
	d.launch()
	testkit.WaitFor(d.tb, "PostgreSQL starts", func() bool {
		select {
		case <-d.ended:
			d.launch()
		default:
		}
		_, err := d.Exec("SELECT 1")
		return err == nil
	})
}

func (d *postgres) launch() {
	d.tb.Helper()
	folder := filepath.Dir(d.folder)
	owner, err := os.Stat(d.folder)
	check(d.tb, err)
	command := exec.Command("/bin/sh", "-c", again, "sh", folder)
	if as := owner.Sys().(*syscall.Stat_t); int(as.Uid) != os.Geteuid() {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.Uid, Gid: as.Gid}}
	}
	command.Env, command.Dir = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}, "/"
	d.input, err = command.StdinPipe()
	check(d.tb, err)
	check(d.tb, command.Start())
	ended := make(chan struct{})
	d.ended = ended
	go func() {
		defer close(ended)
		_ = command.Wait() // how it ended does not matter
	}()
}

// column returns the only column of a query.
func (d *postgres) column(query string, args ...any) (all []string) {
	rows, err := d.Query(query, args...)
	if err != nil {
		d.tb.Errorf("%s: %v", query, err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			d.tb.Errorf("%s: %v", query, err)
		}
		all = append(all, one)
	}
	return all
}
