package ledger

import (
	"context"
	"encoding/json"
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
