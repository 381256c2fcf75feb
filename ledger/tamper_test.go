package ledger

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/testkit"
)

// furnish makes it a ledger with some of everything: 13 entries.
func furnish(h *house) *house {
	h.t.Helper()
	h.fill(6)                                                                                                         // 1 to 6
	h.put("ap_1")                                                                                                     // 7
	h.put("ap_2")                                                                                                     // 8
	_, _, err := h.SpendTicket(ctx(), "ap_2", guard.Event{Time: noon(), Kind: guard.KindConfirmed, Approval: "ap_2"}) // 9
	h.must(err)
	for _, name := range []string{"ada", "bob"} { // 10, 11
		err = putUser(h, guard.User{Name: name, Key: &guard.PassphraseKey{PublicKey: []byte("key of " + name)}}, guard.Event{Time: noon(), Kind: guard.KindUser, Detail: name})
		h.must(err)
	}
	err = removeUser(h, "bob", guard.Event{Time: noon(), Kind: guard.KindUser, Detail: "bob"}) // 12
	h.must(err)
	h.must(h.SetFreeze(ctx(), guard.Freeze{Writes: true, Reason: "audit"}, guard.Event{Time: noon(), Kind: guard.KindFreeze})) // 13
	h.whole()
	return h
}

// Each statement is what somebody with the file could run. Verify names the
// first place.
func TestVerifyNamesChangedEntry(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for name, test := range map[string]struct {
			statements []string
			seq        int64
			row, what  string
		}{
			"body changed": {
				statements: []string{`UPDATE events SET body = replace(body, '1234567', '7654321') WHERE seq = 3`}, seq: 3,
				what: "entry 3 was changed",
			},
			"mac changed":   {statements: []string{`UPDATE events SET mac = zeroblob(32) WHERE seq = 3`}, seq: 3, what: "entry 3 was changed"},
			"hash changed":  {statements: []string{`UPDATE events SET hash = zeroblob(32) WHERE seq = 3`}, seq: 3, what: "entry 3 was changed"},
			"first removed": {statements: []string{`DELETE FROM events WHERE seq = 1`}, seq: 1, what: "entry 1 is missing"},
			"one removed":   {statements: []string{`DELETE FROM events WHERE seq = 4`}, seq: 4, what: "entry 4 is missing"},
			"two removed":   {statements: []string{`DELETE FROM events WHERE seq IN (4, 5)`}, seq: 4, what: "entries 4 to 5 are missing"},
			"removed, closed": {
				statements: []string{`DELETE FROM events WHERE seq = 4`, `UPDATE events SET seq = seq - 1 WHERE seq = 5`}, seq: 4,
				what: "entry 4 was changed",
			},
			"inserted": {
				statements: []string{`UPDATE events SET seq = 100 + seq WHERE seq >= 4`, `UPDATE events SET seq = seq - 99 WHERE seq > 100`, `INSERT INTO events (seq, body, hash, mac) SELECT 4, body, hash, mac FROM events WHERE seq = 3`},
				seq:        4, what: "entry 4 was changed, inserted",
			},
			"put at the end": {
				statements: []string{`INSERT INTO events (seq, body, hash, mac) SELECT 14, body, hash, mac FROM events WHERE seq = 3`},
				seq:        14, what: "entry 14 was changed, inserted",
			},
			"reordered": {
				statements: []string{`UPDATE events SET seq = 100 WHERE seq = 3`, `UPDATE events SET seq = 3 WHERE seq = 4`, `UPDATE events SET seq = 4 WHERE seq = 100`},
				seq:        3, what: "entry 3 was changed",
			},
			"ticket unspent": {
				statements: []string{`UPDATE states SET body = json_set(body, '$.spent', json('false')) WHERE name = 'ap_2'`},
				row:        "ticket/ap_2", what: "was changed",
			},
			"ticket decided": {
				statements: []string{`UPDATE states SET body = json_set(body, '$.decision', json('{"approved":true,"at":"2026-03-04T12:00:00.000000000Z"}')) WHERE name = 'ap_1'`},
				row:        "ticket/ap_1", what: "was changed",
			},
			"ticket renamed": {
				statements: []string{`UPDATE states SET name = 'ap_9' WHERE name = 'ap_1'`}, row: "ticket/ap_9", what: "was changed",
			},
			"ticket removed": {statements: []string{`DELETE FROM states WHERE name = 'ap_2'`}, row: "ticket/ap_2", what: "was removed"},
			"row renumbered": {statements: []string{`UPDATE states SET seq = 13 WHERE name = 'ap_2'`}, row: "ticket/ap_2", what: "was changed"},
			"approver changed": {
				statements: []string{`UPDATE states SET body = json_set(body, '$.name', 'AAAA') WHERE name = 'ada'`},
				row:        "user/ada", what: "was changed",
			},
			"approver put in": {
				statements: []string{`INSERT INTO states (kind, name, seq, body, mac) SELECT kind, 'eve', seq, body, mac FROM states WHERE name = 'ada'`},
				row:        "user/eve", what: "was changed",
			},
			"freeze released": {
				statements: []string{`UPDATE states SET body = json_set(body, '$.writes', json('false')) WHERE kind = 'freeze'`},
				row:        "freeze/all", what: "was changed",
			},
			"freeze removed": {statements: []string{`DELETE FROM states WHERE kind = 'freeze'`}, row: "freeze/all", what: "was removed"},
			"table added":    {statements: []string{`CREATE TABLE more (x text)`}, what: "the tables are not those"},
			"index removed":  {statements: []string{`DROP INDEX events_closes`}, what: "the tables are not those"},
			"checkpoint put in": {
				statements: []string{`DELETE FROM events WHERE seq <= 2`, `INSERT INTO checkpoints (seq, body) VALUES (2, '{"seq":2,"hash":"00","mac":"00"}')`},
				seq:        2, what: "checkpoint",
			},
		} {
			t.Run(name, func(t *testing.T) {
				h := furnish(build(t))
				h.sql(test.statements...)
				report := h.verify(nil)
				if report.Whole() {
					t.Fatal("nothing was found")
				}
				got := report.Findings[0]
				if got.Seq != test.seq || got.Row != test.row || !strings.Contains(got.What, test.what) {
					t.Errorf("first finding %+v of %d", got, len(report.Findings))
				}
			})
		}
	})
}

