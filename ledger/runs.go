package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/internal/xslices"
)

var _ fleet.Store = (*Ledger)(nil)

// inRuns returns what a function makes in a transaction over the tables of runs, which
// tells it the time. The record and its chains are not touched.
func inRuns[T any](ctx context.Context, l *Ledger, change func(s *session, now time.Time) T) (made T, err error) {
	db, err := l.use(ctx)
	if err == nil {
		err = l.problem(l.change(ctx, db, func(s *session) bool {
			made = change(s, s.now())
			return true
		}))
	}
	if err != nil {
		made = *new(T)
	}
	return made, err
}

// now is the time by the clock that all processes share.
func (s *session) now() time.Time {
	if s.l.givenClock {
		return s.l.o.Now()
	}
	at, err := s.db.Now(s.ctx, s.q)
	s.fail(err)
	return at
}

const newRun = `id, kind, caller, label, created, finished, state, owner, lease, size, request`

// fleetRuns returns the runs that a clause after FROM runs selects, as they stand at a
// time: a crash is seen as an interruption.
func (s *session) fleetRuns(now time.Time, clause string, args ...any) (found []fleet.Run) {
	for r := range rows(s, func(r *fleet.Run) []any {
		return []any{&r.ID, &r.Kind, &r.Caller, &r.Label, moment{&r.CreatedAt}, moment{&r.FinishedAt}, &r.State, &r.Owner, moment{&r.LeaseUntil},
			&r.Rows, (*[]byte)(&r.Request), &r.Thinned, content{&r.Totals}}
	}, `SELECT `+newRun+`, kept >= 0, totals FROM runs `+clause, args...) {
		if r.State == fleet.RunRunning && !now.Before(r.LeaseUntil) {
			r.State = fleet.RunInterrupted
		}
		found = append(found, r)
	}
	return found
}

// CreateRun implements fleet.Store.
func (l *Ledger) CreateRun(ctx context.Context, run fleet.Run, lease time.Duration, rows []fleet.Row) (fleet.Run, error) {
	return inRuns(ctx, l, func(s *session, now time.Time) fleet.Run {
		live := s.fleetRuns(now, `WHERE state = 'running' AND caller = $1 AND kind = $2 AND lease > $3`, run.Caller, run.Kind, formatTime(now))
		if len(live) > 0 {
			return live[0]
		}
		run.LeaseUntil = now.Add(lease)
		s.exec(`INSERT INTO runs (`+newRun+`) VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9, $10)`, run.ID, run.Kind, run.Caller, run.Label,
			formatTime(run.CreatedAt), run.State, run.Owner, formatTime(run.LeaseUntil), run.Rows, string(run.Request))
		s.insertRows(run.ID, rows)
		return run
	})
}

// rowsAtOnce is how many rows one statement inserts: far fewer calls into
// SQLite, and well below its limit of variables.
const rowsAtOnce = 100

