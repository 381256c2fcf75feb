package users

import (
	"net/http"
	"net/url"

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
	signed, err := s.o.Upstream.Exchange(r.Context(), answer.Get("code"), f.Sent, f.Began)
	if err != nil {
		return err
	}
	p, upstream, err := s.person(signed)
	if err == nil {
		err = s.begin(w, r, upstream, func(guard.StateTx) (Person, error) { return p, nil })
	}
	if err == nil {
		http.Redirect(w, r, f.Next, http.StatusSeeOther)
	}
	return err
}

// person is who signed in at the issuer, with the sealed refresh token if there is one.
func (s *SignIn) person(signed auth.SignedIn) (p Person, upstream []byte, err error) {
	if signed.RefreshToken != "" {
		upstream, err = s.o.Sealer.Seal([]byte(signed.RefreshToken))
	}
	return Person{Caller: signed.Caller, Name: signed.Name, Claims: signed.Claims, AuthenticatedAt: signed.AuthenticatedAt}, upstream, err
}