// An attacker who knows the format can recompute the plain chain, not the
// other.
func TestVerifyFindsRecomputedChain(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		h.sql(h.rewritten(5)...)
		report := h.verify(nil)
		if report.Whole() || report.Findings[0].Seq != 5 || !strings.Contains(report.Findings[0].What, "with a recomputed chain") {
			t.Errorf("%+v", report.Findings)
		}
		_, err := h.Head(ctx())
		problemOf(t, err, "vault_corrupt", "last entry does not match")
	})
}

// rewritten returns statements that change an entry and recompute the plain
// chain from there to the end.
func (h *house) rewritten(from int64) (statements []string) {
	h.t.Helper()
	s := h.session()
	before := s.db.key.genesis(s.db.id).hash
	for r := range s.entries(`ORDER BY seq`) {
		body := r.body
		if r.seq == from {
			body = bytes.ReplaceAll(body, []byte("1234567"), []byte("7654321"))
		}
		before = nextHash(r.seq, before, bodyDigest(body))
		statements = append(statements, fmt.Sprintf(`UPDATE events SET body = '%s', hash = x'%s' WHERE seq = %d`, body, before, r.seq))
	}
	h.must(s.err)
	return statements
}

// What Verify names has no effect either.
func TestTamperedRowsAreIgnored(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		h.sql(`UPDATE states SET body = json_set(body, '$.spent', json('false')) WHERE name = 'ap_2'`,
			`UPDATE states SET body = json_set(body, '$.name', 'AAAA') WHERE name = 'ada'`,
			`UPDATE states SET body = json_set(body, '$.writes', json('false')) WHERE kind = 'freeze'`)
		if _, ok, err := h.Ticket(ctx(), "ap_2"); ok || err != nil {
			t.Error("the ticket counts", err)
		}
		if spent, _, err := h.SpendTicket(ctx(), "ap_2"); spent || err != nil {
			t.Error("the ticket was spent twice", err)
		}
		if approvers, err := guard.Users(ctx(), h); len(approvers) > 0 || err != nil {
			t.Error(approvers, err)
		}
		if f, err := h.Freeze(ctx()); !f.Writes || !f.Reads || !strings.Contains(f.Reason, "changed") || err != nil {
			t.Errorf("%+v %v", f, err)
		}
		h.must(h.SetFreeze(ctx(), guard.Freeze{}, guard.Event{Time: noon(), Kind: guard.KindUnfreeze}))
		if f, err := h.Freeze(ctx()); f != (guard.Freeze{}) || err != nil {
			t.Errorf("after an unfreeze: %+v %v", f, err)
		}
	})
}

