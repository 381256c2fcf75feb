package app

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/config"
	"mcp-partner/internal/disk"
	"mcp-partner/ledger"
	"mcp-partner/schemas/answers"
)

// found is a change with texts that try to be more than text.
func found(n int) ledger.Alert {
	row := answers.AuditRow{Company: "Contoso [GmbH](https://evil.example) <!channel>", Tenant: fmt.Sprintf("customer-%02d", n), TenantID: fmt.Sprintf("t-%02d", n), ObjectID: "o", State: answers.RowNotLinked}
	before := row
	before.State, before.PartnerID = answers.RowLinkedExpected, "1234567"
	return alertOf(fleet.Change{Kind: answers.KindLinkVanished, Before: &before, After: &row}, fleet.Run{ID: "run_1"}, fleet.Run{ID: "run_2", CreatedAt: time.Now()}, []string{"finops"})
}

// Changes that no receiver takes are sent again by the next server, for a day, and then
// given up with an entry; a question of the same outbox that expired is too.
func TestUndeliveredMessageIsGivenUpAfterADay(t *testing.T) {
	t.Parallel()
	down := newReceiver(t, never()...)
	down.got, down.ids = make(chan []byte, 1000), make(chan string, 1000)
	synctest.Test(t, func(t *testing.T) {
		dir, keys := filepath.Join(t.TempDir(), "state"), ledger.NewTemporaryKeys()
		first := start(t, dir, keys, down.URL+hookPath)
		first.ask(t, "contoso")
		if _, err := first.record.Alert(t.Context(), []ledger.Alert{found(1)}); err != nil {
			t.Fatal(err)
		}
		first.serve(t, 12*time.Hour)
		second := start(t, dir, keys, down.URL+hookPath)
		if waiting, err := second.record.Undelivered(t.Context()); err != nil || len(waiting) != 2 {
			t.Errorf("%d wait, %v", len(waiting), err)
		}
		second.serve(t, 13*time.Hour)
		after := start(t, dir, keys, down.URL+hookPath)
		given, err := after.record.List(t.Context(), ledger.Filter{Kind: guard.KindUndelivered})
		if waiting, failed := after.record.Undelivered(t.Context()); err != nil || failed != nil || len(waiting) != 0 || len(given) != 2 {
			t.Errorf("%d wait, %d were given up, %v, %v", len(waiting), len(given), err, failed)
		}
		after.end(t)
	})
}

// A message is the same for each channel: every change for a program, the first for a
// chat, and no text of others is more than text.
func TestMessageAboutChangesIsInertInEachFormat(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "slack", "teams"} {
		r := newReceiver(t)
		hook, _ := hookFor(t, format, r.URL+hookPath)
		hook.outbox = ledger.Open(ledger.Options{Dir: disk.New(filepath.Join(t.TempDir(), "state")), Keys: ledger.NewTemporaryKeys()})
		var alerts []ledger.Alert
		for n := range chatLines + 5 {
			alerts = append(alerts, found(n))
		}
		for range 2 {
			if _, err := hook.outbox.Alert(t.Context(), alerts); err != nil {
				t.Fatal(err)
			}
			if err := hook.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(r.got) != 1 {
			t.Fatalf("%s: %d messages", format, len(r.got))
		}
		body := string(<-r.got)
		if strings.Contains(body, "https://evil") {
			t.Errorf("%s makes a link: %s", format, body)
		}
		switch {
		case format == "json":
			var notice changesNotice
			if err := json.Unmarshal([]byte(body), &notice); err != nil || len(notice.Changes) != len(alerts) || notice.RunID != "run_2" || notice.Changes[0].Before.PartnerID != "1234567" || notice.Changes[0].After.State != answers.LinkNotLinked {
				t.Errorf("%v: %s", err, body)
			}
		case !strings.Contains(body, "And 5 more: mcp-partner audit changes") || !strings.Contains(body, "link vanished: Contoso [GmbH](https: //evil.example)"):
			t.Errorf("%s: %s", format, body)
		case format == "slack" && strings.Count(body, `"mrkdwn"`) > 0:
			t.Errorf("what others wrote is read as markup: %s", body)
		}
		if err := hook.outbox.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUntakenIsOfChannelThatWaitsForLongest(t *testing.T) {
	t.Parallel()
	change := func(name string, tries int) ledger.Message {
		return ledger.Message{Kind: ledger.OutboxChange, Name: name, Tries: tries}
	}
	approval := ledger.Message{Kind: ledger.OutboxApproval, Name: "finops", Tries: 9}
	waiting := []ledger.Message{change("finops/1-2", 2), approval, change("finops/3-3", 1), change("other/1-2", 7)}
	want := Untaken{Channel: "finops", Messages: 2, Tries: 2, Configured: true}
	if got := untaken([]config.Alert{{Name: "finops"}}, waiting); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := untaken(nil, waiting); got.Configured {
		t.Error("a channel that was removed counts as configured")
	}
}
