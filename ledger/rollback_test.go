package ledger

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp-partner/guard"
)

// copyFile keeps what the database is now, and returns a function that puts it
// back.
func (h *house) copyFile() (putBack func()) {
	h.t.Helper()
	if h.url != "" {
		return h.copyTables()
	}
	h.reopen()
	h.must(h.Close()) // which empties the write-ahead log
	old, err := os.ReadFile(h.name)
	h.must(err)
	h.Ledger = nil
	h.reopen()
	return func() {
		h.t.Helper()
		h.must(h.Close())
		h.must(os.WriteFile(h.name, old, 0o600))
		h.Ledger = nil
		h.reopen()
	}
}

// copyTables does so on a server, as a dump that is restored would.
func (h *house) copyTables() (putBack func()) {
	h.sql(`CREATE TABLE old_events AS SELECT seq, body, hash, mac FROM events`, `CREATE TABLE old_states AS SELECT kind, name, seq, body, mac FROM states`)
	return func() {
		h.t.Helper()
		h.sql(`DELETE FROM events`, `INSERT INTO events (seq, body, hash, mac) SELECT * FROM old_events`, `DROP TABLE old_events`,
			`DELETE FROM states`, `INSERT INTO states (kind, name, seq, body, mac) SELECT * FROM old_states`, `DROP TABLE old_states`)
	}
}

// remove takes the database away while nobody has it open.
func (h *house) remove() {
	h.t.Helper()
	h.must(h.Close())
	if h.url != "" {
		h.meanwhile(`DROP TABLE ledger, events, states, checkpoints, run_rows, runs, outbox, files, file_parts, schema_versions`)
		return
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(h.name + suffix); !errors.Is(err, fs.ErrNotExist) {
			h.must(err)
		}
	}
}

func TestRestoredOlderFileVoidsTickets(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.put("ap_2")
		putBack := h.copyFile()
		_, _, err := h.SpendTicket(ctx(), "ap_1", guard.Event{Time: noon(), Kind: guard.KindIntent, Intent: intent("stdio", "contoso", "1234567")})
		h.must(err)
		head, err := h.Head(ctx())
		h.must(err)
		putBack()
		for _, id := range []string{"ap_1", "ap_2"} {
			if spent, _, err := h.SpendTicket(ctx(), id); spent || err != nil {
				t.Errorf("%s was spent after the rollback: %v", id, err)
			}
		}
		events := h.events()
		last := events[len(events)-1]
		if last.Kind != KindRollback || last.Seq != 4 || !strings.Contains(last.Detail, "Voided: 2 open tickets and 0 invocation tokens.") {
			t.Errorf("%+v", last)
		}
		status, err := h.Status(ctx())
		h.must(err)
		if status.Last != 4 || status.Remembered != 4 {
			t.Errorf("%+v", status)
		}
		h.hasGap(Gap{From: 3, To: 3, NoticedAt: 4})
		if report := h.verify(&head); !findsAt(report, 3, "is missing: the head names it") {
			t.Errorf("%+v", report)
		}
		h.reopen()
		h.put("ap_3") // and life goes on, with the gap noticed once
		if report := h.hasGap(Gap{From: 3, To: 3, NoticedAt: 4}); report.Last != 5 {
			t.Errorf("%+v", report)
		}
	})
}

// What was signed out, revoked or used up since an older file would be good again in it.
func TestRestoredOlderFileEndsSignIns(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		kinds := []guard.StateKind{guard.SessionState, guard.OnceState, guard.FamilyState}
		h.must(h.ChangeStates(ctx(), func(tx guard.StateTx) error {
			var failed error
			for _, kind := range kinds {
				failed = errors.Join(failed, tx.Put(kind, "one", signIn{guard.Stamp{Time: noon().Add(time.Hour)}}, guard.Event{Time: noon(), Kind: guard.KindSignIn}))
			}
			return failed
		}))
		putBack := h.copyFile()
		h.put("ap_1")
		putBack()
		h.put("ap_2")
		for _, kind := range kinds {
			if ok, err := h.State(ctx(), kind, "one", &signIn{}); ok || err != nil {
				t.Errorf("a %s is good after the rollback: %v", kind, err)
			}
		}
		if report := h.verify(nil); len(report.Findings) != 1 || len(report.Gaps) != 1 {
			t.Errorf("%+v", report)
		}
	})
}

// signIn is a row with an end.
type signIn struct {
	Expires guard.Stamp `json:"expires"`
}

func TestExpiredSignInsAreNoFinding(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		put := func(kind guard.StateKind, name string) {
			h.must(h.ChangeStates(ctx(), func(tx guard.StateTx) error {
				return tx.Put(kind, name, signIn{guard.Stamp{Time: h.clock.Now().Add(time.Minute)}}, guard.Event{Time: noon(), Kind: guard.KindSignIn})
			}))
		}
		for _, kind := range passing() {
			put(kind, "one")
		}
		h.whole()
		h.clock.Advance(2 * time.Minute)
		put(guard.SessionState, "another")
		if ok, err := h.State(ctx(), guard.SessionState, "one", &signIn{}); ok || err != nil {
			t.Error("a session was not removed after its end", err)
		}
		h.whole()
		h.must(putUser(h, guard.User{Name: "anna"}, guard.Event{Time: noon(), Kind: guard.KindUser}))
		h.sql(`DELETE FROM states WHERE kind = 'user'`)
		if report := h.verify(nil); report.Whole() {
			t.Error("the row of a user was removed, and nothing is found")
		}
	})
}

func TestRemovedLedgerIsRollback(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		h.remove()
		h.reopen()
		h.hasGap(Gap{From: 1, To: 13, NoticedAt: 14})
	})
}

