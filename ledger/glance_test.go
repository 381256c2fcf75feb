//go:build unix

package ledger

import (
	"errors"
	"os"
	"testing"
	"time"

	"mcp-partner/guard"
)

// age makes the files look as if nobody had written for a while.
func (h *house) age(by time.Duration) {
	h.t.Helper()
	at := time.Now().Add(-by)
	for _, path := range []string{h.path, h.path + "-wal"} {
		if err := os.Chtimes(path, at, at); err != nil && !errors.Is(err, os.ErrNotExist) {
			h.t.Fatal(err)
		}
	}
}

func (h *house) glimpse() (footprint, bool) {
	h.t.Helper()
	_, info, err := h.useAsSeen(ctx())
	h.must(err)
	return h.footprint(info)
}

func (h *house) frozen() bool {
	h.t.Helper()
	f, err := h.Freeze(ctx())
	h.must(err)
	return f.Writes
}

// While nobody writes, the brake is not read again; whoever pulls or releases it
// is seen at the next call, from this process or another.
func TestAGlanceStandsForReadingTheBrake(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.fill(2)
	other := Open(Options{Dir: h.dir, Keys: h.keys, Now: h.clock.now})
	t.Cleanup(func() { _ = other.Close() })
	set := func(l *Ledger, f guard.Freeze) {
		t.Helper()
		h.must(l.SetFreeze(ctx(), f, guard.Event{Time: noon(), Kind: guard.KindFreeze}))
	}
	for round, who := range []*Ledger{other, h.Ledger, other} {
		for _, want := range []bool{true, false} {
			h.age(time.Hour)
			if h.frozen() == want {
				t.Fatalf("round %d: frozen is %v already", round, want)
			}
			if at, settled := h.glimpse(); !settled {
				t.Fatal("the files are not settled")
			} else if _, known := h.glance.recall(at); !known {
				t.Fatal("a glance does not stand for the reading")
			}
			set(who, guard.Freeze{Writes: want, Reason: "round"})
			if h.frozen() != want {
				t.Fatalf("round %d: the change to %v is not seen", round, want)
			}
		}
	}
}

// Nothing is kept of files that were written a moment ago, or that claim to be
// from the future: two changes of one moment can leave the same time.
func TestAGlanceIsNotTakenTooEarly(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]time.Duration{"now": 0, "in an hour": -time.Hour} {
		h := build(t)
		h.fill(2)
		h.age(age)
		if h.frozen(); h.glance.brake != nil {
			t.Errorf("%s: kept", name)
		}
	}
}

// An older file that is put in the place of the open one with its old times is
// another file all the same.
func TestAGlanceKnowsTheFile(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.fill(2)
	h.age(time.Hour)
	h.frozen()
	h.must(h.Ledger.db.freeze.Close()) // nothing can be read any more
	if h.frozen() {
		t.Error("frozen")
	}
	h.must(os.Rename(h.path, h.path+".aside"))
	h.must(os.WriteFile(h.path, nil, 0o600))
	if _, err := h.Freeze(ctx()); err == nil {
		t.Error("a file in the place of the open one is taken for it")
	}
}

func TestWhenTimesSettle(t *testing.T) {
	t.Parallel()
	now := noon()
	whole := now.Truncate(time.Second)
	for name, test := range map[string]struct {
		at   time.Time
		want bool
	}{
		"fine, just now": {now.Add(-settled + 1), false}, "fine, a moment ago": {now.Add(-settled), true},
		"coarse, a moment ago": {whole, false}, "coarse, a second ago": {whole.Add(-time.Second), false}, "coarse, long ago": {whole.Add(-coarseSettled), true},
		"the future": {now.Add(time.Second), false},
	} {
		if got := settles(test.at, now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A token is looked up once while nobody writes, and a revocation or a use by
// another process is seen at the next call.
func TestAGlanceStandsForReadingAToken(t *testing.T) {
	t.Parallel()
	h := build(t)
	other := Open(Options{Dir: h.dir, Keys: h.keys, Now: h.clock.now})
	t.Cleanup(func() { _ = other.Close() })
	h.issue("tk_1", "nightly", 1)
	h.issue("tk_2", "other", 0)
	kept := func(id string) bool {
		at, settled := h.glimpse()
		_, ok := h.glance.recallToken(at, id)
		return settled && ok
	}
	for id, end := range map[string]func() error{
		"tk_1": func() error { _, err := other.UseToken(ctx(), "tk_1", aboutToken()); return err },
		"tk_2": func() error {
			_, err := other.RevokeTokens(ctx(), guard.TokenSelection{ID: "tk_2"}, aboutToken())
			return err
		},
	} {
		h.age(time.Hour)
		if !h.holds(id) || !kept(id) || !h.holds(id) {
			t.Errorf("%s does not hold, or is not kept", id)
		}
		h.must(end())
		if h.holds(id) || kept(id) {
			t.Errorf("%s holds after its end", id)
		}
	}
	h.age(time.Hour)
	if h.holds("tk_9") || kept("tk_9") {
		t.Error("a token that is not there is kept")
	}
}
