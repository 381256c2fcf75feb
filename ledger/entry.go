package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"mcp-partner/guard"
)

// The kinds of entries that the ledger makes itself.
const (
	// KindRollback says that the file is older than what the vault remembers.
	KindRollback guard.EventKind = "rollback"
	// KindPrune says that old entries were removed on purpose.
	KindPrune guard.EventKind = "prune"
)

// timeLayout has a fixed width, so that times sort as text. All times are UTC.
const timeLayout = guard.StampLayout

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// decode reads what encode wrote; what it cannot read is damaged.
func decode[T any](text []byte) (value T, err error) {
	if json.Unmarshal(text, &value) != nil {
		err = errDamaged
	}
	return value, err
}

// entry is one line of the record as it is written. The order of its fields is
// the canonical order: the bytes that encode makes are what the chains cover.
type entry struct {
	guard.Event
	Program string `json:"program,omitempty"`
	Digest  string `json:"argument_digest,omitempty"`
	// State names the row that changed with the entry, Gone says that it was
	// removed.
	State string `json:"state,omitempty"`
	Gone  bool   `json:"gone,omitempty"`
	// MissingFrom and MissingTo are the entries that a rollback lost.
	MissingFrom int64 `json:"missing_from,omitempty"`
	MissingTo   int64 `json:"missing_to,omitempty"`
	// Salt makes the digest of an entry that an export withholds say nothing of
	// its content.
	Salt string `json:"salt"`
}

func newEntry(e guard.Event, program string) entry {
	return entry{Event: e, Program: program, Digest: e.ArgumentDigest(), Salt: rand.Text()}
}

func (e entry) encode() []byte {
	return encode(struct {
		Time guard.Stamp `json:"time"`
		entry
	}{guard.Stamp{Time: e.Time}, e})
}

// encode returns the JSON of what is written, of which nothing can fail: strings,
// numbers, truth values, bytes and lists of them. A NUL becomes U+FFFD, because
// PostgreSQL reads no field of a body that holds one.
func encode(value any) []byte {
	text, _ := json.Marshal(value)
	for i := bytes.IndexByte(text, '\\'); i >= 0 && i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(text[i:], []byte(`\u0000`)) {
			copy(text[i:], `\ufffd`)
		}
		i++ // the character after a backslash begins no escape
	}
	return text
}

// eventColumns are where an entry's number and body belong.
func eventColumns(e *guard.Event) []any { return []any{&e.Seq, content{e}} }

// Append implements guard.Store. An intent is in the vault's counter as well
// when Append returns, because a write follows it.
func (l *Ledger) Append(ctx context.Context, events ...guard.Event) (last int64, err error) {
	firm := slices.ContainsFunc(events, func(e guard.Event) bool { return e.Kind == guard.KindIntent })
	return written(ctx, l, firm, func(w *writing) int64 {
		w.events("", false, events...)
		return w.tail.seq
	})
}

// unfinished selects the intents without an outcome. SQLite would read all
// entries if the index were not named.
func (d *opened) unfinished() string {
	return `FROM events` + d.Index("events_intents") + withoutOutcome
}

// withoutOutcome is the condition for an intent that has no outcome.
const withoutOutcome = ` WHERE kind = 'intent'
	AND NOT EXISTS (SELECT 1 FROM events o WHERE o.closes = events.seq AND o.seq > events.seq AND o.kind = 'outcome')`

// Unfinished implements guard.Store.
func (l *Ledger) Unfinished(ctx context.Context) ([]guard.Event, error) {
	return read(ctx, l, func(s *session) []guard.Event {
		return slices.Collect(rows(s, eventColumns, `SELECT seq, body `+s.db.unfinished()+` ORDER BY seq`))
	})
}

// CountIntents implements guard.Store.
func (l *Ledger) CountIntents(ctx context.Context, rule string, since time.Time) (int, error) {
	return read(ctx, l, func(s *session) int { return s.countIntents(rule, since) })
}

