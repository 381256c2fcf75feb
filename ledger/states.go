package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"mcp-partner/guard"
)

// The kinds of rows that hold now, and the name of the one freeze.
const (
	stateTicket   = string(guard.TicketState)
	stateFreeze   = "freeze"
	stateToken    = string(guard.TokenState)
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
	// latest is the last entry that changed the row, and least the least number
	// that it can have since entries were pruned.
	latest, least int64
}

// ref is how an entry names the row.
func ref(kind, name string) string { return kind + "/" + name }

// pruned is the last number that was removed on purpose.
const pruned = `coalesce((SELECT max(seq) FROM checkpoints), -1)`

// stateColumns go with columns. An older copy of a row carries a good MAC, so
// the record is asked which change of the row was the last. Rows that outlive
// the entries about them get the number of the entry about the pruning.
const stateColumns = `kind, name, seq, body, mac, ` + pruned + ` + 1,
	coalesce((SELECT max(e.seq) FROM events e WHERE e.state = states.kind || '/' || states.name), 0)`

func (s *state) columns() []any {
	return []any{&s.kind, &s.name, &s.seq, &s.body, &s.mac, &s.least, &s.latest}
}

// lastEntry is the number of the last entry of the record.
const lastEntry = `coalesce((SELECT max(seq) FROM events), 0)`

// genuine reports whether the row is as this program wrote it last.
func (d *opened) genuine(s state) bool {
	return same(s.mac, d.key.state(s)) && s.seq >= max(s.latest, s.least)
}

// one returns a row; ok is false if there is none or it is not genuine.
func (s *session) one(kind, name string) (found state, ok bool) {
	there := s.row(found.columns(), `SELECT `+stateColumns+` FROM states WHERE kind = $1 AND name = $2`, kind, name)
	return found, there && s.db.genuine(found)
}

// states goes through the genuine rows that a clause after FROM states selects.
func (s *session) states(clause string, args ...any) iter.Seq[state] {
	return func(yield func(state) bool) {
		for one := range rows(s, (*state).columns, `SELECT `+stateColumns+` FROM states `+clause, args...) {
			if s.db.genuine(one) && !yield(one) {
				return
			}
		}
	}
}

// rowsOf goes through what the genuine rows that a clause selects hold.
func rowsOf[T any](s *session, clause string, args ...any) (found []T) {
	for one := range s.states(clause, args...) {
		found = append(found, decoded[T](s, one.body))
	}
	return found
}

// decoded reads what encode wrote.
func decoded[T any](s *session, text []byte) T {
	value, err := decode[T](text)
	s.fail(err)
	return value
}

// get returns what a row holds; ok is false if there is none or it is not genuine.
func get[T any](s *session, kind, name string) (one T, ok bool) {
	found, ok := s.one(kind, name)
	if ok {
		one = decoded[T](s, found.body)
	}
	return one, ok && s.err == nil
}

// intact returns what a row holds after a look at every entry since it changed
// last. For tickets they are a day's at most. They prove that none of them changed
// it: an older copy of the row fits only where the entry that came after was removed.
func intact[T any](w *writing, kind, name string) (one T, ok bool) {
	found, ok := w.one(kind, name)
	if ok {
		w.unbroken(found.seq)
		one = decoded[T](w.session, found.body)
	}
	return one, ok && w.err == nil
}

// record writes a row after the entries that say why.
func (w *writing) record(kind, name string, body []byte, events ...guard.Event) {
	w.events(ref(kind, name), false, events...)
	w.put(kind, name, body)
}

// put writes a row as of the last entry, in place of one of the same name.
func (w *writing) put(kind, name string, body []byte) {
	w.changed = true
	w.putState(state{kind: kind, name: name, seq: w.tail.seq, body: body})
}

func (s *session) putState(one state) {
	mac := s.db.key.state(one)
	s.exec(`INSERT INTO states (kind, name, seq, body, mac) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (kind, name) DO UPDATE SET seq = excluded.seq, body = excluded.body, mac = excluded.mac`,
		one.kind, one.name, one.seq, string(one.body), mac[:])
}

// removeRow removes a row with the entry that says why; false if there is none.
func (l *Ledger) removeRow(ctx context.Context, kind, name string, event guard.Event) (bool, error) {
	return written(ctx, l, true, func(w *writing) (removed bool) {
		if _, removed = w.one(kind, name); removed {
			w.events(ref(kind, name), true, event)
			w.exec(`DELETE FROM states WHERE kind = $1 AND name = $2`, kind, name)
		}
		return removed
	})
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
	return true, l.problem(content{into}.Scan([]byte(body)))
}

// States implements guard.StateStore.
func (l *Ledger) States(ctx context.Context, kind guard.StateKind, each func([]byte) error) error {
	bodies, err := read(ctx, l, func(s *session) []json.RawMessage { return s.bodies(kind) })
	return l.problem(cmp.Or(err, forEach(bodies, each)))
}

func (s *session) bodies(kind guard.StateKind) []json.RawMessage {
	return rowsOf[json.RawMessage](s, `WHERE kind = $1 ORDER BY name`, string(kind))
}

