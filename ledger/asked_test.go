package ledger

import (
	"fmt"
	"testing"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/partnerid"
	"mcp-partner/schemas/problems"
)

// An agent whose client says no by itself, or nothing at all, cannot go on asking;
// a person who confirms can be asked as often as there is something to confirm.
func TestUnconfirmedQuestionsCountForAnHour(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, clock *testkit.Clock) {
		n := 0
		ask := func(caller string) (string, error) {
			n++
			asked := ticket(fmt.Sprint("ap_", n), intent(caller, "contoso", "1234567"))
			asked.InBand, asked.CreatedAt, asked.ExpiresAt = true, clock.Now(), clock.Now().Add(guard.InBandLife)
			stored, err := s.PutTicket(ctx(), asked, 3, event(guard.KindAsked, asked.Intent))
			return stored.ID, err
		}
		end := func(id string, kind guard.EventKind) {
			t.Helper()
			if spent, _, err := s.SpendTicket(ctx(), id, event(kind, guard.Intent{})); !spent || err != nil {
				t.Fatal(spent, err)
			}
		}
		for _, ending := range []guard.EventKind{guard.KindDeclined, guard.KindConfirmed, "", guard.KindConfirmed, guard.KindDeclined} {
			id, err := ask("stdio")
			if err != nil {
				t.Fatal(err)
			}
			if ending != "" {
				end(id, ending)
			}
		}
		clock.Advance(guard.AskedWithin - 1)
		_, err := ask("stdio")
		problemOf(t, err, problems.CodeTooManyApprovals, "3 questions of this caller were not confirmed within an hour")
		if _, err = ask("http:x"); err != nil {
			t.Error("another caller:", err)
		}
		clock.Advance(1)
		if _, err = ask("stdio"); err != nil {
			t.Error("after an hour:", err)
		}
	})
}

// The plan of a question that came to nothing may be megabytes, and opens no run.
func TestPlansOfUnconfirmedQuestionsAreDropped(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		ask := func(id string, inBand bool) {
			t.Helper()
			asked := ticket(id, guard.Intent{Caller: "stdio", Tool: schemas.ToolEnsurePartnerLinks, PartnerID: partnerid.ID(id)})
			asked.InBand, asked.CreatedAt, asked.ExpiresAt = inBand, h.clock.Now(), h.clock.Now().Add(guard.InBandLife)
			asked.Plan = onePlan()
			_, err := h.PutTicket(ctx(), asked, 10, event(guard.KindAsked, asked.Intent))
			h.must(err)
		}
		for _, id := range []string{"ap_declined", "ap_confirmed", "ap_expired"} {
			ask(id, true)
		}
		ask("ap_elsewhere", false)
		_, _, err := h.SpendTicket(ctx(), "ap_declined", event(guard.KindDeclined, guard.Intent{}))
		h.must(err)
		openRun(t, h.Ledger, anOpenRun("run_1", "ap_confirmed"))
		h.clock.Advance(guard.InBandLife - time.Second)
		ask("ap_live", true)
		h.clock.Advance(time.Second + 1)
		ask("ap_new", true)
		for id, kept := range map[string]bool{"ap_declined": false, "ap_expired": false, "ap_confirmed": true, "ap_elsewhere": true, "ap_live": true, "ap_new": true} {
			if _, ok, err := h.Plan(ctx(), id); ok != kept || err != nil {
				t.Error(id, ok, err)
			}
		}
		h.whole()
	})
}
