package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"mcp-partner/guard"
)

// The kinds of rows that hold now, and the name of the one freeze.
const (
	stateTicket   = "ticket"
	stateFreeze   = "freeze"
	stateToken    = "token"
	stateSchedule = "schedule"
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
const stateColumns = `kind, name, seq, body, mac, ` + pruned + ` + 1,
	coalesce((SELECT max(e.seq) FROM events e WHERE e.state = states.kind || '/' || states.name), 0)`

func scanState(scan scanner) (s state, err error) {
	var mac []byte
	var least int64
	err = scan(&s.kind, &s.name, &s.seq, &s.body, &mac, &least, &s.latest)
	s.latest = max(s.latest, least)
	copy(s.mac[:], mac)
	return s, err
}

// lastEntry is the number of the last entry of the record.
const lastEntry = `coalesce((SELECT max(seq) FROM events), 0)`

// genuine reports whether the row is as this program wrote it last.
func (d *opened) genuine(s state) bool { return same(s.mac, d.key.state(s)) && s.seq >= s.latest }

// one returns a row; ok is false if there is none or it is not genuine.
func (d *opened) one(ctx context.Context, q querier, kind, name string) (s state, ok bool, err error) {
	s, err = scanState(q.QueryRowContext(ctx, `SELECT `+stateColumns+` FROM states WHERE kind = $1 AND name = $2`, kind, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return state{}, false, nil
	}
	return s, err == nil && d.genuine(s), err
}

// each calls do with the genuine rows that a clause after FROM states selects.
func (d *opened) each(ctx context.Context, q querier, do func(state) error, clause string, args ...any) error {
	return query(ctx, q, func(scan scanner) error {
		s, err := scanState(scan)
		if err != nil || !d.genuine(s) {
			return err
		}
		return do(s)
	}, `SELECT `+stateColumns+` FROM states `+clause, args...)
}

// rowsOf returns what the genuine rows that a clause selects hold.
func rowsOf[T any](ctx context.Context, d *opened, q querier, clause string, args ...any) (found []T, err error) {
	err = d.each(ctx, q, func(s state) error {
		one, err := decode[T](s.body)
		found = append(found, one)
		return err
	}, clause, args...)
	return found, err
}

// get returns what a row holds; ok is false if there is none or it is not genuine.
func get[T any](ctx context.Context, d *opened, q querier, kind, name string) (one T, ok bool, err error) {
	s, ok, err := d.one(ctx, q, kind, name)
	if err != nil || !ok {
		return one, false, err
	}
	one, err = decode[T](s.body)
	return one, err == nil, err
}

// intact returns what a row holds after a look at every entry since it changed
// last. For tickets they are a day's at most. They prove that none of them changed
// it: an older copy of the row fits only where the entry that came after was removed.
func intact[T any](ctx context.Context, w *writing, kind, name string) (one T, ok bool, err error) {
	s, ok, err := w.db.one(ctx, w.Tx, kind, name)
	if err != nil || !ok {
		return one, false, err
	}
	if err := w.unbroken(ctx, s.seq); err != nil {
		return one, false, err
	}
	one, err = decode[T](s.body)
	return one, err == nil, err
}

// record writes a row after the entries that say why. The first failure ends it:
// SQLite may have rolled back by itself, and what follows would be kept.
func (w *writing) record(ctx context.Context, kind, name string, body []byte, events ...guard.Event) error {
	if err := w.events(ctx, ref(kind, name), false, events...); err != nil {
		return err
	}
	return w.put(ctx, kind, name, body)
}

// put writes a row as of the last entry, in place of one of the same name.
func (w *writing) put(ctx context.Context, kind, name string, body []byte) error {
	w.changed = true
	return putState(ctx, w.Tx, w.db.key, state{kind: kind, name: name, seq: w.tail.seq, body: body})
}

func putState(ctx context.Context, tx *sql.Tx, key macKey, s state) error {
	mac := key.state(s)
	_, err := tx.ExecContext(ctx, `INSERT INTO states (kind, name, seq, body, mac) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (kind, name) DO UPDATE SET seq = excluded.seq, body = excluded.body, mac = excluded.mac`,
		s.kind, s.name, s.seq, string(s.body), mac[:])
	return err
}

// removeRow removes a row with the entry that says why; false if there is none.
func (l *Ledger) removeRow(ctx context.Context, kind, name string, event guard.Event) (removed bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		if _, removed, err = w.db.one(ctx, w.Tx, kind, name); err != nil || !removed {
			return err
		}
		if err := w.events(ctx, ref(kind, name), true, event); err != nil {
			return err
		}
		_, err := w.ExecContext(ctx, `DELETE FROM states WHERE kind = $1 AND name = $2`, kind, name)
		return err
	})
	return removed && err == nil, err
}

// State implements guard.StateStore.
func (l *Ledger) State(ctx context.Context, kind guard.StateKind, name string, into any) (bool, error) {
	seen, err := l.looks.Get(ctx)
	if err != nil {
		return false, l.problem(err)
	}
	body, why, err := current[json.RawMessage](ctx, l, seen, string(kind), name)
	if err != nil || why != "" {
		return false, l.problem(err)
	}
	return true, json.Unmarshal(body, into)
}

// States implements guard.StateStore.
func (l *Ledger) States(ctx context.Context, kind guard.StateKind, each func([]byte) error) error {
	bodies, err := read(ctx, l, func(db *opened) ([]json.RawMessage, error) {
		return rowsOf[json.RawMessage](ctx, db, db.Read, `WHERE kind = $1 ORDER BY name`, string(kind))
	})
	for _, body := range bodies {
		if err := each(body); err != nil {
			return err
		}
	}
	return err
}

// ChangeStates implements guard.StateStore. Rows that have expired are removed on the way.
func (l *Ledger) ChangeStates(ctx context.Context, change func(guard.StateTx) error) error {
	return l.write(ctx, true, func(w *writing) error {
		if _, err := w.ExecContext(ctx, `DELETE FROM states WHERE kind IN ('session', 'once') AND expires < $1`, formatTime(l.o.Now())); err != nil {
			return err
		}
		return change(stateTx{ctx, w})
	})
}

// stateTx implements guard.StateTx.
type stateTx struct {
	ctx context.Context
	w   *writing
}

func (t stateTx) State(kind guard.StateKind, name string, into any) (bool, error) {
	s, ok, err := t.w.db.one(t.ctx, t.w.Tx, string(kind), name)
	if err != nil || !ok {
		return false, err
	}
	return true, json.Unmarshal(s.body, into)
}

func (t stateTx) Put(kind guard.StateKind, name string, row any, events ...guard.Event) error {
	if len(events) == 0 {
		return t.w.put(t.ctx, string(kind), name, encode(row))
	}
	return t.w.record(t.ctx, string(kind), name, encode(row), events...)
}

func (t stateTx) Remove(kind guard.StateKind, name string, events ...guard.Event) error {
	if err := t.w.events(t.ctx, ref(string(kind), name), true, events...); err != nil {
		return err
	}
	t.w.changed = true
	_, err := t.w.ExecContext(t.ctx, `DELETE FROM states WHERE kind = $1 AND name = $2`, string(kind), name)
	return err
}

func (t stateTx) PutToken(token guard.Token) error {
	return t.w.put(t.ctx, stateToken, token.ID, encodeToken(token))
}

func (t stateTx) Append(events ...guard.Event) error { return t.w.events(t.ctx, "", false, events...) }
