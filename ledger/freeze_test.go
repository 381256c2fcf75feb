package ledger

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
)

func (h *house) freeze(f guard.Freeze) error {
	kind := guard.KindFreeze
	if f == (guard.Freeze{}) {
		kind = guard.KindUnfreeze
	}
	return h.SetFreeze(ctx(), f, guard.Event{Time: noon(), Kind: kind})
}

func ofReads() guard.Freeze {
	return guard.Freeze{Writes: true, Reads: true, Reason: "a leak", By: "ops", Since: noon()}
}

// A freeze of reads holds whatever is done to the ledger, and where the ledger
// cannot be opened.
func TestFreezeOfReadsHoldsWithoutALedger(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(h *house){
		"untouched": func(*house) {},
		"damaged":   func(h *house) { h.must(os.WriteFile(h.name, []byte(strings.Repeat("no ledger ", 1000)), 0o600)) },
		"removed": func(h *house) {
			h.must(errors.Join(os.Remove(h.name), os.RemoveAll(h.name+"-wal"), os.RemoveAll(h.name+"-shm")))
		},
		"locked": func(h *house) { h.keys.breakWith(problems.New(problems.CodeVaultLocked, "locked")) },
		"row edited": func(h *house) {
			h.sql(`UPDATE states SET body = json_set(body, '$.reads', json('false')) WHERE kind = 'freeze'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			h.must(h.freeze(ofReads()))
			h.must(h.Close())
			spoil(h)
			h.Ledger = nil
			h.reopen()
			f, err := h.Freeze(ctx())
			if err != nil || !f.Reads || !f.Writes || f.Reason == "" {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
}

func TestUnfreezeLiftsReadsAndWrites(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.must(h.freeze(ofReads()))
	if f, err := h.Freeze(ctx()); err != nil || f != ofReads() {
		t.Fatalf("%+v, %v", f, err)
	}
	h.must(h.freeze(guard.Freeze{}))
	if f, err := h.Freeze(ctx()); err != nil || f != (guard.Freeze{}) || h.marked() {
		t.Errorf("%+v, %v", f, err)
	}
	h.must(h.freeze(guard.Freeze{Writes: true, Reason: "audit"}))
	if h.marked() {
		t.Error("a freeze of writes left the file of one of reads")
	}
	h.whole()
}

// A freeze takes no passphrase, so none must let go what another one stopped, not
// even one that was begun before it.
func TestLesserFreezeKeepsEarlierFreeze(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, _ *testkit.Clock) {
		freeze := func(f guard.Freeze, kind guard.EventKind) {
			t.Helper()
			if err := s.SetFreeze(ctx(), f, guard.Event{Time: noon(), Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
		writes := guard.Freeze{Writes: true, Reason: "audit"}
		for _, step := range []struct {
			set  guard.Freeze
			want string
		}{{writes, "writes"}, {ofReads(), "writes and reads"}, {writes, "writes and reads"}, {guard.Freeze{}, ""}, {writes, "writes"}} {
			freeze(step.set, guard.KindFreeze)
			if f, err := s.Freeze(ctx()); err != nil || f.Scope() != step.want {
				t.Errorf("%+v: %+v, %v", step.set, f, err)
			}
		}
	})
}

func TestRecordNamesWhatFreezeStops(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.must(h.freeze(ofReads()))
	h.must(os.Remove(h.markPath())) // by somebody who wants to read
	h.must(h.freeze(guard.Freeze{Writes: true, Reason: "audit"}))
	h.must(h.freeze(guard.Freeze{}))
	var said []string
	for _, e := range h.events() {
		said = append(said, e.Result)
	}
	if want := []string{"writes and reads", "writes and reads", ""}; !slices.Equal(said, want) || h.marked() {
		t.Errorf("%q, want %q", said, want)
	}
}

// A freeze that cannot be recorded still stops everything; where there is no
// ledger at all, none is begun for it.
func TestUnrecordedFreezeStillHolds(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.keys.breakWith(problems.New(problems.CodeVaultMissing, "none"))
	if err := h.freeze(ofReads()); problems.As(err) == nil || h.marked() {
		t.Errorf("without a ledger: %v", err)
	}
	h.keys.breakWith(nil)
	h.fill(2)
	h.must(h.Close())
	h.Ledger = nil
	h.reopen()
	h.keys.breakWith(problems.New(problems.CodeVaultLocked, "locked"))
	problemOf(t, h.freeze(ofReads()), problems.CodeVaultLocked, "are still stopped")
	if f, err := h.Freeze(ctx()); err != nil || !f.Reads || f.Reason != "a leak" {
		t.Errorf("%+v, %v", f, err)
	}
	h.keys.breakWith(nil)
	h.must(h.freeze(guard.Freeze{}))
	if f, err := h.Freeze(ctx()); err != nil || f != (guard.Freeze{}) {
		t.Errorf("%+v, %v", f, err)
	}
}

// The text of the file is untrusted.
func TestFreezeFileIsUntrustedText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"nothing": "", "no JSON": "thaw", "hostile": `{"writes":false,"reads":false,"reason":"\u001b[2Jgo on","since":"2026-03-04T12:00:00.000000000Z"}`, "huge": strings.Repeat("x", maxMark+1)} {
		h := build(t)
		h.fill(2)
		h.must(os.WriteFile(h.markPath(), []byte(text), 0o600))
		if f, err := h.Freeze(ctx()); err != nil || !f.Reads || !f.Writes || f.Reason == "" || strings.ContainsAny(f.Reason, "\x1b\n") {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// A freeze by another process between the admission of a write and its intent.
func TestNoIntentFollowsFreeze(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for name, freeze := range map[string]func(h *house){
			"of writes": func(h *house) {
				h.must(h.second().SetFreeze(ctx(), guard.Freeze{Writes: true, Reason: "audit"}, event(guard.KindFreeze, guard.Intent{})))
			},
			"of reads": func(h *house) {
				h.must(h.second().SetFreeze(ctx(), ofReads(), event(guard.KindFreeze, guard.Intent{})))
			},
			"whose row is edited": func(h *house) {
				h.must(h.freeze(guard.Freeze{Writes: true, Reason: "audit"}))
				h.meanwhile(`UPDATE states SET body = json_set(body, '$.writes', json('false')) WHERE kind = 'freeze'`)
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := build(t)
				h.put("ap_1")
				openRun(t, h.Ledger, anOpenRun("run_1", ""))
				begun, err := h.begin(1)
				h.must(err)
				freeze(h)
				had := len(h.events())
				i := intent("stdio", "tenant of ap_1", "1234567")
				_, err = h.Append(ctx(), event(guard.KindIntent, i))
				problemOf(t, err, problems.CodeFrozen)
				_, _, err = h.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, i), event(guard.KindIntent, i))
				problemOf(t, err, problems.CodeFrozen)
				_, err = h.begin(10)
				problemOf(t, err, problems.CodeFrozen)
				if stored, ok, err := h.Ticket(ctx(), "ap_1"); err != nil || !ok || stored.Spent || len(h.events()) != had {
					t.Errorf("%+v, %v, %v, %d entries", stored, ok, err, len(h.events())-had)
				}
				second := stepIntent("tenant 1", "run_1", 1)
				second.Completes = true
				begun.Revision++
				if begun, err = h.Advance(ctx(), "run_1", begun, second); err != nil || begun.Intent == 0 {
					t.Error("what has begun is not completed:", begun, err)
				}
				h.done(begun)
			})
		}
	})
}