// Entries are cut off while the ledger is open: the next write notices, and
// until then the freeze is pulled.
func TestTruncationIsNoticedWhileOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.fill(4)
		db, err := h.use(ctx())
		h.must(err)
		_, err = db.Write.Exec(`DELETE FROM events WHERE seq > 3`)
		h.must(err)
		if f, err := h.Freeze(ctx()); !f.Writes || err != nil {
			t.Errorf("%+v %v", f, err)
		}
		if report := h.verify(nil); !findsAt(report, 4, "entries 4 to 5 are missing: the vault remembers") {
			t.Errorf("%+v", report)
		}
		if spent, _, err := h.SpendTicket(ctx(), "ap_1"); spent || err != nil {
			t.Error("spent after the cut", err)
		}
		h.hasGap(Gap{From: 4, To: 5, NoticedAt: 6})
	})
}

func TestFileReplacedWhileOpenIsNotUsed(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.put("ap_1")
	h.must(os.Rename(h.name, h.name+".away"))
	h.must(os.WriteFile(h.name, nil, 0o600))
	spent, _, err := h.SpendTicket(ctx(), "ap_1")
	problemOf(t, err, "vault_unavailable", "replaced", "Nothing is written to Azure")
	if spent {
		t.Error("spent")
	}
}

// The vault must know of a spent ticket before the write that follows.
func TestTicketIsNotSpentWithoutVaultCounter(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.keys.breakWith(errors.New("canary-of-the-vault"))
		spent, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindIntent, guard.Intent{}))
		p := problemOf(t, err, "vault_unavailable", h.name)
		if spent || strings.Contains(p.Message+p.Hint, "canary") {
			t.Error(spent, p)
		}
		_, err = h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
		problemOf(t, err, "vault_unavailable")
		if _, err = h.Append(ctx(), event(guard.KindOutcome, guard.Intent{})); err != nil {
			t.Error("an outcome is recorded in any case:", err)
		}
		h.keys.breakWith(nil)
		if spent, _, err = h.SpendTicket(ctx(), "ap_1"); spent || err != nil {
			t.Error("a ticket that was spent for nothing stays spent:", spent, err)
		}
		h.put("ap_2")
		_, err = h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
		h.must(err)
		if n, _ := h.keys.Counter(ctx()); n != 6 {
			t.Errorf("the vault remembers %d", n)
		}
	})
}

func TestKeyMustBelongToFile(t *testing.T) {
	t.Parallel()
	h := furnish(build(t))
	h.must(h.Close())
	h.keys.missing = true
	h.reopen()
	_, err := h.Append(ctx(), event(guard.KindIntent, guard.Intent{}))
	problemOf(t, err, "vault_missing")
	h.keys.missing = false
	h.sql(`UPDATE ledger SET id = 'another'`)
	_, err = h.Freeze(ctx())
	problemOf(t, err, "vault_corrupt", "a key other than")
	h.Ledger = nil
	h.reopen()
	h.sql(`DELETE FROM ledger`)
	_, err = h.Freeze(ctx())
	problemOf(t, err, "vault_corrupt", "no ledger ID")
}

// A ledger that is put back together with the vault's counter of the same age is
// an earlier state, and nothing on the machine knows of a later one: what was
// spent is good again until its time is over. Only a head that was kept
// elsewhere tells, also after the numbers were given anew.
func TestLedgerRestoredWithCounterNeedsExternalHead(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")                 // 1
		h.issue("tk_1", "nightly", 1) // 2
		putBack := h.copyFile()
		counter, err := os.ReadFile(h.keys.path)
		h.must(err)
		spend := func() bool {
			spent, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindIntent, intent("stdio", "contoso", "1234567")))
			h.must(err)
			return spent
		}
		use := func() bool {
			used, err := h.UseToken(ctx(), "tk_1", aboutToken())
			h.must(err)
			return used
		}
		if !spend() || !use() || spend() || use() { // 3 and 4
			t.Fatal("not once each")
		}
		head, err := h.Head(ctx())
		h.must(err)
		putBack()
		h.must(os.WriteFile(h.keys.path, counter, 0o600))
		h.Ledger = nil
		h.reopen()
		if report := h.whole(); len(report.Gaps) != 0 || report.Last != 2 {
			t.Errorf("without a head: %+v", report)
		}
		if report := h.verify(&head); !findsAt(report, 3, "entries 3 to 4 are missing") {
			t.Errorf("with the head: %+v", report.Findings)
		}
		if !spend() || !use() {
			t.Error("docs/ledger.md says that this is not noticed")
		}
		h.whole()
		if report := h.verify(&head); report.Whole() {
			t.Error("other entries of the same numbers fit the head")
		}
		h.clock.Advance(2 * time.Hour)
		if used := use(); used {
			t.Error("a token outlived its time")
		}
	})
}

// A denied question was not open, and the operator is told of the rollback at once.
func TestOlderDatabaseIsReported(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		h.put("ap_2")
		if denied, err := h.DecideTicket(ctx(), "ap_2", guard.Decision{At: noon()}, event(guard.KindDeclined, guard.Intent{}), nil); !denied || err != nil {
			t.Fatal(denied, err)
		}
		putBack := h.copyFile()
		h.fill(4)
		putBack()
		var told []int64
		h.o.RolledBack = func(missing int64) { told = append(told, missing) }
		h.fill(2)
		if !slices.Equal(told, []int64{4}) {
			t.Error("told:", told)
		}
		if detail := h.events()[3].Detail; !strings.Contains(detail, "Voided: 1 open ticket and 0 invocation tokens.") {
			t.Error(detail)
		}
	})
}
