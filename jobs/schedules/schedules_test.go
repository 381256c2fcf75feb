package schedules_test

import (
	"strings"
	"testing"
	"time"

	"mcp-partner/jobs/schedules"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestSchedulesThatCannotRunAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ called, cron, zone, says string }{
		"five fields":          {called: "nightly", cron: "0 2 * * *", zone: "Europe/Berlin"},
		"a descriptor":         {called: "a.b_c@d-1", cron: "@daily", zone: "UTC"},
		"six fields":           {called: "x", cron: "0 0 2 * * *", zone: "UTC", says: "cron"},
		"nothing":              {called: "x", cron: "", zone: "UTC", says: "cron"},
		"from now on":          {called: "x", cron: "@every 1h", zone: "UTC", says: "cron"},
		"a zone of its own":    {called: "x", cron: "TZ=UTC 0 2 * * *", zone: "UTC", says: "cron"},
		"a zone and no fields": {called: "x", cron: "CRON_TZ=UTC", zone: "UTC", says: "cron"},
		"never":                {called: "x", cron: "0 0 31 2 *", zone: "UTC", says: "never"},
		"no zone":              {called: "x", cron: "@daily", zone: "Mars/Olympus", says: "zone"},
		"an empty zone":        {called: "x", cron: "@daily", zone: "", says: "zone"},
		"each machine's zone":  {called: "x", cron: "@daily", zone: "Local", says: "zone"},
		"a zone and more":      {called: "x", cron: "@daily", zone: "UTC 0", says: "zone"},
		"another caller":       {called: "token:x", cron: "@daily", zone: "UTC", says: "name"},
		"no name":              {called: "", cron: "@daily", zone: "UTC", says: "name"},
		"a line":               {called: "x\ny", cron: "@daily", zone: "UTC", says: "name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := schedules.Schedule{Name: test.called, Cron: test.cron, Zone: test.zone, CreatedAt: at("2026-11-30T12:00:00Z")}.Check()
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Of the slots that were missed one alone is due, however many there were.
func TestNewestMissedSlotIsDue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ cron, zone, last, now, due string }{
		"nothing yet":              {cron: "0 2 * * *", last: "2026-11-30T02:00:00Z", now: "2026-12-01T01:59:59Z"},
		"on time":                  {cron: "0 2 * * *", last: "2026-11-30T02:00:00Z", now: "2026-12-01T02:00:00Z", due: "2026-12-01T02:00:00Z"},
		"three nights missed":      {cron: "0 2 * * *", last: "2026-11-30T02:00:00Z", now: "2026-12-03T09:00:00Z", due: "2026-12-03T02:00:00Z"},
		"ten years of minutes":     {cron: "* * * * *", last: "2016-11-30T02:00:00Z", now: "2026-11-30T09:00:30Z", due: "2026-11-30T09:00:00Z"},
		"four years":               {cron: "0 0 29 2 *", last: "2024-02-29T00:00:00Z", now: "2028-03-05T00:00:00Z", due: "2028-02-29T00:00:00Z"},
		"another zone":             {cron: "0 2 * * *", zone: "Asia/Tokyo", last: "2026-11-29T17:00:00Z", now: "2026-11-30T17:00:00Z", due: "2026-11-30T17:00:00Z"},
		"an hour that comes twice": {cron: "30 2 * * *", zone: "Europe/Berlin", last: "2026-10-24T00:30:00Z", now: "2026-10-25T23:00:00Z", due: "2026-10-25T01:30:00Z"},
		"a clock that went back":   {cron: "0 2 * * *", last: "2026-11-30T02:00:00Z", now: "2026-11-29T02:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := schedules.Schedule{Name: "x", Cron: test.cron, Zone: "UTC", CreatedAt: at("2000-01-01T00:00:00Z"), Last: schedules.Slot{Due: at(test.last)}}
			if test.zone != "" {
				s.Zone = test.zone
			}
			due, ok := s.Due(at(test.now))
			if ok != (test.due != "") || ok && !due.Equal(at(test.due)) {
				t.Errorf("got %s, %t", due.UTC(), ok)
			}
			if s.Stopped = "why"; ok {
				if _, ok := s.Due(at(test.now)); ok {
					t.Error("a stopped schedule is due")
				}
			}
		})
	}
}

// A schedule that is added under the name of one that was removed has other runs.
func TestRunOfASlotHasOneID(t *testing.T) {
	t.Parallel()
	s := schedules.Schedule{Name: "x", CreatedAt: at("2026-11-30T12:00:00Z")}
	due := at("2026-12-01T02:00:00Z")
	if s.RunID(due) != s.RunID(due.In(time.FixedZone("", 3600))) {
		t.Error("the ID depends on the zone")
	}
	other := s
	other.CreatedAt = s.CreatedAt.Add(time.Nanosecond)
	for _, id := range []string{other.RunID(due), s.RunID(due.Add(time.Minute))} {
		if id == s.RunID(due) || len(id) != len("run_000000000000000000") {
			t.Errorf("got %s", id)
		}
	}
}
