package ledger

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"mcp-partner/fleet"
)

// SaveRows implements fleet.Store.
func (l *Ledger) SaveRows(ctx context.Context, id, owner string, leaseUntil time.Time, rows []fleet.Row) (ours bool, err error) {
	err = l.inRuns(ctx, func(tx *sql.Tx) error {
		ours, err = changes(tx.ExecContext(ctx, `UPDATE runs SET lease = ? WHERE id = ? AND owner = ? AND state = 'running'`,
			formatTime(leaseUntil), id, owner))
		if err != nil || !ours || len(rows) == 0 {
			return err
		}
		return updateRows(ctx, tx, id, rows)
	})
	return ours && err == nil, err
}

func updateRows(ctx context.Context, tx *sql.Tx, id string, rows []fleet.Row) error {
	update, err := tx.PrepareContext(ctx, `UPDATE run_rows SET state = ?, rank = ?, cause = ?, stale = ?, body = ? WHERE run = ? AND n = ?`)
	if err != nil {
		return err
	}
	defer update.Close()
	for _, r := range rows {
		if _, err := update.ExecContext(ctx, r.State, r.Rank, r.Cause, r.Stale, body(r.Body), id, r.N); err != nil {
			return err
		}
	}
	return nil
}

const rowColumns = `n, tenant, tenant_id, credential, state, rank, cause, stale, body`

func scanRow(scan func(...any) error) (r fleet.Row, err error) {
	var text []byte
	err = scan(&r.N, &r.Tenant, &r.TenantID, &r.Credential, &r.State, &r.Rank, &r.Cause, &r.Stale, &text)
	if string(text) != "null" {
		r.Body = text
	}
	return r, err
}

// Rows implements fleet.Store. Rows are read as they are asked for, so that a
// run of any size takes the memory of one.
func (l *Ledger) Rows(ctx context.Context, id string, q fleet.RowQuery) iter.Seq2[fleet.Row, error] {
	return func(yield func(fleet.Row, error) bool) {
		if err := l.eachRow(ctx, id, q, func(r fleet.Row) bool { return yield(r, nil) }); err != nil {
			yield(fleet.Row{}, l.problem(err))
		}
	}
}

func (l *Ledger) eachRow(ctx context.Context, id string, q fleet.RowQuery, do func(fleet.Row) bool) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	clause, args := rowClause(id, q)
	rows, err := db.read.QueryContext(ctx, `SELECT `+rowColumns+` FROM run_rows `+clause, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scanRow(rows.Scan)
		if err != nil {
			return err
		}
		if !do(row) {
			return nil
		}
	}
	return rows.Err()
}

// rowClause is what stands behind FROM run_rows.
func rowClause(id string, q fleet.RowQuery) (string, []any) {
	clause, args := `WHERE run = ? AND state <> ''`, []any{id}
	if q.Pending {
		clause = `WHERE run = ? AND state = ''`
	}
	switch {
	case q.More && q.Order == fleet.ByAttention:
		clause, args = clause+` AND (rank, n) > (?, ?)`, append(args, q.AfterRank, q.AfterN)
	case q.More && q.Order == fleet.ByPlace:
		clause, args = clause+` AND n > ?`, append(args, q.AfterN)
	}
	switch q.Order {
	case fleet.ByAttention:
		clause += ` ORDER BY rank, n`
	case fleet.ByTarget:
		clause += ` ORDER BY tenant_id, credential`
	default:
		clause += ` ORDER BY n`
	}
	if q.Limit > 0 {
		clause, args = clause+` LIMIT ?`, append(args, q.Limit)
	}
	return clause, args
}

// CountRows implements fleet.Store.
func (l *Ledger) CountRows(ctx context.Context, id string) (byState map[string]int, stale int, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, 0, err
	}
	rows, err := db.read.QueryContext(ctx, `SELECT state, count(*), sum(stale) FROM run_rows WHERE run = ? GROUP BY state`, id)
	if err != nil {
		return nil, 0, l.problem(err)
	}
	defer rows.Close()
	byState = map[string]int{}
	for rows.Next() {
		var state string
		var count, old int
		if err := rows.Scan(&state, &count, &old); err != nil {
			return nil, 0, l.problem(err)
		}
		byState[state] = count
		stale += old
	}
	return byState, stale, l.problem(rows.Err())
}

// Causes implements fleet.Store. SQLite takes the bare columns from the row
// that has the minimum (its documentation of aggregate queries).
func (l *Ledger) Causes(ctx context.Context, id string, limit int) ([]fleet.Group, error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := db.read.QueryContext(ctx, `SELECT count(*) AS many, min(n), tenant, tenant_id, credential, state, rank, cause, stale, body
		FROM run_rows WHERE run = ? AND cause <> '' GROUP BY cause ORDER BY many DESC, min(n) LIMIT ?`, id, limit)
	if err != nil {
		return nil, l.problem(err)
	}
	defer rows.Close()
	var found []fleet.Group
	for rows.Next() {
		var g fleet.Group
		g.First, err = scanRow(func(into ...any) error { return rows.Scan(append([]any{&g.Count}, into...)...) })
		if err != nil {
			return nil, l.problem(err)
		}
		g.Cause = g.First.Cause
		found = append(found, g)
	}
	return found, l.problem(rows.Err())
}