// Rows put back from an older copy of the file carry a good MAC.
func TestRestoredRowsAreIgnored(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for _, prune := range []bool{false, true} {
			t.Run(fmt.Sprint("pruned=", prune), func(t *testing.T) {
				h := build(t)
				h.put("ap_1")
				err := putUser(h, guard.User{Name: "bob"}, guard.Event{Time: noon(), Kind: guard.KindUser})
				h.must(err)
				old := h.rows()
				_, _, err = h.SpendTicket(ctx(), "ap_1", guard.Event{Time: noon(), Kind: guard.KindConfirmed})
				h.must(err)
				err = removeUser(h, "bob", guard.Event{Time: noon(), Kind: guard.KindUser})
				h.must(err)
				h.must(h.SetFreeze(ctx(), guard.Freeze{Writes: true}, guard.Event{Time: noon(), Kind: guard.KindFreeze}))
				if prune {
					c, err := h.Prune(ctx(), noon().Add(1))
					h.must(err)
					if c.Removed != 5 {
						t.Fatalf("%+v", c)
					}
				}
				h.whole()
				h.sql(old...)
				h.expectOldRowsRefused()
			})
		}
	})
}

func (h *house) expectOldRowsRefused() {
	h.t.Helper()
	if spent, _, err := h.SpendTicket(ctx(), "ap_1"); spent || err != nil {
		h.t.Error("spent twice", err)
	}
	if approvers, err := guard.Users(ctx(), h); len(approvers) > 0 || err != nil {
		h.t.Error(approvers, err)
	}
	if f, err := h.Freeze(ctx()); !f.Writes || err != nil {
		h.t.Errorf("%+v %v", f, err)
	}
	named := map[string]bool{}
	for _, finding := range h.verify(nil).Findings {
		named[finding.Row] = true
	}
	if !reflect.DeepEqual(named, map[string]bool{"user/bob": true, "freeze/all": true, "ticket/ap_1": true}) {
		h.t.Error(named)
	}
}

// The older copy of a ticket's row fits the record once the entry about its
// spending is removed. The entries since then do not fit any more.
func TestTicketStaysSpentWithoutItsEntry(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for name, removal := range map[string]string{
			"removed":                        `DELETE FROM events WHERE seq = 2`,
			"rewritten":                      `UPDATE events SET body = json_remove(body, '$.state') WHERE seq = 2`,
			"at the end, with others put in": `DELETE FROM events WHERE seq > 1; INSERT INTO events (seq, body, hash, mac) VALUES (6, '{}', zeroblob(32), zeroblob(32))`,
		} {
			t.Run(name, func(t *testing.T) {
				h := build(t)
				h.put("ap_1")
				old := h.rows()
				_, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, guard.Intent{}))
				h.must(err)
				h.fill(4)
				h.sql(append(old, removal)...)
				spent, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindIntent, guard.Intent{}))
				problemOf(t, err, "vault_corrupt", "entry 2 was changed")
				if spent {
					t.Error("spent twice")
				}
			})
		}
	})
}

// rows returns statements that put the rows of now back.
func (h *house) rows() (statements []string) {
	h.t.Helper()
	now := h.session()
	for s := range now.states(``) {
		statements = append(statements, fmt.Sprintf(`INSERT INTO states (kind, name, seq, body, mac) VALUES ('%s', '%s', %d, '%s', x'%x')
			ON CONFLICT (kind, name) DO UPDATE SET seq = excluded.seq, body = excluded.body, mac = excluded.mac`, s.kind, s.name, s.seq, s.body, s.mac[:]))
	}
	h.must(now.err)
	return statements
}

// shown is all that the file says, to compare a damaged one with.
func (h *house) shown() (all []any, err error) {
	events, err := h.List(ctx(), Filter{})
	if err != nil {
		return nil, err
	}
	tickets, err := h.Tickets(ctx(), 100)
	if err != nil {
		return nil, err
	}
	approvers, err := guard.Users(ctx(), h)
	if err != nil {
		return nil, err
	}
	f, err := h.Freeze(ctx())
	return []any{events, tickets, approvers, f}, err
}

// Bytes all over the file are changed, one at a time. Either something is
// found, or the byte meant nothing and all is as it was.
func TestChangedBytesAreFound(t *testing.T) {
	t.Parallel()
	testkit.SkipShort(t, testkit.Properties)
	h := furnish(build(t))
	want, err := h.shown()
	h.must(err)
	h.must(h.Close())
	good, err := os.ReadFile(h.name)
	h.must(err)
	r, found := rand.New(rand.NewPCG(1, 2)), 0
	places := interestingBytes(good, r)
	for _, at := range places {
		if bad := h.withByte(good, at, byte(1+r.IntN(255)), want); bad {
			found++
		}
	}
	if found < len(places)/3 {
		t.Errorf("only %d changes of %d were found", found, len(places))
	}
}

