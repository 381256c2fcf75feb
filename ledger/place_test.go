package ledger

import (
	"database/sql"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/pgtest"
)

// schemaOf is the schema of a URL.
func schemaOf(url string) string { return url[strings.Index(url, "search_path=")+len("search_path="):] }

// on runs a statement on a server.
func on(t *testing.T, url, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err == nil {
		defer db.Close()
		_, err = db.Exec(statement)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// wasVoided wants a last entry that says why, and nothing left to be used.
func (h *house) wasVoided(why string) {
	h.t.Helper()
	if spent, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindIntent, guard.Intent{})); spent || err != nil {
		h.t.Error("spent:", spent, err)
	}
	if used, err := h.UseToken(ctx(), "tk_1", aboutToken()); used || err != nil {
		h.t.Error("used:", used, err)
	}
	events := h.events()
	last := events[len(events)-1]
	if last.Kind != KindRollback || !strings.Contains(last.Detail, why) || !strings.Contains(last.Detail, "Voided: 1 open ticket and 1 invocation token.") {
		h.t.Errorf("%s: %+v", why, last)
	}
	h.reopen()
	h.fill(2)
	if again := h.events(); len(again) != len(events)+2 {
		h.t.Errorf("noticed once more: %+v", again[len(events):])
	}
}

// A dump lacks what came after it, and nobody here has seen that.
func TestRestoredDumpVoidsTicketsAndTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		restored func(t *testing.T, schema string) (server string)
		why      string
	}{
		"in its place": {
			restored: func(t *testing.T, schema string) string {
				server, _, _ := strings.Cut(pgtest.URL(t), "?")
				on(t, server, "DROP SCHEMA "+schema+" CASCADE")
				return server
			},
			why: "its table OID was",
		},
		"in another database": {
			restored: func(t *testing.T, schema string) string {
				server, _, _ := strings.Cut(pgtest.URL(t), "?")
				on(t, server, "CREATE DATABASE copy_of_"+schema)
				return strings.TrimSuffix(server, "postgres") + "copy_of_" + schema
			},
			why: "its database OID was",
		},
		"in another cluster": {
			restored: func(t *testing.T, _ string) string { return pgtest.Another(t) },
			why:      "its system identifier was",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := buildOnServer(t)
			h.put("ap_1")
			h.issue("tk_1", "nightly", 1)
			h.reopen()
			schema, dump := schemaOf(h.url), filepath.Join(t.TempDir(), "dump.sql")
			tool(t, "pg_dump", "--schema="+schema, "--file="+dump, strings.Replace(h.url, "?search_path="+schema, "", 1))
			h.must(h.Close())
			server := test.restored(t, schema)
			tool(t, "psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file="+dump, server)
			h.url, h.Ledger = server+"?search_path="+schema, nil
			h.reopen()
			h.wasVoided(test.why)
			if report := h.whole(); len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "Entry 3 noticed another database") {
				t.Errorf("%+v", report)
			}
		})
	}
}

func TestUnchangedServerVoidsNothing(t *testing.T) {
	t.Parallel()
	h := buildOnServer(t)
	h.o.RolledBack = func(missing int64) { t.Error("rolled back:", missing) }
	h.put("ap_1")
	h.issue("tk_1", "nightly", 1)
	h.meanwhile(`VACUUM FULL`, `CHECKPOINT`, `SELECT pg_switch_wal()`)
	h.reopen()
	h.o.RolledBack = func(missing int64) { t.Error("rolled back:", missing) }
	other := h.second()
	if used, err := other.UseToken(ctx(), "tk_1", aboutToken()); !used || err != nil {
		t.Error(used, err)
	}
	if spent, _, err := h.SpendTicket(ctx(), "ap_1"); !spent || err != nil {
		t.Error(spent, err)
	}
	if events := h.events(); len(events) != 3 {
		t.Errorf("%+v", events)
	}
}

func TestRemovedRowOfServerVoids(t *testing.T) {
	t.Parallel()
	h := buildOnServer(t)
	h.put("ap_1")
	h.issue("tk_1", "nightly", 1)
	h.meanwhile(`DELETE FROM states WHERE kind = 'server'`)
	if report := h.verify(nil); len(report.Findings) != 1 || report.Findings[0].Row != "server/all" {
		t.Errorf("%+v", report)
	}
	h.reopen()
	h.wasVoided("the row that says where the record is was removed")
	h.whole()
}

