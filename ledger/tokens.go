package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
)

// keptAfterEnd is how long a token that ended stays in the list.
const keptAfterEnd = 30 * 24 * time.Hour

// tokenBody is guard.Token as it is written. The token itself is not in it.
type tokenBody struct {
	Caller     access.Caller  `json:"caller"`
	Hash       []byte         `json:"hash"`
	Scopes     []access.Scope `json:"scopes"`
	Tools      []string       `json:"tools,omitempty"`
	Tenants    []string       `json:"tenants"`
	PartnerIDs []string       `json:"partner_ids,omitempty"`
	IssuedBy   string         `json:"issued_by,omitempty"`
	Created    string         `json:"created"`
	Expires    string         `json:"expires"`
	Revoked    string         `json:"revoked,omitempty"`
	Uses       int            `json:"uses,omitempty"`
	Used       int            `json:"used,omitempty"`
}

func encodeToken(t guard.Token) []byte {
	body := tokenBody{
		Caller: t.Caller, Hash: t.Hash[:], Scopes: t.Grant.Scopes, Tools: t.Grant.Tools, Tenants: t.Grant.Tenants, PartnerIDs: t.Grant.PartnerIDs,
		IssuedBy: t.IssuedBy, Created: formatTime(t.IssuedAt), Expires: formatTime(t.ExpiresAt), Uses: t.Uses, Used: t.Used,
	}
	if !t.RevokedAt.IsZero() {
		body.Revoked = formatTime(t.RevokedAt)
	}
	return encode(body)
}

func decodeToken(id string, text []byte) (guard.Token, error) {
	var body tokenBody
	times := unmarshal(text, &body)
	t := guard.Token{
		ID: id, Caller: body.Caller, IssuedBy: body.IssuedBy,
		Grant:    access.Grant{Scopes: body.Scopes, Tools: body.Tools, Tenants: body.Tenants, PartnerIDs: body.PartnerIDs},
		IssuedAt: times.parse(body.Created), ExpiresAt: times.parse(body.Expires), Uses: body.Uses, Used: body.Used,
	}
	copy(t.Hash[:], body.Hash)
	if body.Revoked != "" {
		t.RevokedAt = times.parse(body.Revoked)
	}
	return t, times.failure
}

// changeToken writes a token together with the entry that says why.
func (w *writing) changeToken(ctx context.Context, t guard.Token, event guard.Event) error {
	return w.record(ctx, stateToken, t.ID, encodeToken(t), event)
}

// openTokens returns the tokens that were not revoked and have not expired.
func (w *writing) openTokens(ctx context.Context) ([]guard.Token, error) {
	now := w.l.o.Now()
	all, err := rowsOf(ctx, w.db, w.Tx, decodeToken, `WHERE kind = 'token' AND expires > $1`, formatTime(now))
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

// tokenQuery asks for a token and in the same statement how far the record
// comes, as freezeQuery does.
const tokenQuery = `SELECT ` + lastEntry + `, ` + stateColumns + ` FROM states WHERE kind = 'token' AND name = $1`

// Token implements guard.TokenStore. A token whose row was changed in the file
// is not there, and none is where entries are missing at the end: what was
// revoked since would be live again.
func (l *Ledger) Token(ctx context.Context, id string) (guard.Token, bool, error) {
	seen, err := l.looks.Get(ctx)
	if err != nil {
		return guard.Token{}, false, l.problem(err)
	}
	if t, ok := l.recent.tokenAt(seen.revision, id); ok {
		return t, true, nil
	}
	known := l.counter.knows(0) // before the query, which may see more
	s, last, ok, err := withEnd(ctx, seen.db.token, id)
	if err != nil || !ok || last < known || !seen.db.genuine(s) {
		return guard.Token{}, false, l.problem(err)
	}
	t, err := decodeToken(id, s.body)
	if err == nil {
		l.recent.keepToken(seen.revision, t)
	}
	return t, err == nil, l.problem(err)
}

// Tokens implements guard.TokenStore.
func (l *Ledger) Tokens(ctx context.Context) ([]guard.Token, error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	found, err := rowsOf(ctx, db, db.Read, decodeToken, `WHERE kind = 'token' AND expires > $1 ORDER BY created DESC`, formatTime(l.o.Now().Add(-keptAfterEnd)))
	return found, l.problem(err)
}

// UseToken implements guard.TokenStore. The use is in the vault's counter when
// it returns, so that an older file cannot give it back.
func (l *Ledger) UseToken(ctx context.Context, id string, event guard.Event) (used bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		t, ok, err := intact(ctx, w, stateToken, id, decodeToken)
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
		all, err := rowsOf(ctx, w.db, w.Tx, decodeToken, `WHERE kind = 'token' AND expires > $1`, formatTime(now.Add(-guard.ReachAfterEnd)))
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
