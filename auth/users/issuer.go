package users

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
)

// toIssuer sends a browser to the issuer, after its person pressed the button.
func (s *SignIn) toIssuer(w http.ResponseWriter, r *http.Request) error {
	if s.o.Upstream == nil {
		return refusal("there is no issuer")
	}
	sent := auth.SignInRequest{
		State: page.NewHandle(), Nonce: page.NewHandle(), Verifier: page.NewHandle(),
		Fresh: r.PostForm.Get("fresh") != "", Choose: r.PostForm.Get("how") == "choose",
	}
	address, err := s.o.Upstream.AuthorizeURL(r.Context(), sent)
	if err != nil {
		return err
	}
	state := sent.State
	sent.State = "" // kept as a hash alone
	if err := s.keep(w, r, flow{Purpose: "issuer", Next: ownPath(r.PostForm.Get("next")), Sent: sent}, state, issuerFor); err != nil {
		return err
	}
	page.Page{Title: "Sign in with " + s.o.Upstream.Host(), Onward: address, Body: []page.Node{
		page.Line(page.Link(address, "Continue to "+s.o.Upstream.Host())),
	}}.Write(w)
	return nil
}

// fromIssuer takes the issuer's answer.
func (s *SignIn) fromIssuer(w http.ResponseWriter, r *http.Request) error {
	answer, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || s.o.Upstream == nil {
		return refusal("the answer of the issuer cannot be read")
	}
	for _, values := range answer {
		if len(values) > 1 {
			return refusal("the answer of the issuer has a parameter twice")
		}
	}
	f, err := s.take(r, "issuer", answer.Get("state"))
	if err != nil {
		return err
	}
	if err := s.o.Upstream.CheckIssuer(r.Context(), answer.Get("iss")); err != nil {
		return err
	}
	if answer.Get("error") != "" || answer.Get("code") == "" {
		return refusal("the issuer gave no code")
	}
	p, token, err := s.o.Upstream.Exchange(r.Context(), answer.Get("code"), f.Sent, f.Began)
	if err != nil {
		return err
	}
	var upstream []byte
	if token != "" {
		upstream = []byte(page.NewHandle())
	}
	err = s.begin(w, r, upstream, func(tx guard.StateTx) (Person, error) { return p, s.keepUpstream(tx, upstream, p, token) })
	if err == nil {
		http.Redirect(w, r, f.Next, http.StatusSeeOther)
	}
	return err
}

// upstreamFor is how long a refresh token is kept unused: for the session and for a
// consent at its end.
const upstreamFor = 24 * time.Hour

// issued is the refresh token of a sign-in. All clients of the sign-in share it, because
// an issuer may take each refresh token once.
type issued struct {
	Person  Person      `json:"person"`
	Sealed  []byte      `json:"sealed"`
	Expires guard.Stamp `json:"expires"`
}

func (s *SignIn) keepUpstream(tx guard.StateTx, name []byte, p Person, token string) error {
	if len(name) == 0 {
		return nil
	}
	sealed, err := s.o.Sealer.Seal([]byte(token))
	if err != nil {
		return err
	}
	return tx.Put(guard.OnceState, string(name), issued{Person: p, Sealed: sealed, Expires: guard.Stamp{Time: s.o.Now().Add(upstreamFor)}})
}

// Renew asks again who a person is. Upstream is that of the session, nil where the
// issuer gave nothing. A person who is refused is a CodeTokenRefused
// problem; a CodeSignInUnavailable problem says nothing of them.
func (s *SignIn) Renew(ctx context.Context, p Person, upstream []byte) (Person, []byte, error) {
	if err := s.check(ctx, p); err != nil {
		return Person{}, nil, err
	}
	if len(upstream) == 0 {
		return p, nil, nil
	}
	now, err, _ := s.renewals.Do(string(upstream), func() (any, error) { return s.renew(context.WithoutCancel(ctx), p.Caller, upstream) })
	if err != nil {
		return Person{}, nil, err
	}
	return now.(Person), upstream, nil
}

func (s *SignIn) renew(ctx context.Context, who access.Caller, upstream []byte) (Person, error) {
	var known issued
	ok, err := s.o.Store.State(ctx, guard.OnceState, string(upstream), &known)
	switch {
	case err != nil:
		return Person{}, err
	case !ok || known.Person.Caller != who:
		return Person{}, gone()
	}
	token, err := s.o.Sealer.Open(known.Sealed)
	if err != nil {
		return Person{}, gone() // sealed with a key that was replaced: they sign in again
	}
	now, next, err := s.o.Upstream.Refresh(ctx, string(token), known.Person)
	if refusal := new(auth.Refusal); errors.As(err, &refusal) {
		s.o.Logger.InfoContext(ctx, "the issuer refused to renew a sign-in", "reason", refusal.Error())
		return Person{}, gone()
	}
	if err != nil {
		return Person{}, err
	}
	return now, s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error { return s.keepUpstream(tx, upstream, now, next) })
}
