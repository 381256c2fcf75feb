package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"mcp-partner/guard"
)

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

// changeToken writes a token together with the entry that says why.
func (w *writing) changeToken(ctx context.Context, t guard.Token, event guard.Event) error {
	return w.record(ctx, stateToken, t.ID, encodeToken(t), event)
}

// openTokens returns the tokens that were not revoked and have not expired.
func (w *writing) openTokens(ctx context.Context) ([]guard.Token, error) {
	now := w.l.o.Now()
	all, err := rowsOf[guard.Token](ctx, w.db, w.Tx, `WHERE kind = 'token' AND expires > $1`, formatTime(now))
	return slices.DeleteFunc(all, func(t guard.Token) bool { return !t.Open(now) }), err
}

// voidTokens ends tokens with the entry that was written last.
func (w *writing) voidTokens(ctx context.Context, tokens []guard.Token) error {
	for _, t := range tokens {
		t.RevokedAt = w.l.o.Now()
		if err := w.put(ctx, stateToken, t.ID, encodeToken(t)); err != nil {
			return err
		}
	}
	return nil
}

// PutToken implements guard.TokenStore.
func (l *Ledger) PutToken(ctx context.Context, token guard.Token, limit int, event guard.Event) error {
	return l.write(ctx, true, func(w *writing) error {
		open, err := w.openTokens(ctx)
		if err != nil {
			return err
		}
		if len(open) >= limit {
			return guard.TooManyTokens(len(open))
		}
		if _, taken, err := w.db.one(ctx, w.Tx, stateToken, token.ID); err != nil || taken {
			return errors.Join(err, errTaken)
		}
		return w.changeToken(ctx, token, event)
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
	return t, err == nil && why == "", l.problem(err)
}

// Tokens implements guard.TokenStore.
func (l *Ledger) Tokens(ctx context.Context) ([]guard.Token, error) {
	return read(ctx, l, func(db *opened) ([]guard.Token, error) {
		return rowsOf[guard.Token](ctx, db, db.Read, `WHERE kind = 'token' AND expires > $1 ORDER BY created DESC`, formatTime(l.o.Now().Add(-keptAfterEnd)))
	})
}

// UseToken implements guard.TokenStore. The use is in the vault's counter when
// it returns, so that an older file cannot give it back.
func (l *Ledger) UseToken(ctx context.Context, id string, event guard.Event) (used bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		t, ok, err := intact[guard.Token](ctx, w, stateToken, id)
		if err != nil || !ok || !t.Live(w.l.o.Now()) {
			return err
		}
		t.Used++
		used = true
		return w.changeToken(ctx, t, event)
	})
	return used && err == nil, err
}

// RevokeTokens implements guard.TokenStore.
func (l *Ledger) RevokeTokens(ctx context.Context, which guard.TokenSelection, event guard.Event) (revoked int, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		now := w.l.o.Now()
		all, err := rowsOf[guard.Token](ctx, w.db, w.Tx, `WHERE kind = 'token' AND expires > $1`, formatTime(now.Add(-guard.ReachAfterEnd)))
		if err != nil {
			return err
		}
		for _, t := range all {
			if !which.Selects(t) || !t.Revocable(now) {
				continue
			}
			t.RevokedAt, event.Detail = now, guard.RevokedDetail(t)
			if err := w.changeToken(ctx, t, event); err != nil {
				return err
			}
			revoked++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return revoked, nil
}