func forEach(bodies []json.RawMessage, each func([]byte) error) error {
	for _, body := range bodies {
		if err := each(body); err != nil {
			return err
		}
	}
	return nil
}

// passing are the kinds of rows that are removed without an entry when they expire. That
// one is missing takes something away, and gives nothing.
func passing() []guard.StateKind {
	return []guard.StateKind{guard.SessionState, guard.OnceState, guard.FamilyState, guard.ClientState}
}

// ChangeStates implements guard.StateStore. Rows that have expired are removed on the way.
func (l *Ledger) ChangeStates(ctx context.Context, change func(guard.StateTx) error) error {
	return l.write(ctx, true, func(w *writing) {
		w.exec(`DELETE FROM states WHERE kind IN ('session', 'once', 'family', 'client') AND expires < $1`, formatTime(l.o.Now()))
		if w.err == nil {
			w.fail(change(stateTx{w}))
		}
	})
}

// stateTx implements guard.StateTx.
type stateTx struct{ *writing }

func (t stateTx) State(kind guard.StateKind, name string, into any) (bool, error) {
	s, ok := t.one(string(kind), name)
	if !ok || t.err != nil {
		return false, t.err
	}
	return true, content{into}.Scan(s.body)
}

func (t stateTx) States(_ context.Context, kind guard.StateKind, each func([]byte) error) error {
	return cmp.Or(forEach(t.bodies(kind), each), t.err)
}

func (t stateTx) Put(kind guard.StateKind, name string, row any, events ...guard.Event) error {
	body := encode(row)
	switch row := row.(type) {
	case guard.Token:
		body = encodeToken(row)
	case guard.Ticket:
		body = encodeTicket(row)
	}
	t.record(string(kind), name, body, events...)
	return t.err
}

func (t stateTx) Remove(kind guard.StateKind, name string, events ...guard.Event) error {
	t.events(ref(string(kind), name), true, events...)
	t.changed = true
	t.exec(`DELETE FROM states WHERE kind = $1 AND name = $2`, string(kind), name)
	return t.err
}

// keptAfterEnd is how long a token that ended stays in the list.
const keptAfterEnd = 30 * 24 * time.Hour

// encodeToken writes the times of a token in their fixed width: SQL compares them.
func encodeToken(t guard.Token) []byte {
	return encode(struct {
		guard.Token
		Created guard.Stamp `json:"created"`
		Expires guard.Stamp `json:"expires"`
	}{t, guard.Stamp{Time: t.IssuedAt}, guard.Stamp{Time: t.ExpiresAt}})
}

// openTokens returns the tokens that were not revoked and have not expired.
func (w *writing) openTokens() []guard.Token {
	now := w.l.o.Now()
	all := rowsOf[guard.Token](w.session, `WHERE kind = 'token' AND expires > $1`, formatTime(now))
	return slices.DeleteFunc(all, func(t guard.Token) bool { return !t.Open(now) })
}

// PutToken implements guard.TokenStore.
func (l *Ledger) PutToken(ctx context.Context, token guard.Token, limit int, event guard.Event) error {
	return l.write(ctx, true, func(w *writing) {
		if open := w.openTokens(); len(open) >= limit {
			w.fail(guard.TooManyTokens(len(open)))
		}
		w.unused(stateToken, token.ID)
		w.record(stateToken, token.ID, encodeToken(token), event)
	})
}

// Token implements guard.TokenStore. A token whose row was changed in the file
// is not there, and none is where entries are missing at the end: what was
// revoked since would be live again.
func (l *Ledger) Token(ctx context.Context, id string) (guard.Token, bool, error) {
	seen, err := l.looks.Get(ctx)
	if err != nil {
		return guard.Token{}, false, l.problem(err)
	}
	t, why, err := current[guard.Token](ctx, l, seen, stateToken, id)
	if err == nil && why == "" && t.Family != "" {
		// A consent that is not there leaves nothing to stand on, which its reader says.
		t.Consent, _, err = current[json.RawMessage](ctx, l, seen, string(guard.FamilyState), t.Family)
	}
	return t, err == nil && why == "", l.problem(err)
}

// Tokens implements guard.TokenStore.
func (l *Ledger) Tokens(ctx context.Context) ([]guard.Token, error) {
	return read(ctx, l, func(s *session) []guard.Token {
		return rowsOf[guard.Token](s, `WHERE kind = 'token' AND expires > $1 ORDER BY created DESC`, formatTime(l.o.Now().Add(-keptAfterEnd)))
	})
}

// UseToken implements guard.TokenStore. The use is in the vault's counter when
// it returns, so that an older file cannot give it back.
func (l *Ledger) UseToken(ctx context.Context, id string, event guard.Event) (bool, error) {
	return written(ctx, l, true, func(w *writing) (used bool) {
		t, ok := intact[guard.Token](w, stateToken, id)
		if used = ok && t.Live(w.l.o.Now()); used {
			t.Used++
			w.record(stateToken, t.ID, encodeToken(t), event)
		}
		return used
	})
}
