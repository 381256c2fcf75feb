package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp-partner/fleet"
)

var _ fleet.Store = (*Ledger)(nil)

// inRuns runs a function in a transaction over the tables of runs, and tells it the
// time. The record and its chains are not touched.
func (l *Ledger) inRuns(ctx context.Context, change func(tx *sql.Tx, now time.Time) error) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return l.problem(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	now, err := l.storeTime(ctx, db, tx)
	if err != nil {
		return l.problem(err)
	}
	if err := change(tx, now); err != nil {
		return l.problem(err)
	}
	return l.problem(tx.Commit())
}

// storeTime is the time by the clock that all processes share.
func (l *Ledger) storeTime(ctx context.Context, db *opened, q querier) (time.Time, error) {
	if l.givenClock {
		return l.o.Now(), nil
	}
	return db.Now(ctx, q)
}

const (
	newRun     = `id, kind, caller, label, created, finished, state, owner, lease, size, request`
	runColumns = newRun + `, kept >= 0, totals`
)

// scanRun returns where a run stands now, with a crash seen as an interruption.
func scanRun(scan scanner, now time.Time) (fleet.Run, error) {
	var r fleet.Run
	var created, finished, lease string
	var request, totals []byte
	if err := scan(&r.ID, &r.Kind, &r.Caller, &r.Label, &created, &finished, &r.State, &r.Owner, &lease, &r.Rows, &request, &r.Thinned, &totals); err != nil {
		return fleet.Run{}, err
	}
	var times clock
	r.CreatedAt, r.LeaseUntil, r.Request = times.parse(created), times.parse(lease), request
	if finished != "" {
		r.FinishedAt = times.parse(finished)
	}
	if r.State == fleet.RunRunning && !now.Before(r.LeaseUntil) {
		r.State = fleet.RunInterrupted
	}
	if times.failure == nil {
		r.Totals, times.failure = decode[map[string]int](totals)
	}
	return r, times.failure
}

