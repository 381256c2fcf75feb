package ledger

import (
	"fmt"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/schemas/answers"
)

// vanished is an alert of a link that was there at since, found by a run.
func vanished(h *house, run, name string, since time.Duration, channels ...string) Alert {
	now := h.clock.Now()
	e := guard.Event{Time: now, Kind: guard.KindChange, Result: string(answers.KindLinkVanished), Intent: guard.Intent{Run: run, Identity: answers.Identity{TenantID: name}}}
	return Alert{Name: name, Event: e, Since: now.Add(-since), Seen: now, Channels: channels}
}

// A change is told once to each channel, whichever process, restart or further audit
// finds it again; what comes about anew is told anew.
func TestChangeIsAlertedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		other := Open(h.options())
		defer other.Close()
		alert := func(l *Ledger, want int, alerts ...Alert) {
			t.Helper()
			if n, err := l.Alert(ctx(), alerts); err != nil || n != want {
				t.Fatalf("%d alerted, %v; want %d", n, err, want)
			}
		}
		first := []Alert{vanished(h, "run_1", "a", time.Hour, "finops", "chat"), vanished(h, "run_1", "b", time.Hour, "finops")}
		alert(h.Ledger, 2, first...)
		alert(other, 0, first...)
		h.reopen()
		alert(h.Ledger, 0, first...)
		h.clock.Advance(time.Minute)
		alert(h.Ledger, 1, vanished(h, "run_2", "a", time.Hour, "finops"), vanished(h, "run_2", "c", time.Hour, "chat"))
		h.clock.Advance(time.Hour)
		alert(other, 1, vanished(h, "run_3", "a", time.Minute, "finops"))

		var got []string
		for {
			m, ok, err := h.Claim(ctx(), pauseOf)
			h.must(err)
			if !ok {
				break
			}
			got = append(got, m.Kind+" "+m.Name)
			h.must(h.Delivered(ctx(), m))
		}
		changes, err := h.List(ctx(), Filter{Kind: guard.KindChange})
		h.must(err)
		first1, last := changes[0].Seq, changes[len(changes)-1].Seq
		want := fmt.Sprintf("[change chat/%d-%d change finops/%[1]d-%[2]d change chat/%d-%[3]d change finops/%d-%[4]d]", first1, first1+1, changes[2].Seq, last)
		if len(changes) != 4 || fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
		h.whole()
	})
}

// A message that is given up leaves the outbox with an entry, once.
func TestGivenUpMessageIsRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		_, err := h.Alert(ctx(), []Alert{vanished(h, "run_1", "a", time.Hour, "finops")})
		h.must(err)
		h.clock.Advance(25 * time.Hour)
		m, ok, err := h.Claim(ctx(), pauseOf)
		h.must(err)
		if !ok || m.Age != 25*time.Hour {
			t.Fatalf("%v, %+v", ok, m)
		}
		for range 2 {
			h.must(h.Delivered(ctx(), m, guard.Event{Time: h.clock.Now(), Kind: guard.KindUndelivered}))
		}
		for since, want := range map[time.Duration]int{time.Minute: 1, -time.Minute: 0} {
			if n, err := h.GivenUp(ctx(), h.clock.Now().Add(-since)); err != nil || n != want {
				t.Errorf("%d given up, want %d, %v", n, want, err)
			}
		}
		if waiting, err := h.Undelivered(ctx()); err != nil || len(waiting) != 0 {
			t.Errorf("%d wait, %v", len(waiting), err)
		}
		h.whole()
	})
}

func TestLastWriteIsThatOfTheIdentityInTheTime(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		began := h.clock.Now()
		var writes []guard.Intent
		for i, id := range []string{"1234567", "7654321", "2345678"} {
			h.clock.Advance(time.Minute)
			one := intent("stdio", "contoso", id)
			one.Identity.ObjectID = []string{"o", "o", "other"}[i]
			writes = append(writes, one)
			e := event(guard.KindIntent, one)
			e.Time = h.clock.Now()
			_, err := h.Append(ctx(), e)
			h.must(err)
		}
		tenantID := writes[0].Identity.TenantID
		for _, test := range []struct {
			tenant, object string
			since, until   time.Duration
			want           string
		}{
			{tenantID, "o", 0, time.Hour, "7654321"},
			{tenantID, "o", 0, 90 * time.Second, "1234567"},
			{tenantID, "other", 0, time.Hour, "2345678"},
			{tenantID, "o", 150 * time.Second, time.Hour, ""},
			{tenantID, "nobody", 0, time.Hour, ""},
			{"another tenant", "o", 0, time.Hour, ""},
		} {
			got, ok, err := h.LastWrite(ctx(), test.tenant, test.object, began.Add(test.since), began.Add(test.until))
			if err != nil || ok != (test.want != "") || string(got.PartnerID) != test.want {
				t.Errorf("%+v: %v %q %v", test, ok, got.PartnerID, err)
			}
		}
	})
}

func TestAcknowledgementHoldsUntilItIsEnded(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		one := fleet.Acknowledgement{Tenant: "contoso", TenantID: "tenant-1", Owner: "carol", Note: "contract ends", By: "alice", Until: h.clock.Now().Add(time.Hour).UTC()}
		said := guard.Event{Time: h.clock.Now(), Kind: guard.KindAcknowledged}
		ok, err := h.Acknowledge(ctx(), one, said)
		h.must(err)
		h.reopen()
		known, err := h.Acknowledged(ctx())
		h.must(err)
		if !ok || len(known) != 1 || known["tenant-1"] != one {
			t.Errorf("%v: %+v, want %+v", ok, known, one)
		}
		for _, want := range []bool{true, false} {
			if ok, err := h.Acknowledge(ctx(), fleet.Acknowledgement{TenantID: "tenant-1"}, said); err != nil || ok != want {
				t.Errorf("ended %v, %v", ok, err)
			}
		}
		if known, err := h.Acknowledged(ctx()); err != nil || len(known) != 0 {
			t.Errorf("%+v, %v", known, err)
		}
		h.whole()
	})
}
