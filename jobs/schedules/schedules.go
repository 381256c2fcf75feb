// Package schedules says what is audited by itself, when, and on whose behalf. It
// knows neither the queue that carries it out nor the database that keeps it.
package schedules

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"mcp-partner/access"
	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// Most is how many schedules there may be: each is looked at every minute.
const Most = 100

// Schedule is an audit that recurs.
type Schedule struct {
	Name string `json:"name"`
	// Cron has five fields, or is @daily and the like; Zone is the IANA name of its
	// time zone.
	Cron  string      `json:"cron"`
	Zone  string      `json:"zone"`
	Audit fleet.Audit `json:"audit"`
	// Creator is the caller whose grant bounds the schedule, "" for the operator of
	// this program. By is the account that added it.
	Creator   access.Caller `json:"creator,omitempty"`
	By        string        `json:"by"`
	CreatedAt time.Time     `json:"created"`
	// Stopped says why it runs no more, "" while it runs.
	Stopped string `json:"stopped,omitempty"`
	// Last is the slot that was dealt with last.
	Last Slot `json:"last,omitzero"`
	// Compared is the last run whose changes were looked at.
	Compared string `json:"compared,omitempty"`
}

// Slot is one time at which a schedule was due.
type Slot struct {
	Due time.Time `json:"due"`
	// Run is the audit that it began, or Problem says why there is none.
	Run     string `json:"run,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Store keeps schedules, each change with its entry of the record. Errors are
// problems.
type Store interface {
	// Schedules returns all, ordered by name.
	Schedules(ctx context.Context) ([]Schedule, error)
	// AddSchedule adds one, unless the name is taken or there are Most already.
	AddSchedule(ctx context.Context, s Schedule, event guard.Event) error
	// ChangeSchedule changes one that is still the same, with the entry if there is one
	// to write; false if it is gone or change says no.
	ChangeSchedule(ctx context.Context, s Schedule, change func(*Schedule) bool, events ...guard.Event) (bool, error)
	// RemoveSchedule removes one; false if there is none.
	RemoveSchedule(ctx context.Context, name string, event guard.Event) (bool, error)
}

// Check refuses a schedule that cannot be run.
func (s Schedule) Check() error {
	if !guard.IsName(s.Name) {
		return invalid("The name of a schedule consists of letters, digits and . _ @ -, and is at most 64 characters long.")
	}
	times, err := s.times()
	if err != nil {
		return err
	}
	if times.Next(s.CreatedAt).IsZero() {
		return invalid("The schedule " + untrusted.Shown(s.Cron) + " is never due.")
	}
	return nil
}

func invalid(message string) error { return problems.New(problems.CodeInvalidArgument, message) }

// times parses when the schedule is due. An interval from now on, as in @every 1h,
// would begin anew with each process.
func (s Schedule) times() (cron.Schedule, error) {
	if zone, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "" || zone == time.Local || strings.ContainsAny(s.Zone, " \t\n") {
		return nil, invalid("There is no time zone " + untrusted.Shown(s.Zone) + ". Use an IANA name such as Europe/Berlin.")
	}
	spec := strings.TrimSpace(s.Cron)
	if strings.HasPrefix(spec, "@every") || strings.Contains(spec, "=") {
		return nil, badCron(s.Cron)
	}
	times, err := cron.ParseStandard("CRON_TZ=" + s.Zone + " " + spec)
	if err != nil || spec == "" {
		return nil, badCron(s.Cron)
	}
	return times, nil
}

func badCron(text string) error {
	return invalid("The cron expression " + untrusted.Shown(text) + " is not valid. It has five fields (minute, hour, day of month, month, day of week), or is @hourly, @daily, @weekly, @monthly or @yearly.")
}

// Next is when the schedule is due next, the zero time if never.
func (s Schedule) Next(now time.Time) time.Time {
	times, err := s.times()
	if err != nil || s.Stopped != "" {
		return time.Time{}
	}
	return times.Next(now)
}

// Due is the newest slot that was not dealt with: of those that were missed one
// alone runs late.
func (s Schedule) Due(now time.Time) (due time.Time, ok bool) {
	times, err := s.times()
	if err != nil || s.Stopped != "" {
		return time.Time{}, false
	}
	after := s.CreatedAt
	if s.Last.Due.After(after) {
		after = s.Last.Due
	}
	// The newest slot is looked for from behind, because years may have been missed.
	for window := time.Hour; ; window *= 24 {
		from := now.Add(-window)
		if from.Before(after) {
			from = after
		}
		for next := times.Next(from); !next.IsZero() && !next.After(now); next = times.Next(next) {
			due, ok = next, true
		}
		if ok || from.Equal(after) {
			return due, ok
		}
	}
}

// Same reports whether two are one schedule, and not one that was added under the
// name of another.
func (s Schedule) Same(other Schedule) bool {
	return s.Name == other.Name && s.CreatedAt.Equal(other.CreatedAt)
}

// Running returns a schedule as it is kept now; false if it was removed or stopped.
func (s Schedule) Running(ctx context.Context, store Store) (Schedule, bool, error) {
	all, err := store.Schedules(ctx)
	i := slices.IndexFunc(all, func(now Schedule) bool { return now.Same(s) && now.Stopped == "" })
	if i < 0 {
		return Schedule{}, false, err
	}
	return all[i], true, err
}

// Caller is as whom the schedule runs. No person and no client has such a name: the
// kinds of callers are told apart by what comes before the colon.
func (s Schedule) Caller() access.Caller { return access.Caller(access.ScheduleKind + ":" + s.Name) }

// RunID is the ID of the run of a slot, which is therefore begun once, whatever
// process comes first or dies in between.
func (s Schedule) RunID(due time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "mcp-partner schedule\x00%s\x00%d\x00%d", s.Name, s.CreatedAt.UnixNano(), due.Unix()))
	return "run_" + hex.EncodeToString(sum[:9])
}