// CreateRun implements fleet.Store.
func (l *Ledger) CreateRun(ctx context.Context, run fleet.Run, lease time.Duration, rows []fleet.Row) (stored fleet.Run, err error) {
	err = l.inRuns(ctx, func(tx *sql.Tx, now time.Time) error {
		stored, err = scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs
			WHERE state = 'running' AND caller = $1 AND kind = $2 AND lease > $3`, run.Caller, run.Kind, formatTime(now)).Scan, now)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		run.LeaseUntil = now.Add(lease)
		stored = run
		if err := insertRun(ctx, tx, run); err != nil {
			return err
		}
		return insertRows(ctx, tx, run.ID, rows)
	})
	if err != nil {
		return fleet.Run{}, err
	}
	return stored, nil
}

func insertRun(ctx context.Context, tx *sql.Tx, r fleet.Run) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO runs (`+newRun+`) VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9, $10)`,
		r.ID, r.Kind, r.Caller, r.Label, formatTime(r.CreatedAt), r.State, r.Owner, formatTime(r.LeaseUntil), r.Rows, string(r.Request))
	return err
}

// rowsAtOnce is how many rows one statement inserts: far fewer calls into
// SQLite, and well below its limit of variables.
const rowsAtOnce = 100

func insertRows(ctx context.Context, tx *sql.Tx, id string, rows []fleet.Row) error {
	for len(rows) > 0 {
		some := rows[:min(len(rows), rowsAtOnce)]
		rows = rows[len(some):]
		args, places := []any{id}, make([]string, len(some))
		for i, r := range some {
			n := len(args)
			places[i] = fmt.Sprintf("($1, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4)
			args = append(args, r.N, r.Tenant, r.TenantID, r.Credential)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO run_rows (run, n, tenant, tenant_id, credential) VALUES `+strings.Join(places, ", "), args...); err != nil {
			return err
		}
	}
	return nil
}

// Run implements fleet.Store.
func (l *Ledger) Run(ctx context.Context, id string) (fleet.Run, bool, error) {
	db, err := l.use(ctx)
	if err != nil {
		return fleet.Run{}, false, err
	}
	now, err := l.storeTime(ctx, db, db.Read)
	if err != nil {
		return fleet.Run{}, false, l.problem(err)
	}
	run, err := scanRun(db.Read.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id = $1`, id).Scan, now)
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.Run{}, false, nil
	}
	return run, err == nil, l.problem(err)
}

// Runs implements fleet.Store.
func (l *Ledger) Runs(ctx context.Context, f fleet.RunFilter) ([]fleet.Run, error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	now, err := l.storeTime(ctx, db, db.Read)
	if err != nil {
		return nil, l.problem(err)
	}
	found, err := list(ctx, db.Read, func(scan scanner) (fleet.Run, error) { return scanRun(scan, now) }, `SELECT `+runColumns+` FROM runs
		WHERE ($1 = '' OR kind = $1) AND ($2 = '' OR caller = $2) AND ($3 = '' OR label = $3)
		ORDER BY created DESC, id`+limit(f.Limit), f.Kind, f.Caller, f.Label)
	return found, l.problem(err)
}

// changedOne runs a statement in a transaction and reports whether it changed a
// row.
func (l *Ledger) changedOne(ctx context.Context, query string, args func(now time.Time) []any) (changed bool, err error) {
	err = l.inRuns(ctx, func(tx *sql.Tx, now time.Time) error {
		changed, err = changes(tx.ExecContext(ctx, query, args(now)...))
		return err
	})
	return changed && err == nil, err
}

func changes(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// ClaimRun implements fleet.Store.
func (l *Ledger) ClaimRun(ctx context.Context, id, owner string, lease time.Duration) (bool, error) {
	return l.changedOne(ctx, `UPDATE runs SET state = 'running', owner = $1, lease = $2
		WHERE id = $3 AND state <> 'finished' AND (state <> 'running' OR lease <= $4)`,
		func(now time.Time) []any { return []any{owner, formatTime(now.Add(lease)), id, formatTime(now)} })
}

// EndRun implements fleet.Store.
func (l *Ledger) EndRun(ctx context.Context, id, owner string, state fleet.RunState) (bool, error) {
	return l.changedOne(ctx, `UPDATE runs SET state = $1, finished = $2, lease = $3 WHERE id = $4 AND owner = $5 AND state = 'running'`,
		func(now time.Time) []any {
			ended, finished := formatTime(now), ""
			if state == fleet.RunFinished {
				finished = ended
			}
			return []any{state, finished, ended, id, owner}
		})
}

// LabelRun implements fleet.Store.
func (l *Ledger) LabelRun(ctx context.Context, id, label string) (bool, error) {
	return l.changedOne(ctx, `UPDATE runs SET label = $1 WHERE id = $2`, func(time.Time) []any { return []any{label, id} })
}

// PruneRuns implements fleet.Store.
func (l *Ledger) PruneRuns(ctx context.Context, keep fleet.Keeping) (count int, err error) {
	err = l.inRuns(ctx, func(tx *sql.Tx, now time.Time) error {
		result, err := tx.ExecContext(ctx, `WITH RECURSIVE
			ranked AS (SELECT id, row_number() OVER newest AS n, sum(CASE WHEN kept < 0 THEN size ELSE kept END) OVER newest AS all_rows FROM runs
				WHERE label = '' WINDOW newest AS (PARTITION BY caller ORDER BY created DESC, id ROWS UNBOUNDED PRECEDING)),
			old AS (SELECT id FROM runs WHERE label = '' AND (state <> 'running' OR lease <= $1)
				AND (created < $2 OR id IN (SELECT id FROM ranked WHERE n > $3 OR all_rows > $4 AND n > 1))),
			needed (id) AS (SELECT base FROM runs WHERE id NOT IN (SELECT id FROM old) UNION SELECT base FROM runs JOIN needed ON runs.id = needed.id)
			DELETE FROM runs WHERE id IN (SELECT id FROM old) AND id NOT IN (SELECT id FROM needed)`,
			formatTime(now), formatTime(keep.Since), keep.Runs, keep.Rows)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		count = int(n)
		return err
	})
	return count, err
}

// body is a result as JSON, which the file wants in every row.
func body(text json.RawMessage) string {
	if len(text) == 0 {
		return "null"
	}
	return string(text)
}

// SaveRows implements fleet.Store.
func (l *Ledger) SaveRows(ctx context.Context, id, owner string, lease time.Duration, rows []fleet.Row) (ours bool, err error) {
	err = l.inRuns(ctx, func(tx *sql.Tx, now time.Time) error {
		ours, err = changes(tx.ExecContext(ctx, `UPDATE runs SET lease = $1 WHERE id = $2 AND owner = $3 AND state = 'running'`,
			formatTime(now.Add(lease)), id, owner))
		if err != nil || !ours || len(rows) == 0 {
			return err
		}
		return updateRows(ctx, tx, id, rows)
	})
	return ours && err == nil, err
}

func updateRows(ctx context.Context, tx *sql.Tx, id string, rows []fleet.Row) error {
	update, err := tx.PrepareContext(ctx, `UPDATE run_rows SET state = $1, rank = $2, cause = $3, stale = $4, body = $5 WHERE run = $6 AND n = $7`)
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

const rowColumns = `n, tenant, tenant_id, credential, state, rank, cause, stale, body, as_of`

// wholeRows and thinnedRows are the rows of the run $1, as a table. Those of a thinned
// run are its own, and for the other targets those of the first run that has them of
// its base, the base of that, and so on.
const (
	wholeRows   = `(SELECT *, '' AS as_of FROM run_rows) AS all_rows`
	thinnedRows = `(WITH RECURSIVE
		chain (id, base, ended, place) AS (SELECT id, base, finished, 0 FROM runs WHERE id = $1
			UNION ALL SELECT runs.id, runs.base, ended, place + 1 FROM runs JOIN chain ON runs.id = chain.base),
		ranked AS (SELECT run_rows.*, place, ended, row_number() OVER (PARTITION BY tenant_id, credential ORDER BY place) AS pick FROM run_rows JOIN chain ON run = id)
		SELECT CAST($1 AS text) AS run, n * 65536 + place AS n, tenant, tenant_id, credential, state, rank, cause, stale, body, CASE place WHEN 0 THEN '' ELSE ended END AS as_of
		FROM ranked WHERE pick = 1 AND state <> 'absent') AS all_rows`
)

// runTable says where the rows of a run are.
func runTable(ctx context.Context, q querier, id string) (table string, err error) {
	var thinned bool
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE id = $1 AND base <> '')`, id).Scan(&thinned)
	if thinned {
		return thinnedRows, err
	}
	return wholeRows, err
}

// inRows reads rows of a run in one state of the database.
func (l *Ledger) inRows(ctx context.Context, id string, read func(q querier, table string) error) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	tx, err := db.Snapshot(ctx)
	if err != nil {
		return l.problem(err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	table, err := runTable(ctx, tx, id)
	if err == nil {
		err = read(tx, table)
	}
	return l.problem(err)
}

func scanRow(scan scanner) (r fleet.Row, err error) {
	var text []byte
	var asOf string
	err = scan(&r.N, &r.Tenant, &r.TenantID, &r.Credential, &r.State, &r.Rank, &r.Cause, &r.Stale, &text, &asOf)
	if string(text) != "null" {
		r.Body = text
	}
	if asOf == "" || err != nil {
		return r, err
	}
	var times clock
	r.AsOf = times.parse(asOf)
	return r, times.failure
}

// Rows implements fleet.Store. Rows are read as they are asked for, so that a
// run of any size takes the memory of one.
func (l *Ledger) Rows(ctx context.Context, id string, q fleet.RowQuery) iter.Seq2[fleet.Row, error] {
	return func(yield func(fleet.Row, error) bool) {
		clause, args := rowClause(id, q)
		err := l.inRows(ctx, id, func(from querier, table string) error {
			return query(ctx, from, func(scan scanner) error {
				row, err := scanRow(scan)
				if err == nil && !yield(row, nil) {
					return errStop
				}
				return err
			}, `SELECT `+rowColumns+` FROM `+table+` `+clause, args...)
		})
		if err != nil {
			yield(fleet.Row{}, err)
		}
	}
}

// rowClause is what stands behind the table of the rows.
func rowClause(id string, q fleet.RowQuery) (string, []any) {
	clause, args := `WHERE run = $1 AND state <> ''`, []any{id}
	if q.Pending {
		clause = `WHERE run = $1 AND state = ''`
	}
	switch {
	case q.More && q.Order == fleet.ByAttention:
		clause, args = clause+` AND (rank, n) > ($2, $3)`, append(args, q.AfterRank, q.AfterN)
	case q.More && q.Order == fleet.ByPlace:
		clause, args = clause+` AND n > $2`, append(args, q.AfterN)
	}
	switch q.Order {
	case fleet.ByAttention:
		clause += ` ORDER BY rank, n`
	case fleet.ByTarget:
		clause += ` ORDER BY tenant_id, credential`
	default:
		clause += ` ORDER BY n`
	}
	return clause + limit(q.Limit), args
}

// CountRows implements fleet.Store.
func (l *Ledger) CountRows(ctx context.Context, id string) (byState map[string]int, stale int, err error) {
	byState = map[string]int{}
	err = l.inRows(ctx, id, func(q querier, table string) error {
		return query(ctx, q, func(scan scanner) error {
			var state string
			var count, old int
			err := scan(&state, &count, &old)
			byState[state] = count
			stale += old
			return err
		}, `SELECT state, count(*), count(*) FILTER (WHERE stale) FROM `+table+` WHERE run = $1 GROUP BY state`, id)
	})
	return byState, stale, err
}

// Causes implements fleet.Store.
func (l *Ledger) Causes(ctx context.Context, id string, limit int) (found []fleet.Group, err error) {
	err = l.inRows(ctx, id, func(q querier, table string) (err error) {
		found, err = list(ctx, q, func(scan scanner) (g fleet.Group, err error) {
			g.First, err = scanRow(func(into ...any) error { return scan(append([]any{&g.Count}, into...)...) })
			g.Cause = g.First.Cause
			return g, err
		}, `SELECT many, `+rowColumns+` FROM (SELECT *, count(*) OVER (PARTITION BY cause) AS many, row_number() OVER (PARTITION BY cause ORDER BY n) AS place
			FROM `+table+` WHERE run = $1 AND cause <> '') AS causes WHERE place = 1 ORDER BY many DESC, n LIMIT $2`, id, limit)
		return err
	})
	return found, err
}

// thinnedAtOnce is how many rows one transaction removes.
const thinnedAtOnce = 1000

// ThinRun implements fleet.Store. From the first step on the run is read together
// with its base, so that it has all its rows after each.
func (l *Ledger) ThinRun(ctx context.Context, run fleet.Run, later string, essence func(body json.RawMessage) []byte) error {
	if err := l.inRuns(ctx, func(tx *sql.Tx, _ time.Time) error { return setBase(ctx, tx, run, later) }); err != nil {
		return err
	}
	places, err := l.repeated(ctx, run.ID, essence)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(places, thinnedAtOnce) {
		err := l.inRuns(ctx, func(tx *sql.Tx, _ time.Time) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM run_rows WHERE run = $1 AND n IN (`+strings.Join(some, ", ")+`)`, run.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err = l.changedOne(ctx, `UPDATE runs SET kept = (SELECT count(*) FROM run_rows WHERE run = id) WHERE id = $1 AND base <> ''`, func(time.Time) []any { return []any{run.ID} })
	return err
}

// setBase makes a later run the base of another, unless it has one, and notes which of
// the base's rows the other does not have.
func setBase(ctx context.Context, tx *sql.Tx, run fleet.Run, later string) error {
	ok, err := changes(tx.ExecContext(ctx, `UPDATE runs SET base = $1, totals = $3 WHERE id = $2 AND base = '' AND state = 'finished'
		AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND state = 'finished')`, later, run.ID, string(encode(run.Totals))))
	if err != nil || !ok {
		return err
	}
	table, err := runTable(ctx, tx, later)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_rows (run, n, tenant, tenant_id, credential, state)
		SELECT CAST($2 AS text), -row_number() OVER (ORDER BY tenant_id, credential), '', tenant_id, credential, 'absent'
		FROM (SELECT tenant_id, credential FROM `+table+` WHERE run = $1 EXCEPT SELECT tenant_id, credential FROM run_rows WHERE run = $2) AS others`, later, run.ID)
	return err
}

// repeated returns the places of the rows that the base of a run repeats. It keeps a
// hash of each row in memory.
func (l *Ledger) repeated(ctx context.Context, id string, essence func(body json.RawMessage) []byte) (places []string, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	var base string
	if err := db.Read.QueryRowContext(ctx, `SELECT base FROM runs WHERE id = $1`, id).Scan(&base); err != nil {
		return nil, l.problem(err)
	}
	sum := func(r fleet.Row, text []byte) digest {
		return sha256.Sum256(fmt.Appendf(nil, "%q %q %s", r.TenantID, r.Credential, text))
	}
	found := map[digest]bool{}
	for row, err := range l.Rows(ctx, base, fleet.RowQuery{}) {
		if err != nil {
			return nil, err
		}
		if text := essence(row.Body); text != nil {
			found[sum(row, text)] = true
		}
	}
	err = query(ctx, db.Read, func(scan scanner) error {
		row, err := scanRow(scan)
		if text := essence(row.Body); err == nil && text != nil && found[sum(row, text)] {
			places = append(places, strconv.Itoa(row.N))
		}
		return err
	}, `SELECT `+rowColumns+` FROM `+wholeRows+` WHERE run = $1 AND state <> 'absent'`, id)
	return places, l.problem(err)
}
