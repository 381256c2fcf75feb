package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
)

// A server that cannot be used changes nothing, stops reads as well as writes, and
// is named without the password.
func TestUnusableServerIsNamedWithoutPassword(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, what string }{
		"nobody listens":     {from: "@127.0.0.1:", to: "@127.0.0.1:1", what: "cannot be reached: connection refused"},
		"wrong password":     {from: pgtest.Password, to: pgtest.Password + "x", what: "refuses the sign-in"},
		"no such database":   {from: "/postgres?", to: "/payroll?", what: "does not exist"},
		"no such schema":     {from: "search_path=", to: "search_path=payroll", what: "its schema does not exist"},
		"a standby":          {from: "?", to: "?default_transaction_read_only=on&", what: "standby or read-only"},
		"no TLS on the port": {from: "?", to: "?sslmode=verify-full&", what: "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			if name == "nobody listens" {
				at := strings.Index(url, "@127.0.0.1:")
				url = url[:at] + "@127.0.0.1:1" + url[strings.Index(url, "/postgres?"):]
			} else {
				url = strings.Replace(url, test.from, test.to, 1)
			}
			h := buildAt(t, url)
			_, err := h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
			p := problemOf(t, err, problems.CodeVaultUnavailable, test.what, "Nothing is written to Azure", "PostgreSQL at 127.0.0.1:")
			if strings.Contains(fmt.Sprintf("%+v %v", p, err), pgtest.Password) {
				t.Errorf("the password is in %+v", p)
			}
			if freeze, err := h.Freeze(ctx()); err == nil || !freeze.Reads {
				t.Errorf("reads go on: %+v, %v", freeze, err)
			}
			if err := h.SetFreeze(ctx(), ofReads(), guard.Event{Time: noon(), Kind: guard.KindFreeze}); err == nil {
				t.Error("a freeze that nobody else sees counts as set")
			}
		})
	}
}

// A server may start, or be killed, while another one brings in the tables of the queue.
func TestQueueBetweenTwoMigrationsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	h := furnish(buildOnServer(t))
	h.meanwhile(`CREATE TABLE river_job (id bigint)`,
		`CREATE FUNCTION river_job_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`,
		`CREATE TRIGGER river_notify AFTER INSERT ON river_job FOR EACH ROW EXECUTE FUNCTION river_job_notify()`)
	h.reopen()
	if _, err := h.Append(ctx(), event(guard.KindRefusal, guard.Intent{})); err != nil {
		t.Error(err)
	}
	h.whole()
}

func TestTriggersRulesAndViewsOnServerAreRefused(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string][]string{
		"a trigger": {`CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM events WHERE seq = 1; RETURN NEW; END $$`,
			`CREATE TRIGGER x AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION forget()`},
		"a rule": {`CREATE RULE x AS ON INSERT TO events DO ALSO DELETE FROM events WHERE seq = 1`},
		"a view": {`CREATE VIEW x AS SELECT * FROM events`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := furnish(buildOnServer(t))
			h.meanwhile(statements...)
			if report := h.verify(nil); !findsAt(report, 0, "the tables are not those") {
				t.Errorf("%+v", report.Findings)
			}
			h.reopen()
			_, err := h.Append(ctx(), event(guard.KindRefusal, guard.Intent{}))
			problemOf(t, err, "vault_corrupt", "triggers or views")
		})
	}
}

// A process that stands still in a transaction keeps others out until the server
// ends its transaction, and cannot commit any more.
func TestPausedWriterReleasesLock(t *testing.T) {
	t.Parallel()
	h := buildOnServer(t)
	h.fill(2)
	paused, err := h.second().use(ctx())
	h.must(err)
	tx, _, err := paused.Begin(ctx())
	h.must(err)
	_, err = tx.Exec(`DELETE FROM events`)
	h.must(err)
	began := time.Now()
	h.fill(2)
	if waited := time.Since(began); waited > 5*time.Second {
		t.Error("waited", waited)
	}
	if err := tx.Commit(); err == nil {
		t.Error("the paused process went on")
	}
	h.whole()
}

