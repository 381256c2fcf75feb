package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"mcp-partner/guard"
)

// aRefusal is a refusal of a caller for a partner ID.
func aRefusal(caller string, partner int) guard.Event {
	e := event(guard.KindRefusal, intent(caller, "contoso", fmt.Sprint(1000000+partner)))
	e.Result = "not_allowed"
	return e
}

// told adds up what the entries say of how often a caller was refused.
func (h *house) told(caller string) (entries, refusals int) {
	h.t.Helper()
	for _, e := range h.events() {
		if e.Kind != guard.KindRefusal || string(e.Intent.Caller) != caller {
			h.t.Fatalf("%+v", e)
		}
		entries++
		n := 1
		if e.Detail != "" {
			if _, err := fmt.Sscanf(e.Detail, "%d ", &n); err != nil {
				h.t.Fatal(e.Detail)
			}
		}
		refusals += n
	}
	return entries, refusals
}

// A caller in a loop neither fills the disk nor goes unnoticed, whether it asks
// for the same again or for something else each time.
func TestRepeatedRefusalsAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for name, c := range map[string]struct {
			partner         func(k int) int
			atOnce, entries int
		}{
			"the same":   {partner: func(int) int { return 7 }, atOnce: 1, entries: 2},
			"two":        {partner: func(k int) int { return k % 2 }, atOnce: 2, entries: 4},
			"all others": {partner: func(k int) int { return k }, atOnce: 20, entries: 21},
		} {
			t.Run(name, func(t *testing.T) {
				h := build(t)
				const calls = 100_000
				for k := range calls {
					h.must(h.Refused(ctx(), aRefusal("stdio", c.partner(k))))
				}
				if entries, _ := h.told("stdio"); entries != c.atOnce {
					t.Errorf("%d entries at once", entries)
				}
				h.reopen() // Close writes what was counted
				entries, refusals := h.told("stdio")
				if entries != c.entries || refusals != calls {
					t.Errorf("%d entries tell of %d refusals", entries, refusals)
				}
				h.whole()
			})
		}
	})
}

func TestRepeatedRefusalsBecomeOneEntry(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		var fire func()
		h.Ledger.refusals.after = func(d time.Duration, f func()) func() bool {
			if d != 10*time.Minute || fire != nil {
				t.Error("after", d)
			}
			fire = f
			return func() bool { return true }
		}
		for range 3 {
			h.must(h.Refused(ctx(), aRefusal("stdio", 1)))
			h.must(h.Refused(ctx(), aRefusal("http:x", 1)))
		}
		h.clock.Advance(10 * time.Minute)
		fire()
		events := h.events()
		if len(events) != 4 {
			t.Fatalf("%+v", events)
		}
		again := events[3]
		if again.Detail != "2 more refusals of this since 2026-03-04T12:00:00Z" || again.Intent.Caller != "stdio" || again.Result != "not_allowed" ||
			again.Intent.Identity.Tenant != "contoso" || again.Intent.PartnerID != "1000001" || !again.Time.Equal(noon().Add(10*time.Minute)) {
			t.Errorf("%+v", again)
		}
		fire = nil
		h.must(h.Refused(ctx(), aRefusal("stdio", 1)))
		if events = h.events(); len(events) != 5 || events[4].Detail != "" || fire == nil {
			t.Errorf("a new period does not begin with an entry: %+v", events)
		}
	})
}

func TestUnwrittenRefusalsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.keys.breakWith(errors.New("no vault"))
		for range 3 {
			_ = h.Refused(ctx(), aRefusal("stdio", 1))
		}
		if h.Ledger.refusals.flush(ctx()) == nil {
			t.Error("written without a vault")
		}
		h.keys.breakWith(nil)
		h.reopen()
		if entries, refusals := h.told("stdio"); entries != 1 || refusals != 3 {
			t.Errorf("%d entries tell of %d refusals", entries, refusals)
		}
	})
}