func (s *session) countIntents(rule string, since time.Time) int {
	return value[int](s, `SELECT count(*) FROM events WHERE kind = 'intent' AND rule = $1 AND time >= $2`, rule, formatTime(since))
}

// admits refuses an intent in a freeze, and beyond its rule's rate. The write lock is
// held, so that neither a freeze nor another intent comes in between.
func (w *writing) admits(event guard.Event) {
	if event.Kind != guard.KindIntent || event.Completes {
		return
	}
	w.fail(w.freeze().Refusal(true))
	if event.AtMost != nil && w.countIntents(event.Rule, event.Time.Add(-event.AtMost.Per)) >= event.AtMost.Count {
		w.fail(guard.RateExceeded(event.Rule, *event.AtMost))
	}
}

// Followed implements guard.Store.
func (l *Ledger) Followed(ctx context.Context, seq int64, tenantID string) (bool, error) {
	return read(ctx, l, func(s *session) bool {
		return value[bool](s, `SELECT EXISTS (SELECT 1 FROM events WHERE seq > $1 AND kind = 'intent' AND tenant_id = $2)`, seq, tenantID)
	})
}

// row is one entry as stored in the file.
type row struct {
	link
	body []byte
}

// entries goes through the entries that a clause after FROM events selects.
func (s *session) entries(clause string, args ...any) iter.Seq[row] {
	return rows(s, func(r *row) []any { return []any{&r.seq, &r.body, &r.hash, &r.mac} }, `SELECT seq, body, hash, mac FROM events `+clause, args...)
}

// Filter selects entries. Fields that are empty select all; several must all
// fit.
type Filter struct {
	// Tenant is a tenant's name in the directory or its ID, without regard to case.
	Tenant string
	// Since and Until bound the time: from Since on, before Until.
	Since, Until time.Time
	// Caller and Approver are compared exactly.
	Caller, Approver string
	Kind             guard.EventKind
	// After leaves out entries up to that Seq, or with NewestFirst from it on.
	After int64
	// Limit is the most entries; 0 means all.
	Limit int
	// NewestFirst turns the order of List around. Exports are in order always.
	NewestFirst bool
}

// where returns the condition and its arguments.
func (f Filter) where() (string, []any) {
	conditions, args := []string{"1 = 1"}, []any{}
	add := func(condition string, wanted bool, value any) {
		if wanted {
			args = append(args, value)
			conditions = append(conditions, strings.ReplaceAll(condition, "$1", fmt.Sprintf("$%d", len(args))))
		}
	}
	add("lower($1) IN (lower(tenant), lower(tenant_id))", f.Tenant != "", f.Tenant)
	add("time >= $1", !f.Since.IsZero(), formatTime(f.Since))
	add("time < $1", !f.Until.IsZero(), formatTime(f.Until))
	add("caller = $1", f.Caller != "", f.Caller)
	add("approver = $1", f.Approver != "", f.Approver)
	add("kind = $1", f.Kind != "", string(f.Kind))
	add("seq > $1", f.After != 0 && !f.NewestFirst, f.After)
	add("seq < $1", f.After != 0 && f.NewestFirst, f.After)
	return strings.Join(conditions, " AND "), args
}

// List returns the entries that a filter selects, oldest first unless the
// filter says otherwise. It shows what is in the file; Verify says whether
// that is what was written.
func (l *Ledger) List(ctx context.Context, f Filter) ([]guard.Event, error) {
	condition, args := f.where()
	order := "ASC"
	if f.NewestFirst {
		order = "DESC"
	}
	return read(ctx, l, func(s *session) []guard.Event {
		return slices.Collect(rows(s, eventColumns, `SELECT seq, body FROM events WHERE `+condition+` ORDER BY seq `+order+limit(f.Limit), args...))
	})
}

// limit is the clause for at most n rows, where 0 means all.
func limit(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" LIMIT %d", n)
}
