package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

const (
	// grace is how long the refresh token before the current one is good for: two
	// windows of a client may refresh at the same moment.
	grace = 10 * time.Second
	// refreshWithin bounds a refresh, in which the issuer is asked.
	refreshWithin = 15 * time.Second
)

// refresh gives new tokens for a refresh token. Requests of the same moment get the
// same answer, so that the issuer is asked once.
func (s *Server) refresh(ctx context.Context, client Client, form url.Values) (issued, error) {
	shown := form.Get("refresh_token")
	f, ok, err := s.familyOf(ctx, "refresh", shown)
	if err != nil || !ok || f.Client.ID != client.ID || !f.live(s.o.Now()) {
		return issued{}, cmp.Or(err, badGrant())
	}
	if err := s.held(ctx, s.rotations, f.ID, "Tokens were refreshed too often."); err != nil { // each writes an entry and asks the issuer
		return issued{}, err
	}
	wanted := f.Scopes
	if words := strings.Fields(form.Get("scope")); len(words) > 0 {
		wanted = xslices.Filter(f.Scopes, func(scope access.Scope) bool { return slices.Contains(words, string(scope)) })
		if len(wanted) < len(words) {
			return issued{}, &failure{code: errScope, text: "the person did not allow all of these scopes"}
		}
	}
	return s.refreshes.Do(ctx, fmt.Sprint(digest("refresh", shown), wanted), func(ctx context.Context) (issued, error) {
		return s.rotate(ctx, shown, wanted)
	})
}

// rotate asks the issuer about the person, and puts another refresh token in the place
// of the one shown. One that was exchanged before ends the family, unless that was a
// moment ago.
func (s *Server) rotate(ctx context.Context, shown string, wanted []access.Scope) (answer issued, err error) {
	hash := digest("refresh", shown)
	f, ok, err := s.familyOf(ctx, "refresh", shown) // again: what came before may have exchanged it
	if err != nil || !ok || !f.live(s.o.Now()) {
		return issued{}, cmp.Or(err, badGrant())
	}
	renewed, grant, err := s.renewed(ctx, f, hash, wanted)
	if err != nil {
		return issued{}, err
	}
	var refused error
	err = s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		refused, f = badGrant(), Family{}
		if ok, err := tx.State(guard.FamilyState, renewed.ID, &f); err != nil || !ok || !f.live(s.o.Now()) {
			return err
		}
		switch {
		case hash == f.Current:
			f.Consent, f.Salt, f.Previous, f.RotatedAt = renewed, []byte(page.NewHandle()), f.Current, s.o.Now()
			f.Current, f.Issued = digest("refresh", f.next(shown)), f.Issued+1
			event := s.event(guard.KindConsent, f.Person.Caller, fmt.Sprintf("refreshed tokens of %s to %s, %d until now", f.ID, f.Client.Shown(), f.Issued))
			if err := tx.Put(guard.FamilyState, f.ID, f, event); err != nil {
				return err
			}
		case hash != f.Previous || s.o.Now().After(f.RotatedAt.Add(grace)):
			return end(tx, f.ID, s.o.Now(), s.event(guard.KindConsent, "", ""), "a refresh token was used twice")
		}
		refused = nil
		answer, err = s.issue(tx, f, grant, f.next(shown))
		return err
	})
	return answer, cmp.Or(err, refused)
}

// renewed is a consent with what the issuer says now, and what the person has of it. A
// person who is out ends the family; where that is not known now, nothing is lost.
func (s *Server) renewed(ctx context.Context, f Family, hash string, wanted []access.Scope) (c Consent, grant access.Grant, err error) {
	c = f.Consent
	if hash == f.Current {
		c.Person, c.Upstream, err = s.o.People.Renew(ctx, f.Person, f.Upstream)
	}
	if err == nil && c.Person.Caller == f.Person.Caller {
		if grant, err = s.granted(ctx, c, wanted); err == nil {
			_, err = s.reached(grant)
		}
	}
	if isOut(err) || err == nil && c.Person.Caller != f.Person.Caller {
		err = cmp.Or(s.end(ctx, f.ID, "the person is not let in any more"), badGrant())
	}
	return c, grant, err
}

// isOut reports whether an error says that a person is not let in any more.
func isOut(err error) bool {
	known, ok := errors.AsType[*problems.Problem](err)
	return ok && known.Code == problems.CodeTokenRefused
}
