package users

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/schemas/problems"
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
	err = s.begin(w, r, upstream, func(tx guard.StateTx) (Person, error) { return p, s.keepUpstream(tx, upstream, p, token, 0) })
	if err == nil {
		http.Redirect(w, r, f.Next, http.StatusSeeOther)
	}
	return err
}

// upstreamFor is how long a refresh token is kept unused: for the session and for a
// consent at its end.
const upstreamFor = 24 * time.Hour

const (
	// askWithin bounds the question to the issuer, and claimFor how long others leave the
	// question to who asks it: longer, by what the clocks of two replicas may differ.
	askWithin = 10 * time.Second
	claimFor  = 2 * askWithin
	// lookAgain is how often who waits for the issuer's answer looks for it.
	lookAgain = 50 * time.Millisecond
)

// issued is the refresh token of a sign-in. All clients of the sign-in share it, and
// all replicas: an issuer may take each refresh token once, so that one of them asks at
// a time, until Claimed, and the others take its answer.
type issued struct {
	Person  Person      `json:"person"`
	Sealed  []byte      `json:"sealed"`
	Expires guard.Stamp `json:"expires"`
	Claimed guard.Stamp `json:"claimed,omitzero"`
	// Renewals counts the issuer's answers.
	Renewals int `json:"renewals,omitzero"`
}

// keepUpstream keeps the refresh token of a person, the first or a later one.
func (s *SignIn) keepUpstream(tx guard.StateTx, name []byte, p Person, token string, renewals int) error {
	if len(name) == 0 {
		return nil
	}
	sealed, err := s.o.Sealer.Seal([]byte(token))
	if err != nil {
		return err
	}
	return tx.Put(guard.OnceState, string(name), issued{Person: p, Sealed: sealed, Expires: guard.Stamp{Time: s.o.Now().Add(upstreamFor)}, Renewals: renewals})
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
	now, err := s.renew(ctx, p.Caller, upstream)
	if err != nil {
		return Person{}, nil, err
	}
	return now, upstream, nil
}

// renew asks the issuer, or waits for the answer to another request that asks it.
func (s *SignIn) renew(ctx context.Context, who access.Caller, upstream []byte) (Person, error) {
	for seen := -1; ; {
		known, mine, err := s.claim(ctx, who, upstream, seen)
		switch {
		case err != nil:
			return Person{}, err
		case mine:
			return s.askAgain(ctx, known, upstream)
		case seen >= 0 && seen < known.Renewals:
			return known.Person, nil
		}
		seen = known.Renewals
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return Person{}, problems.New(problems.CodeSignInUnavailable, "The issuer did not answer in time.")
		}
	}
}

// claim takes the question to the issuer, unless another request has it or got an answer
// after the one seen; less than 0 is none.
func (s *SignIn) claim(ctx context.Context, who access.Caller, upstream []byte, seen int) (known issued, mine bool, err error) {
	err = s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		known = issued{}
		ok, err := tx.State(guard.OnceState, string(upstream), &known)
		if err != nil || !ok || known.Person.Caller != who {
			return cmp.Or(err, gone())
		}
		answered := seen >= 0 && seen < known.Renewals
		if mine = !answered && !s.o.Now().Before(known.Claimed.Time); !mine {
			return nil
		}
		known.Claimed = guard.Stamp{Time: s.o.Now().Add(claimFor)}
		return tx.Put(guard.OnceState, string(upstream), known)
	})
	return known, mine, err
}

// askAgain asks the issuer with the token of a sign-in that this request claimed, and
// leaves the next one to others. A client that went away interrupts nothing: the token
// may be spent.
func (s *SignIn) askAgain(ctx context.Context, known issued, upstream []byte) (Person, error) {
	token, err := s.o.Sealer.Open(known.Sealed)
	if err != nil {
		return Person{}, gone() // sealed with a key that was replaced: they sign in again
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	now, next, err := s.o.Upstream.Refresh(ctx, string(token), known.Person)
	if err != nil {
		if refusal := new(auth.Refusal); errors.As(err, &refusal) {
			s.o.Logger.InfoContext(ctx, "the issuer refused to renew a sign-in", "reason", refusal.Error())
			err = gone()
		}
		known.Claimed = guard.Stamp{}
		_ = s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error { return tx.Put(guard.OnceState, string(upstream), known) }) // or it ends by itself
		return Person{}, err
	}
	return now, s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error { return s.keepUpstream(tx, upstream, now, next, known.Renewals+1) })
}