// interestingBytes are places in every kind of content, and some anywhere.
func interestingBytes(file []byte, r *rand.Rand) (places []int) {
	for _, mark := range []string{`"kind":"intent"`, `"1234567"`, `"kind":"asked"`, `"binding"`, `"requester"`, `"public_key"`, `"writes":true`, "CREATE TABLE events"} {
		for from := 0; ; {
			at := bytes.Index(file[from:], []byte(mark))
			if at < 0 {
				break
			}
			places = append(places, from+at+len(mark)-3)
			from += at + len(mark)
		}
	}
	for range 30 {
		places = append(places, r.IntN(len(file)))
	}
	for page := 0; page < len(file); page += 4096 {
		places = append(places, page, page+5)
	}
	return places
}

// withByte opens the file with one byte changed, and reports whether that was
// noticed. If not, everything must be as it was.
func (h *house) withByte(good []byte, at int, flip byte, want []any) bool {
	h.t.Helper()
	bad := bytes.Clone(good)
	bad[at] ^= flip
	h.must(os.WriteFile(h.name, bad, 0o600))
	_ = os.Remove(h.name + "-wal")
	_ = os.Remove(h.name + "-shm")
	l := Open(Options{Dir: disk.New(h.dir), Keys: h.keys, Now: h.clock.Now})
	defer l.Close()
	report, err := l.Verify(ctx(), nil)
	if err != nil || !report.Whole() {
		return true
	}
	copied := *h
	copied.Ledger = l
	got, err := copied.shown()
	if err == nil && !reflect.DeepEqual(got, want) {
		h.t.Errorf("byte %d: nothing was found, and the content is another", at)
	}
	return err != nil
}

func TestTriggersAreRefused(t *testing.T) {
	t.Parallel()
	h := furnish(build(t))
	h.sql(`CREATE TRIGGER x AFTER INSERT ON events BEGIN DELETE FROM events WHERE seq = 1; END`)
	_, err := h.Append(ctx(), event(guard.KindRefusal, guard.Intent{}))
	problemOf(t, err, "vault_corrupt", "triggers")
}

func TestHeadRevealsTruncation(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		head, err := h.Head(ctx())
		h.must(err)
		if report := h.verify(&head); !report.Whole() || report.Attested != 13 {
			t.Fatalf("%+v", report)
		}
		// The vault is put back as well, so nothing but the head knows.
		h.must(h.Close())
		h.must(os.WriteFile(h.keys.path, []byte("9"), 0o600))
		h.sql(`DELETE FROM events WHERE seq > 9`)
		report := h.verify(&head)
		if !findsAt(report, 10, "entries 10 to 13 are missing") {
			t.Errorf("%+v", report.Findings)
		}
	})
}

func findsAt(r Report, seq int64, what string) bool {
	for _, finding := range r.Findings {
		if finding.Seq == seq && strings.Contains(finding.What, what) {
			return true
		}
	}
	return false
}

// An attacker with file and key can rewrite everything; the head shows it.
func TestHeadRevealsRewrittenRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		head, err := h.Head(ctx())
		h.must(err)
		h.remove()
		h.must(os.Remove(h.keys.path))
		h.reopen()
		h.fill(20)
		h.whole()
		if report := h.verify(&head); !findsAt(report, 0, "another ledger") {
			t.Errorf("%+v", report.Findings)
		}
	})
}

func TestForgedHeads(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := furnish(build(t))
		head, err := h.Head(ctx())
		h.must(err)
		public, err := h.PublicKey(ctx())
		h.must(err)
		h.must(VerifyHead(public, head))
		_, stranger, err := ed25519.GenerateKey(nil)
		h.must(err)
		for name, change := range map[string]func(*Head){
			"seq":      func(f *Head) { f.Seq-- },
			"hash":     func(f *Head) { f.Hash = digest{} },
			"time":     func(f *Head) { f.Time = "2030-01-01T00:00:00Z" },
			"ledger":   func(f *Head) { f.Ledger = "another" },
			"unsigned": func(f *Head) { f.Signature = nil },
			"stranger": func(f *Head) { f.Signature = ed25519.Sign(stranger, f.message()) },
			"stranger's key": func(f *Head) {
				f.KeyFingerprint = Fingerprint(stranger.Public().(ed25519.PublicKey))
				f.Signature = ed25519.Sign(stranger, f.message())
			},
			"a checkpoint's signature": func(f *Head) {
				c := Checkpoint{Head: *f}
				f.Signature = ed25519.Sign(ed25519.NewKeyFromSeed(testKey(KeySigning)), c.message())
			},
		} {
			forged := head
			change(&forged)
			if VerifyHead(public, forged) == nil {
				t.Errorf("%s: the head counts", name)
			}
			if report := h.verify(&forged); report.Whole() {
				t.Errorf("%s: nothing was found", name)
			}
		}
	})
}
