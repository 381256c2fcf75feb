package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
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
	held, err := from.Begin(ctx)
	if err != nil {
		return nil, l.problem(err)
	}
	defer func() { _ = held.Rollback() }() // it only kept others out
	tx, place, err := target.BeginAt(ctx)
	if err != nil {
		return nil, to.problem(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	there, _, err := identity(ctx, tx)
	if err == nil && there != from.id {
		return nil, to.unavailable("is another ledger", "Give a database that holds nothing else.")
	}
	fresh := errors.Is(err, sql.ErrNoRows)
	if fresh {
		err = copyTables(ctx, held, tx)
	}
	if err != nil {
		return nil, to.problem(err)
	}
	here, errHere := countRows(ctx, held)
	copied, errThere := countRows(ctx, tx)
	if err := errors.Join(errHere, errThere); err != nil {
		return nil, to.problem(err)
	}
	if !maps.Equal(here, copied) {
		return nil, to.unavailable("has other entries than "+l.name, "It was written to since the copy: go on with it.")
	}
	if fresh {
		err = putState(ctx, tx, from.key, state{kind: stateServer, name: theServer, body: []byte(place)})
	}
	return here, to.problem(errors.Join(err, tx.Commit()))
}

// EndIn returns which ledger a database holds and with what entry it ends, as it is
// there: nothing is verified or written. A database without one gives the zero Head.
func EndIn(ctx context.Context, q database.Querier) (end Head, err error) {
	var hash []byte
	err = q.QueryRowContext(ctx, `SELECT id, `+lastEntry+`, (SELECT hash FROM events ORDER BY seq DESC LIMIT 1) FROM ledger WHERE one = 1`).Scan(&end.Ledger, &end.Seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, nil
	}
	end.Hash = hex.EncodeToString(hash)
	return end, err
}

func copyTables(ctx context.Context, from, to *sql.Tx) error {
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
		row, columnsOf := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			columnsOf[i] = &row[i]
		}
		err := query(ctx, from, func(columns scanner) error {
			if err := columns(columnsOf...); err != nil {
				return err
			}
			_, err := to.ExecContext(ctx, insert, row...)
			return err
		}, "SELECT "+table.columns+" FROM "+table.name)
		if err != nil {
			return err
		}
	}
	return nil
}

// TableRows counts the rows of each table.
func (l *Ledger) TableRows(ctx context.Context) (map[string]int64, error) {
	return read(ctx, l, func(db *opened) (map[string]int64, error) { return countRows(ctx, db.Read) })
}

// countRows leaves out the row of the place, which is on a server alone.
func countRows(ctx context.Context, q querier) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, table := range tables {
		count := `SELECT count(*) FROM ` + table.name
		if table.name == "states" {
			count += ` WHERE kind <> '` + stateServer + `'`
		}
		var n int64
		if err := q.QueryRowContext(ctx, count).Scan(&n); err != nil {
			return nil, err
		}
		counts[table.name] = n
	}
	return counts, nil
}