// Connections that end at any point spend nothing twice and break no chain.
func TestBrokenConnectionsSpendNothingTwice(t *testing.T) {
	t.Parallel()
	name := strings.ReplaceAll(t.Name(), "/", "_")
	h := buildAt(t, pgtest.URL(t)+"&application_name="+name)
	const tickets = 20
	for n := range tickets {
		h.put(fmt.Sprint("ap_", n))
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		h.terminate(name, done)
	}()
	ledgers := []*Ledger{h.Ledger, h.second(), h.second()}
	var group sync.WaitGroup
	for n := range 3 * tickets {
		group.Go(func() {
			id := fmt.Sprint("ap_", n%tickets)
			_, _, err := ledgers[n%3].SpendTicket(ctx(), id, guard.Event{Time: noon(), Kind: guard.KindConfirmed, Approval: id}, event(guard.KindIntent, intent("stdio", id, "1234567")))
			if err != nil {
				problemOf(t, err, problems.CodeVaultUnavailable)
			}
		})
	}
	group.Wait()
	close(done)
	<-ended
	h.reopen()
	spent := map[string]int{}
	for _, e := range h.events() {
		if spent[e.Approval]++; e.Kind == guard.KindConfirmed && spent[e.Approval] > 2 { // it was asked, too
			t.Errorf("%s was spent twice", e.Approval)
		}
	}
	h.whole()
}

// terminate ends connections of a name until it is done.
func (h *house) terminate(name string, done <-chan struct{}) {
	other, err := sql.Open("pgx", strings.Replace(h.url, name, "terminator", 1))
	h.must(err)
	defer other.Close()
	for {
		select {
		case <-done:
			return
		default:
			_, _ = other.ExecContext(context.Background(), `SELECT pg_terminate_backend(pid), pg_sleep(0.02) FROM pg_stat_activity WHERE application_name = $1 ORDER BY random() LIMIT 1`, name)
		}
	}
}

