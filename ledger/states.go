package ledger

import (
	"context"
	"database/sql"
	"errors"
)

// The kinds of rows that hold now, and the name of the one freeze.
const (
	stateTicket   = "ticket"
	stateApprover = "approver"
	stateFreeze   = "freeze"
	stateToken    = "token"
	theFreeze     = "all"
)

// state is one row that holds now.
type state struct {
	kind, name string
	// seq is the entry with which the row changed last.
	seq  int64
	body []byte
	mac  digest
	// latest is the last entry that changed the row, or the least number that
	// it can have since entries were pruned.
	latest int64
}

// ref is how an entry names the row.
func ref(kind, name string) string { return kind + "/" + name }

// pruned is the last number that was removed on purpose.
const pruned = `coalesce((SELECT max(seq) FROM checkpoints), -1)`

// stateColumns go with scanState. An older copy of a row carries a good MAC, so
// the record is asked which change of the row was the last. Rows that outlive
// the entries about them get the number of the entry about the pruning.
const stateColumns = `kind, name, seq, body, mac, max(` + pruned + ` + 1,
	coalesce((SELECT max(e.seq) FROM events e WHERE e.state = states.kind || '/' || states.name), 0))`

func scanState(scan func(...any) error) (s state, err error) {
	var mac []byte
	err = scan(&s.kind, &s.name, &s.seq, &s.body, &mac, &s.latest)
	copy(s.mac[:], mac)
	return s, err
}

// lastEntry is the number of the last entry of the record.
const lastEntry = `coalesce((SELECT max(seq) FROM events), 0)`

// withEnd runs a statement that asks for the end of the record and for a row, in
// one look at the file; there is false where there is no such row.
func withEnd(ctx context.Context, statement *sql.Stmt, args ...any) (s state, last int64, there bool, err error) {
	row := statement.QueryRowContext(ctx, args...)
	s, err = scanState(func(columns ...any) error { return row.Scan(append([]any{&last}, columns...)...) })
	if errors.Is(err, sql.ErrNoRows) {
		return state{}, 0, false, nil
	}
	return s, last, err == nil, err
}

// genuine reports whether the row is as this program wrote it last.
func (d *database) genuine(s state) bool { return same(s.mac, d.key.state(s)) && s.seq >= s.latest }

// one returns a row; ok is false if there is none or it is not genuine.
func (d *database) one(ctx context.Context, q querier, kind, name string) (s state, ok bool, err error) {
	s, err = scanState(q.QueryRowContext(ctx, `SELECT `+stateColumns+` FROM states WHERE kind = ? AND name = ?`, kind, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return state{}, false, nil
	}
	return s, err == nil && d.genuine(s), err
}

// each calls do with the genuine rows that a clause after FROM states selects,
// until it returns false.
func (d *database) each(ctx context.Context, q querier, do func(state) (bool, error), clause string, args ...any) error {
	rows, err := q.QueryContext(ctx, `SELECT `+stateColumns+` FROM states `+clause, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanState(rows.Scan)
		if err != nil {
			return err
		}
		if !d.genuine(s) {
			continue
		}
		if more, err := do(s); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// put writes a row as of the last entry, in place of one of the same name.
func (w *writing) put(ctx context.Context, kind, name string, body []byte) error {
	s := state{kind: kind, name: name, seq: w.tail.seq, body: body}
	mac := w.db.key.state(s)
	w.changed = true
	_, err := w.ExecContext(ctx, `INSERT INTO states (kind, name, seq, body, mac) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (kind, name) DO UPDATE SET seq = excluded.seq, body = excluded.body, mac = excluded.mac`,
		kind, name, s.seq, string(body), mac[:])
	return err
}

func (w *writing) remove(ctx context.Context, kind, name string) error {
	w.changed = true
	_, err := w.ExecContext(ctx, `DELETE FROM states WHERE kind = ? AND name = ?`, kind, name)
	return err
}
