package oauth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// Consent is what a person allowed a client.
type Consent struct {
	ID     string         `json:"id"`
	Client Client         `json:"client"`
	Person users.Person   `json:"person"`
	Scopes []access.Scope `json:"scopes"`
	// Tenants are the IDs of the customers, sorted; nil means all, also later ones.
	// Customers is what the person was told of them.
	Tenants   []string `json:"tenants"`
	Customers string   `json:"customers"`
	// Tools and PartnerIDs are what bounded the person at that moment; nil is no bound.
	Tools      []string  `json:"tools"`
	PartnerIDs []string  `json:"partner_ids"`
	Audience   string    `json:"audience"`
	Begun      time.Time `json:"begun"`
	Ends       time.Time `json:"ends"`
	// Upstream is what the person's issuer is asked with, sealed.
	Upstream []byte `json:"upstream,omitempty"`
}

// words describes a consent for the record.
func (c Consent) words() string {
	scopes := xslices.Map(c.Scopes, func(scope access.Scope) string { return string(scope) })
	return fmt.Sprintf("%s to %s; scopes %s; %s; until %s", c.ID, c.Client.Shown(), strings.Join(scopes, ", "), c.Customers, phrase.Stamp(c.Ends))
}

// Family is a consent with the tokens that follow from it.
type Family struct {
	Consent
	EndedAt time.Time `json:"ended,omitzero"`
	// Current and Previous are what is kept of the refresh token that is good, and of the
	// one before, which was exchanged at RotatedAt. Salt is how the one follows from the
	// other.
	Current   string    `json:"current"`
	Previous  string    `json:"previous,omitempty"`
	Salt      []byte    `json:"salt,omitempty"`
	RotatedAt time.Time `json:"rotated,omitzero"`
	// Issued counts the refresh tokens.
	Issued int `json:"issued"`
	// Expires is when nothing can be left of what the tokens opened or approved.
	Expires guard.Stamp `json:"expires"`
}

// live reports whether tokens of the family are good.
func (f Family) live(now time.Time) bool { return f.EndedAt.IsZero() && now.Before(f.Ends) }

// next is the refresh token that follows another one. It is not kept: who shows the one
// before gets it again as long as that is good.
func (f Family) next(shown string) string {
	mac := hmac.New(sha256.New, f.Salt)
	mac.Write([]byte(shown))
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// end ends a family in a transaction, with an entry that says why.
func end(tx guard.StateTx, id string, now time.Time, event guard.Event, why string) error {
	var f Family
	ok, err := tx.State(guard.FamilyState, id, &f)
	if err != nil || !ok || !f.live(now) {
		return err
	}
	f.EndedAt, f.Upstream = now, nil
	event.Detail = fmt.Sprintf("ended %s of %s: %s", id, f.Client.Shown(), why)
	if event.Caller == "" {
		event.Caller = f.Person.Caller
	}
	return tx.Put(guard.FamilyState, id, f, event)
}

func (s *Server) end(ctx context.Context, id, why string) error {
	return s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		return end(tx, id, s.o.Now(), s.event(guard.KindConsent, "", ""), why)
	})
}

// Standing returns what an access token gives now: what was consented to, as far as the
// person still has it. It is guard.Options.Standing.
func (s *Server) Standing(ctx context.Context, token guard.Token) (access.Grant, error) {
	f, ok, err := s.decode(token)
	switch {
	case err != nil:
		return access.Grant{}, err
	case !ok || !f.live(s.o.Now()) || token.Audience != s.resource || f.Audience != s.resource || token.Caller != f.Person.Caller:
		return access.Grant{}, problems.New(problems.CodeTokenRefused, "The access token is for another server, or what it follows from has ended.")
	}
	wanted := xslices.Filter(f.Scopes, token.Grant.Has)
	return s.granted(ctx, f.Consent, wanted)
}

// maxDecoded bounds the families that are kept decoded.
const maxDecoded = 1024

// decoded is a family with the row that it was read from.
type decoded struct {
	row    json.RawMessage
	family Family
}

// decode reads the family of a token, anew only if its row is another one than before:
// each call of a client asks several times. It must not be changed.
func (s *Server) decode(token guard.Token) (f Family, ok bool, err error) {
	if token.Consent == nil {
		return f, false, nil
	}
	if last, known := s.decoded.Get(token.Family); known && bytes.Equal(last.row, token.Consent) {
		return last.family, true, nil
	}
	if err = json.Unmarshal(token.Consent, &f); err == nil {
		s.decoded.Add(token.Family, decoded{token.Consent, f})
	}
	return f, err == nil, err
}

// granted is what a person has now of a consent.
func (s *Server) granted(ctx context.Context, c Consent, wanted []access.Scope) (access.Grant, error) {
	grant, err := s.o.People.Grant(ctx, c.Person, wanted)
	if err != nil {
		return access.Grant{}, err
	}
	grant.Scopes = xslices.Filter(grant.Scopes, func(scope access.Scope) bool { return slices.Contains(wanted, scope) })
	grant.Tools, grant.PartnerIDs, grant.Within = both(grant.Tools, c.Tools), both(grant.PartnerIDs, c.PartnerIDs), s.o.Bounds
	if c.Tenants != nil {
		grant.Only = func(name string) bool {
			_, found := slices.BinarySearch(c.Tenants, s.o.TenantID(name))
			return found
		}
	}
	if len(grant.Scopes) == 0 || len(grant.Tenants) == 0 {
		return access.Grant{}, problems.New(problems.CodeTokenRefused, "The person behind the access token has nothing any more of what it gives.")
	}
	return grant, nil
}

// both is what two lists allow, of which nil allows all.
func both(one, other []string) []string {
	switch {
	case one == nil:
		return other
	case other == nil:
		return one
	}
	none := []string{} // which is not nil
	return append(none, xslices.Filter(one, func(name string) bool { return slices.Contains(other, name) })...)
}

// Families implements users.Clients.
func (s *Server) Families(ctx context.Context, of access.Caller) ([]users.Family, error) {
	families, err := guard.Rows(ctx, s.o.Store, guard.FamilyState, func(f Family) bool { return f.Person.Caller == of && f.live(s.o.Now()) })
	return xslices.Map(families, func(f Family) users.Family {
		return users.Family{ID: f.ID, Host: f.Client.Shown(), Scopes: f.Scopes, Customers: f.Customers, Since: f.Begun, Until: f.Ends}
	}), err
}

// EndFamily implements users.Clients.
func (s *Server) EndFamily(ctx context.Context, of access.Caller, id string) error {
	return s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		var f Family
		if ok, err := tx.State(guard.FamilyState, id, &f); err != nil || !ok || f.Person.Caller != of {
			return err
		}
		return end(tx, id, s.o.Now(), s.event(guard.KindConsent, of, ""), "revoked by the person")
	})
}