func (s *session) insertRows(id string, rows []fleet.Row) {
	for some := range slices.Chunk(rows, rowsAtOnce) {
		args, places := []any{id}, make([]string, len(some))
		for i, r := range some {
			n := len(args)
			places[i] = fmt.Sprintf("($1, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4)
			args = append(args, r.N, r.Tenant, r.TenantID, r.Credential)
		}
		s.exec(`INSERT INTO run_rows (run, n, tenant, tenant_id, credential) VALUES `+strings.Join(places, ", "), args...)
	}
}

// Run implements fleet.Store.
func (l *Ledger) Run(ctx context.Context, id string) (run fleet.Run, ok bool, err error) {
	found, err := read(ctx, l, func(s *session) []fleet.Run { return s.fleetRuns(s.now(), `WHERE id = $1`, id) })
	if err != nil || len(found) == 0 {
		return fleet.Run{}, false, err
	}
	return found[0], true, nil
}

// Runs implements fleet.Store.
func (l *Ledger) Runs(ctx context.Context, f fleet.RunFilter) ([]fleet.Run, error) {
	return read(ctx, l, func(s *session) []fleet.Run {
		return s.fleetRuns(s.now(), `WHERE ($1 = '' OR kind = $1) AND ($2 = '' OR caller = $2) AND ($3 = '' OR label = $3)
			ORDER BY created DESC, id`+limit(f.Limit), f.Kind, f.Caller, f.Label)
	})
}

// changedOne runs a statement in a transaction and reports whether it changed a
// row.
func (l *Ledger) changedOne(ctx context.Context, query string, args func(now time.Time) []any) (bool, error) {
	return inRuns(ctx, l, func(s *session, now time.Time) bool { return s.exec(query, args(now)...) > 0 })
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
func (l *Ledger) PruneRuns(ctx context.Context, keep fleet.Keeping) (int, error) {
	return inRuns(ctx, l, func(s *session, now time.Time) int {
		return int(s.exec(`WITH RECURSIVE
			ranked AS (SELECT id, row_number() OVER newest AS n, sum(CASE WHEN kept < 0 THEN size ELSE kept END) OVER newest AS all_rows FROM runs
				WHERE label = '' WINDOW newest AS (PARTITION BY caller ORDER BY created DESC, id ROWS UNBOUNDED PRECEDING)),
			old AS (SELECT id FROM runs WHERE label = '' AND (state <> 'running' OR lease <= $1)
				AND (created < $2 OR id IN (SELECT id FROM ranked WHERE n > $3 OR all_rows > $4 AND n > 1))),
			needed (id) AS (SELECT base FROM runs WHERE id NOT IN (SELECT id FROM old) UNION SELECT base FROM runs JOIN needed ON runs.id = needed.id)
			DELETE FROM runs WHERE id IN (SELECT id FROM old) AND id NOT IN (SELECT id FROM needed)`,
			formatTime(now), formatTime(keep.Since), keep.Runs, keep.Rows))
	})
}

// SaveRows implements fleet.Store.
func (l *Ledger) SaveRows(ctx context.Context, id, owner string, lease time.Duration, rows []fleet.Row) (bool, error) {
	return inRuns(ctx, l, func(s *session, now time.Time) bool {
		ours := s.exec(`UPDATE runs SET lease = $1 WHERE id = $2 AND owner = $3 AND state = 'running'`, formatTime(now.Add(lease)), id, owner) > 0
		if ours && len(rows) > 0 {
			s.fail(s.updateRows(id, rows))
		}
		return ours
	})
}

func (s *session) updateRows(id string, rows []fleet.Row) error {
	update, err := s.tx.PrepareContext(s.ctx, `UPDATE run_rows SET state = $1, rank = $2, cause = $3, stale = $4, body = $5 WHERE run = $6 AND n = $7`)
	if err != nil {
		return err
	}
	defer update.Close()
	for _, r := range rows {
		if _, err := update.ExecContext(s.ctx, r.State, r.Rank, r.Cause, r.Stale, cmp.Or(string(r.Body), "null"), id, r.N); err != nil {
			return err
		}
	}
	return nil
}

const rowColumns = `n, tenant, tenant_id, credential, state, rank, cause, stale, nullif(body, 'null'), as_of`

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
func (s *session) runTable(id string) string {
	if value[bool](s, `SELECT EXISTS (SELECT 1 FROM runs WHERE id = $1 AND base <> '')`, id) {
		return thinnedRows
	}
	return wholeRows
}

func fleetColumns(r *fleet.Row) []any {
	return []any{&r.N, &r.Tenant, &r.TenantID, &r.Credential, &r.State, &r.Rank, &r.Cause, &r.Stale, (*[]byte)(&r.Body), moment{&r.AsOf}}
}

// Rows implements fleet.Store. Rows are read as they are asked for, so that a
// run of any size takes the memory of one.
func (l *Ledger) Rows(ctx context.Context, id string, q fleet.RowQuery) iter.Seq2[fleet.Row, error] {
	return func(yield func(fleet.Row, error) bool) {
		clause, args := rowClause(id, q)
		err := l.snapshot(ctx, func(s *session) {
			for row := range rows(s, fleetColumns, `SELECT `+rowColumns+` FROM `+s.runTable(id)+` `+clause, args...) {
				if !yield(row, nil) {
					return
				}
			}
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
	value := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	switch {
	case q.More && q.Order == fleet.ByAttention:
		clause += ` AND (rank, n) > (` + value(q.AfterRank) + `, ` + value(q.AfterN) + `)`
	case q.More && q.Order == fleet.ByPlace:
		clause += ` AND n > ` + value(q.AfterN)
	}
	if len(q.TenantIDs) > 0 {
		clause += ` AND tenant_id IN (` + strings.Join(xslices.Map(q.TenantIDs, func(id string) string { return value(id) }), ", ") + `)`
	}
	if q.State != "" {
		clause += ` AND state = ` + value(q.State)
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
	type count struct {
		state    string
		all, old int
	}
	byState = map[string]int{}
	err = l.snapshot(ctx, func(s *session) {
		for c := range rows(s, func(c *count) []any { return []any{&c.state, &c.all, &c.old} },
			`SELECT state, count(*), count(*) FILTER (WHERE stale) FROM `+s.runTable(id)+` WHERE run = $1 GROUP BY state`, id) {
			byState[c.state] = c.all
			stale += c.old
		}
	})
	return byState, stale, err
}

// Causes implements fleet.Store.
func (l *Ledger) Causes(ctx context.Context, id string, limit int) (found []fleet.Group, err error) {
	err = l.snapshot(ctx, func(s *session) {
		found = slices.Collect(rows(s, func(g *fleet.Group) []any { return append([]any{&g.Cause, &g.Count}, fleetColumns(&g.First)...) },
			`SELECT cause, many, `+rowColumns+` FROM (SELECT *, count(*) OVER (PARTITION BY cause) AS many, row_number() OVER (PARTITION BY cause ORDER BY n) AS place
			FROM `+s.runTable(id)+` WHERE run = $1 AND cause <> '') AS causes WHERE place = 1 ORDER BY many DESC, n LIMIT $2`, id, limit))
	})
	return found, err
}

// thinnedAtOnce is how many rows one transaction removes.
const thinnedAtOnce = 1000

// ThinRun implements fleet.Store. From the first step on the run is read together
// with its base, so that it has all its rows after each.
func (l *Ledger) ThinRun(ctx context.Context, run fleet.Run, later string, essence func(body json.RawMessage) []byte) error {
	if _, err := inRuns(ctx, l, func(s *session, _ time.Time) bool { return s.setBase(run, later) }); err != nil {
		return err
	}
	places, err := l.repeated(ctx, run.ID, essence)
	if err != nil {
		return err
	}
	id := func(time.Time) []any { return []any{run.ID} }
	for some := range slices.Chunk(places, thinnedAtOnce) {
		if _, err := l.changedOne(ctx, `DELETE FROM run_rows WHERE run = $1 AND n IN (`+strings.Join(some, ", ")+`)`, id); err != nil {
			return err
		}
	}
	_, err = l.changedOne(ctx, `UPDATE runs SET kept = (SELECT count(*) FROM run_rows WHERE run = id) WHERE id = $1 AND base <> ''`, id)
	return err
}

// setBase makes a later run the base of another, and notes which of the base's rows the
// other does not have; false where it has a base.
func (s *session) setBase(run fleet.Run, later string) (set bool) {
	if s.exec(`UPDATE runs SET base = $1, totals = $3 WHERE id = $2 AND base = '' AND state = 'finished'
		AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND state = 'finished')`, later, run.ID, string(encode(run.Totals))) == 0 {
		return false
	}
	s.exec(`INSERT INTO run_rows (run, n, tenant, tenant_id, credential, state)
		SELECT CAST($2 AS text), -row_number() OVER (ORDER BY tenant_id, credential), '', tenant_id, credential, 'absent'
		FROM (SELECT tenant_id, credential FROM `+s.runTable(later)+` WHERE run = $1 EXCEPT SELECT tenant_id, credential FROM run_rows WHERE run = $2) AS others`, later, run.ID)
	return true
}

// repeated returns the places of the rows that the base of a run repeats. It keeps a
// hash of each row in memory.
func (l *Ledger) repeated(ctx context.Context, id string, essence func(body json.RawMessage) []byte) ([]string, error) {
	base, err := read(ctx, l, func(s *session) string { return value[string](s, `SELECT base FROM runs WHERE id = $1`, id) })
	if err != nil {
		return nil, err
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
	return read(ctx, l, func(s *session) (places []string) {
		for row := range rows(s, fleetColumns, `SELECT `+rowColumns+` FROM `+wholeRows+` WHERE run = $1 AND state <> 'absent'`, id) {
			if text := essence(row.Body); text != nil && found[sum(row, text)] {
				places = append(places, strconv.Itoa(row.N))
			}
		}
		return places
	})
}