// The role of a server need not be able to change the record; another one prunes.
func TestRoleThatOnlyAddsEntries(t *testing.T) {
	t.Parallel()
	owner := furnish(buildOnServer(t))
	schema := owner.url[strings.Index(owner.url, "search_path=")+len("search_path="):]
	role := "app_" + schema
	owner.meanwhile(fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '%s'`, role, pgtest.Password),
		fmt.Sprintf(`GRANT USAGE ON SCHEMA %s TO %s`, schema, role),
		fmt.Sprintf(`GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s`, schema, role),
		fmt.Sprintf(`GRANT INSERT ON events TO %s`, role),
		fmt.Sprintf(`GRANT INSERT, UPDATE, DELETE ON states, runs, run_rows, outbox TO %s`, role))
	if status, err := owner.Status(ctx()); err != nil || status.AddsOnly {
		t.Errorf("the owner: %+v, %v", status, err)
	}
	options := owner.options()
	options.Server = serverAt(strings.Replace(owner.url, "postgres:", role+":", 1))
	app := &house{Ledger: Open(options), t: t, url: owner.url, clock: owner.clock, keys: owner.keys}
	defer app.Close()
	app.fill(4)
	if spent, _, err := app.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, guard.Intent{})); !spent || err != nil {
		t.Error(spent, err)
	}
	create1(t, app.Ledger, "run_1", "a", 3)
	app.whole()
	if status, err := app.Status(ctx()); err != nil || !status.AddsOnly {
		t.Errorf("%+v, %v", status, err)
	}
	owner.clock.Advance(48 * time.Hour)
	_, err := app.Prune(ctx(), owner.clock.Now().Add(-time.Hour))
	problemOf(t, err, problems.CodeVaultUnavailable, "lacks a privilege")
	if made, err := owner.Prune(ctx(), owner.clock.Now().Add(-time.Hour)); err != nil || made.Removed == 0 {
		t.Error(made, err)
	}
	app.whole()
}

// Machines have different clocks, so leases are measured by the server's.
func TestLeasesUseServerClock(t *testing.T) {
	t.Parallel()
	h := buildOnServer(t)
	options := h.options()
	options.Now = nil
	l := Open(options)
	defer l.Close()
	run, rows := aRun("run_1", "a", 1)
	if _, err := l.CreateRun(ctx(), run, time.Hour, rows); err != nil {
		t.Fatal(err)
	}
	h.meanwhile(`UPDATE runs SET lease = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"')`)
	if run, _, err := l.Run(ctx(), "run_1"); err != nil || run.State != fleet.RunInterrupted {
		t.Error(run.State, err)
	}
	if claimed, err := l.ClaimRun(ctx(), "run_1", "two", time.Hour); !claimed || err != nil {
		t.Error(claimed, err)
	}
}

// What a file would show of the past, the record on a server never tells either: no
// mark of a freeze lies in the state directory, and another process sees its end.
func TestFreezeOnServerIsOnlyARow(t *testing.T) {
	t.Parallel()
	h := buildOnServer(t)
	h.must(h.freeze(ofReads()))
	other := h.second()
	if f, err := other.Freeze(ctx()); err != nil || f != ofReads() || h.marked() {
		t.Errorf("%+v, %v", f, err)
	}
	if err := other.SetFreeze(ctx(), guard.Freeze{}, guard.Event{Time: noon(), Kind: guard.KindUnfreeze}); err != nil {
		t.Fatal(err)
	}
	if f, err := h.Freeze(ctx()); err != nil || f != (guard.Freeze{}) {
		t.Errorf("%+v, %v", f, err)
	}
}

// slowKeys answer when they are told to, as a vault on a server that is far away.
type slowKeys struct {
	*testKeys
	slow             atomic.Bool
	asked, abandoned atomic.Int64
	answer           chan struct{}
}

func (k *slowKeys) Counter(ctx context.Context) (int64, error) {
	if !k.slow.Load() {
		return k.testKeys.Counter(ctx)
	}
	k.asked.Add(1)
	select {
	case <-k.answer:
		return k.testKeys.Counter(ctx)
	case <-ctx.Done():
		k.abandoned.Add(1)
		return 0, ctx.Err()
	}
}

// A comparison with the counter that takes longer than a look serves a later one:
// begun anew by each, it would never come to its end.
func TestSlowComparisonServesLaterLook(t *testing.T) {
	t.Parallel()
	h := buildAt(t, pgtest.URL(t)+"&application_name="+t.Name())
	h.fill(2)
	keys := &slowKeys{testKeys: h.keys, answer: make(chan struct{})}
	o := h.options()
	o.Keys, o.Patience = keys, time.Second
	l := Open(o)
	defer l.Close()
	_, err := l.use(ctx()) // without a time-out, which a busy machine may need
	h.must(err)
	reads := func() bool { _, err := l.Freeze(ctx()); return err == nil }
	testkit.WaitFor(t, "the record is read", reads)
	keys.slow.Store(true)
	h.meanwhile(`SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = '` + t.Name() + `' AND pid <> pg_backend_pid()`)
	testkit.WaitFor(t, "another connection is compared", func() bool {
		if reads() {
			t.Fatal("the record is read before it was compared")
		}
		return keys.asked.Load() > 0
	})
	if reads() {
		t.Fatal("the record is read before it was compared")
	}
	if n := keys.abandoned.Load(); n > 0 {
		t.Errorf("%d comparisons ended with their looks", n)
	}
	close(keys.answer)
	testkit.WaitFor(t, "the record is read again", reads)
}

// Without the rights the queue would be opened in vain once a minute.
func TestRoleWithoutRightsOnQueue(t *testing.T) {
	t.Parallel()
	owner := furnish(buildOnServer(t))
	schema := owner.url[strings.Index(owner.url, "search_path=")+len("search_path="):]
	role := "queue_" + schema
	owner.meanwhile(fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD '%s'`, role, pgtest.Password), fmt.Sprintf(`GRANT USAGE ON SCHEMA %s TO %s`, schema, role))
	server := serverAt(strings.Replace(owner.url, "postgres:", role+":", 1))
	for _, step := range []struct {
		name, statement string
		allowed         bool
	}{
		{name: "no table, and none can be made", statement: `SELECT 1`},
		{name: "tables without rights", statement: `CREATE TABLE river_job (id bigserial); CREATE TABLE river_leader (id bigint); CREATE TABLE river_queue (id bigint); CREATE TABLE river_migration (id bigint)`},
		{name: "some rights", statement: fmt.Sprintf(`GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s; GRANT INSERT, UPDATE, DELETE ON river_job, river_leader TO %s`, schema, role, role)},
		{name: "no right on the sequence", statement: fmt.Sprintf(`GRANT INSERT, UPDATE, DELETE ON river_queue TO %s`, role)},
		{name: "all that docs/deploy.md lists", statement: fmt.Sprintf(`GRANT USAGE ON SEQUENCE river_job_id_seq TO %s`, role), allowed: true},
	} {
		owner.meanwhile(step.statement)
		if err := server.CheckQueue(ctx()); (err == nil) != step.allowed {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}
