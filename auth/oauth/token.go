package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
)

const (
	// accessLife is how long an access token is good for.
	accessLife = 15 * time.Minute
	// refreshPrefix begins every refresh token, so that scanners find one.
	refreshPrefix = "mpr_"
)

var (
	challengeForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) })
	verifierForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`) })
)

// codeRow is a code as it is kept, under its digest.
type codeRow struct {
	Consent
	// Session is where the person consented: signing out voids the code.
	Session   string `json:"session"`
	Redirect  string `json:"redirect"`
	Challenge string `json:"challenge"`
	// Used says that it was shown to the token endpoint, by whomever.
	Used    bool        `json:"used,omitempty"`
	Expires guard.Stamp `json:"expires"`
}

// proves reports whether a request shows what the code was given for.
func (c codeRow) proves(form url.Values) bool {
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	return verifierForm().MatchString(form.Get("code_verifier")) &&
		subtle.ConstantTimeCompare([]byte(challenge), []byte(c.Challenge)) == 1 &&
		(!form.Has("redirect_uri") || form.Get("redirect_uri") == c.Redirect)
}

// begun reports whether the person is still signed in, and the client was not removed.
func (c codeRow) begun(tx guard.StateTx) (bool, error) {
	session, err1 := tx.State(guard.SessionState, c.Session, &struct{}{})
	client, err2 := tx.State(guard.ClientState, c.Client.ID, &struct{}{})
	return session && client, cmp.Or(err1, err2)
}

// handleRow says to which family a token belongs.
type handleRow struct {
	Family  string      `json:"family"`
	Expires guard.Stamp `json:"expires"`
}

// issued is the answer of the token endpoint (RFC 6749, section 5.1).
type issued struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	answer, err := s.exchanged(r)
	s.reply(w, http.StatusOK, answer, err)
}

func (s *Server) exchanged(r *http.Request) (issued, error) {
	form, client, err := s.authenticated(r)
	switch {
	case err != nil:
		return issued{}, err
	case !s.isResource(form):
		return issued{}, &failure{code: errTarget, text: "resource is not " + s.resource}
	}
	switch form.Get("grant_type") {
	case grantCode:
		return s.exchangeCode(r.Context(), client, form)
	case grantRefresh:
		return s.refresh(r.Context(), client, form)
	default:
		return issued{}, &failure{code: "unsupported_grant_type", text: "grant_type is not authorization_code or refresh_token"}
	}
}

// authenticated reads the form of a client and finds out which one it is.
func (s *Server) authenticated(r *http.Request) (url.Values, Client, error) {
	if err := s.held(r.Context(), s.exchanges, users.AddressOf(r), "Too many requests came from this address."); err != nil {
		return nil, Client{}, err
	}
	form, err := readForm(r)
	if err != nil {
		return nil, Client{}, &failure{code: errRequest, text: err.Error()}
	}
	id, secret, method, err := credentials(r, form)
	if err != nil {
		return nil, Client{}, &failure{code: errRequest, text: err.Error()}
	}
	client, ok := Client{ID: id, Kind: ByDocument, Method: authNone}, true
	if !isDocument(id) { // a document is read before a person is asked
		if client, ok, err = s.stored(r.Context(), id); err != nil {
			return nil, Client{}, err
		}
	}
	right := method == authNone || client.shows(secret)
	if !ok || !right || method != client.Method {
		return nil, Client{}, &failure{status: http.StatusUnauthorized, code: errClient, text: "the client is unknown or expired, or does not authenticate as it was registered"}
	}
	if client.Kind != ByDocument { // whose ID all its users share
		err = s.held(r.Context(), s.exchanges, id, "Too many requests came from this client.")
	}
	return form, client, err
}

func readForm(r *http.Request) (url.Values, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return nil, errors.New("the content type is not application/x-www-form-urlencoded")
	}
	raw, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return single(raw)
}

func readBody(r *http.Request) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(raw) > maxBody || r.URL.RawQuery != "" {
		return "", fmt.Errorf("the body is longer than %d bytes or ended early, or parameters are in the URL", maxBody)
	}
	return string(raw), nil
}

// credentials are those of a client, in one place only.
func credentials(r *http.Request, form url.Values) (id, secret, method string, err error) {
	if r.Header.Get("Authorization") == "" {
		if form.Has("client_secret") {
			return form.Get("client_id"), form.Get("client_secret"), authPost, nil
		}
		return form.Get("client_id"), "", authNone, nil
	}
	name, password, ok := r.BasicAuth()
	id, err1 := url.QueryUnescape(name)
	secret, err2 := url.QueryUnescape(password)
	if !ok || err1 != nil || err2 != nil || form.Has("client_secret") || form.Has("client_id") && form.Get("client_id") != id {
		return "", "", "", errors.New("the client authenticates in two ways, or in one that cannot be read")
	}
	return id, secret, authBasic, nil
}

// badGrant is the one answer to a code or a refresh token that is not good, whatever
// is wrong with it.
func badGrant() error {
	return &failure{code: errGrant, text: "it is not valid: used, expired, revoked, or of another client, redirect URI or verifier"}
}

// exchangeCode gives tokens for a code, which is used up by being shown. One that is
// shown again was seen by somebody else: what followed from it ends.
func (s *Server) exchangeCode(ctx context.Context, client Client, form url.Values) (answer issued, err error) {
	name := digest("code", form.Get("code"))
	var row codeRow
	if ok, err := s.o.Store.State(ctx, guard.OnceState, name, &row); err != nil || !ok {
		return issued{}, cmp.Or(err, badGrant())
	}
	grant, out := s.granted(ctx, row.Consent, row.Scopes)
	if out != nil && !isOut(out) {
		return issued{}, out
	}
	var refused error
	err = s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		refused = badGrant()
		row = codeRow{}
		if ok, err := tx.State(guard.OnceState, name, &row); err != nil || !ok || !s.o.Now().Before(row.Expires.Time) {
			return err
		}
		if row.Used {
			return end(tx, row.ID, s.o.Now(), s.event(guard.KindConsent, "", ""), "its code was used twice")
		}
		row.Used = true
		begun, err := row.begun(tx)
		if err != nil {
			return err
		}
		if row.Client.ID != client.ID || !row.proves(form) || out != nil || !begun {
			return tx.Put(guard.OnceState, name, row, s.event(guard.KindConsent, row.Person.Caller, "the code of "+row.ID+" was refused"))
		}
		refused = nil
		if err := tx.Put(guard.OnceState, name, row); err != nil {
			return err
		}
		answer, err = s.begin(tx, row.Consent, grant)
		return err
	})
	return answer, cmp.Or(err, refused)
}

// begin begins a family with its first tokens.
func (s *Server) begin(tx guard.StateTx, c Consent, grant access.Grant) (issued, error) {
	refresh := refreshPrefix + page.NewHandle()
	f := Family{Consent: c, Current: digest("refresh", refresh), Issued: 1, Expires: guard.Stamp{Time: c.Ends.Add(guard.ReachAfterEnd)}}
	if err := tx.Put(guard.FamilyState, f.ID, f, s.event(guard.KindConsent, f.Person.Caller, "issued tokens of "+f.ID+" to "+f.Client.Shown())); err != nil {
		return issued{}, err
	}
	return s.issue(tx, f, grant, refresh)
}

// issue makes an access token of a family, and gives it with a refresh token.
func (s *Server) issue(tx guard.StateTx, f Family, grant access.Grant, refresh string) (issued, error) {
	now := s.o.Now()
	until := now.Add(accessLife)
	if f.Ends.Before(until) {
		until = f.Ends
	}
	secret, token := guard.NewAccessToken(f.Person.Caller, f.ID, f.Audience, grant, now, until)
	if err := tx.Put(guard.TokenState, token.ID, token); err != nil {
		return issued{}, err
	}
	if err := tx.Put(guard.OnceState, digest("access", secret), handleRow{f.ID, guard.Stamp{Time: until}}); err != nil {
		return issued{}, err
	}
	err := tx.Put(guard.OnceState, digest("refresh", refresh), handleRow{f.ID, guard.Stamp{Time: f.Ends}})
	scopes := xslices.Map(grant.Scopes, func(scope access.Scope) string { return string(scope) })
	return issued{secret, "Bearer", int(until.Sub(now).Seconds()), refresh, strings.Join(scopes, " ")}, err
}

// revoke answers RFC 7009: with success also for a token that is not there, or not the
// client's.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	form, client, err := s.authenticated(r)
	if err == nil {
		err = s.revokeToken(r.Context(), client, form.Get("token"))
	}
	s.reply(w, http.StatusOK, struct{}{}, err)
}

func (s *Server) revokeToken(ctx context.Context, client Client, token string) error {
	for _, purpose := range []string{"refresh", "access"} {
		f, ok, err := s.familyOf(ctx, purpose, token)
		if err != nil {
			return err
		}
		if ok && f.Client.ID == client.ID {
			return s.end(ctx, f.ID, "revoked by the client")
		}
	}
	return nil
}

// familyOf returns the family to which a token belongs.
func (s *Server) familyOf(ctx context.Context, purpose, token string) (f Family, ok bool, err error) {
	var row handleRow
	ok, err = s.o.Store.State(ctx, guard.OnceState, digest(purpose, token), &row)
	if err != nil || !ok {
		return f, false, err
	}
	ok, err = s.o.Store.State(ctx, guard.FamilyState, row.Family, &f)
	return f, ok && f.Audience == s.resource, err
}
