package ledger

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"mcp-partner/internal/database"
)

// tables are what a ledger consists of, and the columns that are not computed. A
// table comes behind those that it refers to.
var tables = []struct{ name, columns string }{
	{"ledger", "one, id, mac"},
	{"events", "seq, body, hash, mac"},
	{"states", "kind, name, seq, body, mac"},
	{"checkpoints", "seq, body"},
	{"runs", "id, kind, caller, label, created, finished, state, owner, lease, size, request, base, totals, kept"},
	{"run_rows", "run, n, tenant, tenant_id, credential, state, rank, cause, stale, body"},
	{"outbox", "kind, name, created, due, tries"},
}

// CopyTo copies everything to a server that has no ledger yet, or this one already,
// in one transaction there while nothing can be written here. It returns how many
// rows each table has.
func (l *Ledger) CopyTo(ctx context.Context, to *Ledger) (map[string]int64, error) {
	from, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	target, err := to.source.Open(ctx)
	if err != nil {
		return nil, to.problem(err)
	}
	defer target.Close()
	var here map[string]int64
	err = l.change(ctx, from, func(held *session) bool { // it only keeps others out
		held.fail(to.problem(to.change(ctx, &opened{Database: target, key: from.key}, func(s *session) (fresh bool) {
			here, fresh = s.takeFrom(held)
			return fresh
		})))
		return false
	})
	return here, l.problem(err)
}

// takeFrom copies everything from a ledger that nobody can write to, unless it is
// here already, and counts the rows there.
func (s *session) takeFrom(held *session) (counts map[string]int64, fresh bool) {
	id, _, known := s.identity()
	if known && id != held.db.id {
		s.fail(s.l.unavailable("is another ledger", "Give a database that holds nothing else."))
	}
	if !known {
		s.copyTables(held)
	}
	counts = held.countRows()
	if s.fail(held.err); s.err == nil && !maps.Equal(counts, s.countRows()) {
		s.fail(s.l.unavailable("has other entries than "+held.l.name, "It was written to since the copy: go on with it."))
	}
	if !known {
		s.putState(state{kind: stateServer, name: theServer, body: []byte(s.place)})
	}
	return counts, !known
}

// EndIn returns which ledger a database holds and with what entry it ends, as it is
// there: nothing is verified or written. A database without one gives the zero Head.
func EndIn(ctx context.Context, q database.Querier) (end Head, err error) {
	s := &session{ctx: ctx, q: q}
	s.row([]any{&end.Ledger, &end.Seq, &end.Hash}, `SELECT id, `+lastEntry+`, (SELECT hash FROM events ORDER BY seq DESC LIMIT 1) FROM ledger WHERE one = 1`)
	return end, s.err
}

func (s *session) copyTables(from *session) {
	for _, table := range tables {
		columns := strings.Split(table.columns, ", ")
		places := make([]string, len(columns))
		for i, column := range columns {
			places[i] = fmt.Sprintf("$%d", i+1)
			if column == "stale" {
				places[i] += "::bigint::integer::boolean"
			}
		}
		insert := "INSERT INTO " + table.name + " (" + table.columns + ") VALUES (" + strings.Join(places, ", ") + ")"
		into := func(row *[]any) (into []any) {
			*row = make([]any, len(columns))
			for i := range *row {
				into = append(into, &(*row)[i])
			}
			return into
		}
		for row := range rows(from, into, "SELECT "+table.columns+" FROM "+table.name) {
			if s.exec(insert, row...); s.err != nil {
				return
			}
		}
		s.fail(from.err)
	}
}

// TableRows counts the rows of each table.
func (l *Ledger) TableRows(ctx context.Context) (map[string]int64, error) {
	return read(ctx, l, (*session).countRows)
}

// countRows leaves out the row of the place, which is on a server alone.
func (s *session) countRows() map[string]int64 {
	counts := map[string]int64{}
	for _, table := range tables {
		count := `SELECT count(*) FROM ` + table.name
		if table.name == "states" {
			count += ` WHERE kind <> '` + stateServer + `'`
		}
		counts[table.name] = value[int64](s, count)
	}
	return counts
}
