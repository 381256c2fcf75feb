package users

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
)

const (
	// sessionCookie holds the handle of a session, and nothing else.
	sessionCookie = "__Host-session"
	// idleFor and sessionLife are when a session ends.
	idleFor     = 30 * time.Minute
	sessionLife = 12 * time.Hour
	// seenEvery is how often it is written that a session is in use.
	seenEvery = time.Minute
)

// Session is a browser in which somebody is signed in.
type Session struct {
	// ID refers to the session and opens nothing.
	ID     string
	Person Person
	Since  time.Time
	// LastSeen is up to a minute old.
	LastSeen time.Time
	// Upstream is by what Renew asks the issuer again; nil if it cannot.
	Upstream  []byte
	formToken string
}

// FormToken is the token of the forms in this session.
func (s Session) FormToken() string { return s.formToken }

// sessionRow is a session as it is kept, under its ID.
type sessionRow struct {
	ID      string      `json:"id"`
	Person  Person      `json:"person"`
	Since   time.Time   `json:"since"`
	Seen    time.Time   `json:"seen"`
	Expires guard.Stamp `json:"expires"`
	// Upstream is the row with the issuer's refresh token.
	Upstream []byte `json:"upstream,omitempty"`
}

func (r sessionRow) seenAt(now time.Time) sessionRow {
	r.Seen, r.Expires.Time = now, now.Add(idleFor)
	if end := r.Since.Add(sessionLife); end.Before(r.Expires.Time) {
		r.Expires.Time = end
	}
	return r
}

func (r sessionRow) session(handle string) Session {
	return Session{ID: r.ID, Person: r.Person, Since: r.Since, LastSeen: r.Seen, formToken: page.TokenOf(handle), Upstream: r.Upstream}
}

// rowName is what is kept of a handle. The purpose keeps a handle of one kind from
// being another.
func rowName(purpose, handle string) string {
	sum := sha256.Sum256([]byte("mcp-partner " + purpose + "\x00" + handle))
	return hex.EncodeToString(sum[:])
}

// Session returns the live session of a browser.
func (s *SignIn) Session(r *http.Request) (Session, bool) {
	handle, ok := page.Cookie(r, sessionCookie)
	if !ok {
		return Session{}, false
	}
	row, ok, err := s.sessionRow(s.reader(r.Context()), handle)
	if err == nil && ok && s.o.Now().Sub(row.Seen) >= seenEvery {
		row, ok, err = s.touch(r.Context(), handle)
	}
	if err != nil {
		s.o.Logger.WarnContext(r.Context(), "a session could not be read", "reason", err.Error())
	}
	return row.session(handle), ok && err == nil
}

// sessionRow returns the live session of a handle.
func (s *SignIn) sessionRow(read reader, handle string) (row sessionRow, ok bool, err error) {
	ok, err = read(guard.SessionState, rowName("session", handle), &row)
	if err != nil || !ok || !s.o.Now().Before(row.Expires.Time) {
		return row, false, err
	}
	ok, err = s.stands(read, row.Person)
	return row, ok, err
}

// touch writes that a session is in use, if it did not end meanwhile.
func (s *SignIn) touch(ctx context.Context, handle string) (row sessionRow, ok bool, err error) {
	err = s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		if row, ok, err = s.sessionRow(tx.State, handle); err != nil || !ok {
			return err
		}
		row = row.seenAt(s.o.Now())
		return tx.Put(guard.SessionState, row.ID, row)
	})
	return row, ok, err
}

// begin begins a session with a new handle, in place of the one that the browser has.
// Who it is for is found, and what that uses up is changed, in the same step.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, upstream []byte, who func(guard.StateTx) (Person, error)) error {
	handle := page.NewHandle()
	err := s.o.Store.ChangeStates(r.Context(), func(tx guard.StateTx) error {
		p, err := who(tx)
		if err != nil {
			return err
		}
		if old, ok := page.Cookie(r, sessionCookie); ok {
			if err := s.end(tx, rowName("session", old), "signed out by signing in again"); err != nil {
				return err
			}
		}
		row := sessionRow{ID: rowName("session", handle), Person: p, Since: s.o.Now(), Upstream: upstream}.seenAt(s.o.Now())
		return tx.Put(guard.SessionState, row.ID, row, s.event(guard.KindSignIn, p.Caller, "signed in"))
	})
	if err == nil {
		page.SetCookie(w, sessionCookie, handle, 0)
	}
	return err
}

// end ends a session, if it is there.
func (s *SignIn) end(tx guard.StateTx, id, why string) error {
	var row sessionRow
	ok, err := tx.State(guard.SessionState, id, &row)
	if err != nil || !ok {
		return err
	}
	return tx.Remove(guard.SessionState, id, s.event(guard.KindSignIn, row.Person.Caller, why))
}

// sessions returns the live sessions of a person, the newest first.
func (s *SignIn) sessions(ctx context.Context, of access.Caller) (found []Session, err error) {
	rows, err := guard.Rows(ctx, s.o.Store, guard.SessionState, func(row sessionRow) bool {
		return row.Person.Caller == of && s.o.Now().Before(row.Expires.Time)
	})
	slices.SortFunc(rows, func(a, b sessionRow) int { return b.Since.Compare(a.Since) })
	return xslices.Map(rows, func(row sessionRow) Session { return row.session("") }), err
}

// reader reads a row, in a transaction or outside.
type reader func(kind guard.StateKind, name string, into any) (bool, error)

func (s *SignIn) reader(ctx context.Context) reader {
	return func(kind guard.StateKind, name string, into any) (bool, error) {
		return s.o.Store.State(ctx, kind, name, into)
	}
}

// stands reports whether a person may still be signed in: a user of this server must
// be there, and not reset or signed out since.
func (s *SignIn) stands(read reader, p Person) (bool, error) {
	name, local := strings.CutPrefix(string(p.Caller), userKind)
	if !local {
		return s.o.Upstream != nil, nil
	}
	user, ok, err := userNamed(read, name)
	if err != nil || !ok {
		return false, err
	}
	at := p.AuthenticatedAt
	return !at.Before(user.AddedAt) && at.After(user.ResetAt) && at.After(user.SignedOutAt), nil
}
