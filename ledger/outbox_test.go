package ledger

import (
	"testing"
	"time"

	"mcp-partner/guard"
)

func pauseOf(tries int) time.Duration { return time.Duration(tries) * time.Minute }

// claim expects a message to be due, or none where name is "".
func (h *house) claim(l *Ledger, name string, tries int) Message {
	h.t.Helper()
	m, ok, err := l.Claim(ctx(), pauseOf)
	h.must(err)
	if ok != (name != "") || ok && (m.Name != name || m.Tries != tries || !m.Again.Equal(h.clock.Now().Add(pauseOf(tries)))) {
		h.t.Fatalf("claimed %v %+v, want %q for attempt %d", ok, m, name, tries)
	}
	return m
}

func TestMessageIsDueAgainUntilItIsDelivered(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.announces = true
		h.reopen()
		other := Open(h.options())
		defer other.Close()
		h.put("ap_1")
		h.claim(h.Ledger, "ap_1", 1)
		h.claim(other, "", 0)
		h.clock.Advance(time.Minute)
		h.claim(other, "ap_1", 2)
		h.clock.Advance(time.Minute)
		h.claim(h.Ledger, "", 0)
		h.reopen()
		h.clock.Advance(time.Minute)
		m := h.claim(h.Ledger, "ap_1", 3)
		if waiting, err := h.Undelivered(ctx()); err != nil || len(waiting) != 1 {
			t.Error(len(waiting), err)
		}
		h.must(h.Delivered(ctx(), m))
		h.clock.Advance(time.Hour)
		h.claim(h.Ledger, "", 0)
		if waiting, err := h.Undelivered(ctx()); err != nil || len(waiting) != 0 {
			t.Error(len(waiting), err)
		}
		h.whole()
	})
}

func TestOnlyNewQuestionsForApproversGoIntoTheOutbox(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_before")
		h.announces = true
		h.reopen()
		i := intent("stdio", "contoso", "1234567")
		inBand := ticket("ap_band", i)
		inBand.InBand = true
		for _, one := range []guard.Ticket{inBand, ticket("ap_1", i), ticket("ap_joins", i)} {
			_, err := h.PutTicket(ctx(), one, 10, event(guard.KindAsked, i))
			h.must(err)
		}
		if _, err := h.PutTicket(ctx(), ticket("ap_many", intent("stdio", "fabrikam", "1234567")), 1, event(guard.KindAsked, i)); err == nil {
			t.Fatal("too many were taken")
		}
		h.claim(h.Ledger, "ap_1", 1)
		h.claim(h.Ledger, "", 0)
	})
}