// door leads to a server, and can lead to another one.
type door struct {
	mu    sync.Mutex
	to    string
	conns []net.Conn
}

func hostOf(t *testing.T, text string) string {
	t.Helper()
	at, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return at.Host
}

// openDoor returns a URL that leads through the door.
func openDoor(t *testing.T, url string) (*door, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	d := &door{to: hostOf(t, url)}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			out, err := net.Dial("tcp", d.to)
			d.conns = append(d.conns, in)
			d.mu.Unlock()
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return d, strings.Replace(url, d.to, listener.Addr().String(), 1)
}

// turn leads to another server and ends what was open.
func (d *door) turn(t *testing.T, url string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = hostOf(t, url)
	for _, c := range d.conns {
		_ = c.Close()
	}
}

// A standby that is promoted without the last entries lacks what was spent and
// revoked with them. One that saw them tells by its counter, one that did not by the
// timeline, and both while they run.
func TestPromotedStandbyVoidsTicketsAndTokens(t *testing.T) {
	t.Parallel()
	for name, sawTail := range map[string]bool{"the tail was seen here": true, "the tail was seen elsewhere": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := pgtest.URL(t)
			d, through := openDoor(t, primary)
			h := buildAt(t, through)
			h.put("ap_1")
			h.issue("tk_1", "nightly", 1)
			if _, there, err := h.Token(ctx(), "tk_1"); !there || err != nil {
				t.Fatal(there, err)
			}
			standby := pgtest.Standby(t)
			tail := h
			if !sawTail {
				tail = &house{t: t, dir: t.TempDir(), url: primary, keys: keysAt(t.TempDir()), clock: h.clock}
				tail.reopen()
				defer tail.Close()
			}
			tail.fill(4)
			on(t, standby, "SELECT pg_promote()")
			d.turn(t, standby)
			for range 5 { // connections that were cut
				_, _, _ = h.Token(ctx(), "tk_1")
			}
			if token, there, err := h.Token(ctx(), "tk_1"); err != nil || there && token.RevokedAt.IsZero() {
				t.Errorf("the token is good at the first look: %+v, %v", token, err)
			}
			if sawTail {
				h.wasVoided("the vault remembers entry 6")
				h.hasGap(Gap{From: 3, To: 6, NoticedAt: 7})
				return
			}
			h.wasVoided("its timeline was 00000001 and is 00000002")
			h.whole()
		})
	}
}

// A server that never had the last entries gives their numbers again. Who saw them
// knows that others stand there.
func TestNumbersGivenAgainAreNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.issue("tk_1", "nightly", 1)
		h.fill(2)
		h.meanwhile(`DELETE FROM events WHERE seq > 2`)
		other := &house{t: t, dir: h.dir, url: h.url, keys: keysAt(t.TempDir()), clock: h.clock}
		other.reopen()
		other.fill(4)
		h.must(other.Close())
		h.wasVoided("entry 4 is not the one that was there")
		h.whole()
	})
}

func TestServerThatWithholdsFactsIsUsed(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	server, _, _ := strings.Cut(url, "?")
	name := "withholding_" + schemaOf(url)
	on(t, server, "CREATE DATABASE "+name)
	at := strings.TrimSuffix(server, "postgres") + name
	for _, statement := range []string{
		"CREATE ROLE " + name + " LOGIN PASSWORD '" + pgtest.Password + "'", "CREATE SCHEMA record AUTHORIZATION " + name,
		"REVOKE EXECUTE ON FUNCTION pg_control_system FROM public",
	} {
		on(t, at, statement)
	}
	h := buildAt(t, strings.Replace(at, "postgres:", name+":", 1)+"?search_path=record")
	h.put("ap_1")
	if status, err := h.Status(ctx()); err != nil || !slices.Equal(status.Withheld, []string{"system identifier"}) {
		t.Errorf("%+v, %v", status, err)
	}
	h.must(h.Close())
	h.url, h.Ledger = at+"?search_path=record", nil // the owner is told more
	h.reopen()
	if spent, _, err := h.SpendTicket(ctx(), "ap_1"); !spent || err != nil {
		t.Error(spent, err)
	}
	if status, err := h.Status(ctx()); err != nil || len(status.Withheld) != 0 {
		t.Errorf("%+v, %v", status, err)
	}
	h.whole()
}
