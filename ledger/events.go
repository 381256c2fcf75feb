package ledger

import (
	"cmp"
	"context"
	"strings"
	"time"

	"mcp-partner/guard"
)

// Append implements guard.Store. An intent is in the vault's counter as well
// when Append returns, because a write follows it.
func (l *Ledger) Append(ctx context.Context, events ...guard.Event) (last int64, err error) {
	firm := false
	for _, event := range events {
		firm = firm || event.Kind == guard.KindIntent
	}
	err = l.write(ctx, firm, func(w *writing) error {
		err := w.events(ctx, "", false, events...)
		last = w.tail.seq
		return err
	})
	if err != nil {
		return 0, err
	}
	return last, nil
}

// unfinished selects the intents without an outcome. SQLite would read all
// entries if the index were not named.
const unfinished = `FROM events INDEXED BY events_intents WHERE kind = 'intent'
	AND NOT EXISTS (SELECT 1 FROM events o WHERE o.closes = events.seq AND o.seq > events.seq AND o.kind = 'outcome')`

// Unfinished implements guard.Store.
func (l *Ledger) Unfinished(ctx context.Context) ([]guard.Event, error) {
	return list(ctx, l, scanEvent, `SELECT seq, body `+unfinished+` ORDER BY seq`)
}

// CountIntents implements guard.Store.
func (l *Ledger) CountIntents(ctx context.Context, rule string, since time.Time) (count int, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return 0, err
	}
	count, err = countIntents(ctx, db.read, rule, since)
	return count, l.problem(err)
}

func countIntents(ctx context.Context, q querier, rule string, since time.Time) (count int, err error) {
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM events WHERE kind = 'intent' AND rule = ? AND time >= ?`,
		rule, formatTime(since)).Scan(&count)
	return count, err
}

// withinRate refuses an intent beyond its rule's rate. The write lock is held,
// so that nobody else's comes in between.
func (w *writing) withinRate(ctx context.Context, event guard.Event) error {
	if event.AtMost == nil {
		return nil
	}
	count, err := countIntents(ctx, w.Tx, event.Rule, event.Time.Add(-event.AtMost.Per))
	if err != nil || count < event.AtMost.Count {
		return err
	}
	return guard.RateExceeded(event.Rule, *event.AtMost)
}

// Followed implements guard.Store.
func (l *Ledger) Followed(ctx context.Context, seq int64, tenantID string) (followed bool, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return false, err
	}
	err = db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE seq > ? AND kind = 'intent' AND tenant_id = ?)`,
		seq, tenantID).Scan(&followed)
	return followed, l.problem(err)
}

// row is one entry as it stands in the file.
type row struct {
	seq             int64
	body, hash, mac []byte
}

// each calls do with the entries that a query selects: seq, body, hash, mac.
func each(ctx context.Context, q querier, do func(row) error, text string, args ...any) error {
	return query(ctx, q, func(scan scanner) error {
		var r row
		if err := scan(&r.seq, &r.body, &r.hash, &r.mac); err != nil {
			return err
		}
		return do(r)
	}, text, args...)
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
	conditions, args := []string{"1"}, []any{}
	add := func(condition string, wanted bool, values ...any) {
		if wanted {
			conditions, args = append(conditions, condition), append(args, values...)
		}
	}
	add("(tenant = ? COLLATE NOCASE OR tenant_id = ? COLLATE NOCASE)", f.Tenant != "", f.Tenant, f.Tenant)
	add("time >= ?", !f.Since.IsZero(), formatTime(f.Since))
	add("time < ?", !f.Until.IsZero(), formatTime(f.Until))
	add("caller = ?", f.Caller != "", f.Caller)
	add("approver = ?", f.Approver != "", f.Approver)
	add("kind = ?", f.Kind != "", string(f.Kind))
	add("seq > ?", f.After != 0 && !f.NewestFirst, f.After)
	add("seq < ?", f.After != 0 && f.NewestFirst, f.After)
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
	return list(ctx, l, scanEvent, `SELECT seq, body FROM events WHERE `+condition+` ORDER BY seq `+order+` LIMIT ?`,
		append(args, limit(f.Limit))...)
}

// limit is SQLite's number for at most n rows, where 0 means all.
func limit(n int) int { return cmp.Or(n, -1) }
