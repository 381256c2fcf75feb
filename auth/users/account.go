package users

import (
	"context"
	"net/http"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/xslices"
)

// signedIn wraps what needs a session: it checks the session's forms, and sends others
// to sign in.
func (s *SignIn) signedIn(do func(http.ResponseWriter, *http.Request, Session) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, ok := s.Session(r)
		switch {
		case !ok:
			s.Begin(w, r, r.URL.Path)
			return
		case r.Method == http.MethodPost && !page.CheckForm(w, r, session.FormToken()):
			foreignForm(w)
			return
		}
		if err := do(w, r, session); err != nil {
			s.o.Logger.WarnContext(r.Context(), "an account page was not answered", "reason", err.Error())
			page.Page{Status: http.StatusServiceUnavailable, Title: "Not now", Body: []page.Node{page.P("The record of this server cannot be used at the moment. Try again in a minute.")}}.Write(w)
		}
	}
}

func (s *SignIn) showAccount(w http.ResponseWriter, r *http.Request, session Session) error {
	sessions, err := s.sessions(r.Context(), session.Person.Caller)
	if err != nil {
		return err
	}
	clients, err := s.clientNodes(r.Context(), session)
	if err != nil {
		return err
	}
	keys, err := s.keyNodes(r.Context(), session.Person)
	if err != nil {
		return err
	}
	body := append([]page.Node{
		page.Facts(page.Text("Signed in as"), page.Strong(session.Person.Name), page.Text("Known here as"), page.Untrusted(string(session.Person.Caller))),
	}, append(keys, page.Heading("Browsers"))...)
	for _, one := range sessions {
		body = append(body, sessionNodes(one, session)...)
	}
	if len(sessions) > 1 {
		body = append(body, page.Form("/account", session.FormToken(), page.Button("end", "others", "Sign out all others", false)))
	}
	if body = append(body, clients...); s.console != "" {
		body = append(body, page.Line(page.Link(s.console, "Open the console")))
	}
	body = append(body, page.Line(page.Link("/signout", "Sign out")))
	page.Page{Title: "Your account", Body: body}.Write(w)
	return nil
}

// keyNodes shows users of this server their passkeys, so that they notice one that they
// did not make.
func (s *SignIn) keyNodes(ctx context.Context, p Person) ([]page.Node, error) {
	name, local := strings.CutPrefix(string(p.Caller), userKind)
	if !local {
		return nil, nil
	}
	user, ok, err := userNamed(s.reader(ctx), name)
	if err != nil || !ok {
		return nil, err
	}
	nodes := []page.Node{page.Heading("Passkeys")}
	for _, key := range user.Passkeys {
		facts := []page.Node{page.Text("Key"), page.El("code", page.Text(key.Ref())), page.Text("Made"), page.Text(shown(key.AddedAt)), page.Text("Invited"), page.Text(shown(user.InvitedAt))}
		switch until := key.ApprovesFrom(); {
		case key.ConfirmedBy != "":
			facts = append(facts, page.Text("Confirmed by"), page.Untrusted(key.ConfirmedBy))
		case s.o.Now().Before(until):
			facts = append(facts, page.Text("Approves nothing until"), page.Text(shown(until)+", or until another approver confirms it"))
		}
		nodes = append(nodes, page.Facts(facts...))
	}
	return append(nodes, page.P("If you did not make this, tell the operator of this server at once.")), nil
}

func sessionNodes(one, current Session) []page.Node {
	facts := []page.Node{page.Text("Signed in"), page.Text(shown(one.Since)), page.Text("Last used"), page.Text(shown(one.LastSeen))}
	if one.ID == current.ID {
		return []page.Node{page.Facts(append(facts, page.Text("Where"), page.Text("in this browser"))...)}
	}
	return []page.Node{page.Facts(facts...), page.Form("/account", current.FormToken(), page.Hidden("id", one.ID), page.Button("end", "one", "Sign out", false))}
}

func (s *SignIn) clientNodes(ctx context.Context, session Session) ([]page.Node, error) {
	if s.clients == nil {
		return nil, nil
	}
	families, err := s.clients.Families(ctx, session.Person.Caller)
	nodes := []page.Node{page.Heading("Clients that you allowed")}
	if len(families) == 0 {
		nodes = append(nodes, page.P("There are none."))
	}
	for _, f := range families {
		nodes = append(nodes, page.Facts(page.Text("Client"), page.Strong(f.Host), page.Text("May"), page.Text(access.InWords(f.Scopes)),
			page.Text("Customers"), page.Untrusted(f.Customers), page.Text("Allowed"), page.Text(shown(f.Since)), page.Text("Until"), page.Text(shown(f.Until))),
			page.Form("/account", session.FormToken(), page.Hidden("id", f.ID), page.Button("end", "client", "Take back", false)))
	}
	return nodes, err
}

func shown(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// changeAccount ends a session, all others, or what a client was allowed.
func (s *SignIn) changeAccount(w http.ResponseWriter, r *http.Request, session Session) error {
	id := r.PostForm.Get("id")
	var err error
	switch r.PostForm.Get("end") {
	case "one":
		err = s.endSessions(r.Context(), session, func(one Session) bool { return one.ID == id })
	case "others":
		err = s.endSessions(r.Context(), session, func(one Session) bool { return one.ID != session.ID })
	case "client":
		if s.clients != nil {
			err = s.clients.EndFamily(r.Context(), session.Person.Caller, id)
		}
	}
	if err == nil {
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	}
	return err
}

// endSessions ends those of the person's sessions that are meant.
func (s *SignIn) endSessions(ctx context.Context, session Session, meant func(Session) bool) error {
	all, err := s.sessions(ctx, session.Person.Caller)
	if err != nil {
		return err
	}
	return s.o.Store.ChangeStates(ctx, func(tx guard.StateTx) error {
		for _, one := range xslices.Filter(all, meant) {
			if err := s.end(tx, one.ID, "signed out"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *SignIn) showSignOut(w http.ResponseWriter, _ *http.Request, session Session) error {
	page.Page{Title: "Sign out", Body: []page.Node{
		page.Line(page.Text("You are signed in as "), page.Strong(session.Person.Name), page.Text(".")),
		page.P("Clients that you allowed keep what you allowed them. Take that back on the page of your account."),
		page.Form("/signout", session.FormToken(), page.Button("", "", "Sign out", true)),
		page.Line(page.Link("/account", "Your account")),
	}}.Write(w)
	return nil
}

// signOut ends the session here and in the browser. The issuer has a session of its
// own, which another page ends.
func (s *SignIn) signOut(w http.ResponseWriter, r *http.Request, session Session) error {
	err := s.endSessions(r.Context(), session, func(one Session) bool { return one.ID == session.ID })
	if err != nil {
		return err
	}
	page.ClearCookie(w, sessionCookie)
	body := []page.Node{page.P("You are signed out of this server."), page.Line(page.Link("/signin", "Sign in again"))}
	if s.o.Upstream != nil && !strings.HasPrefix(string(session.Person.Caller), userKind) {
		if at := s.o.Upstream.SignOutURL(r.Context()); at != "" {
			body = append(body, page.Line(page.Link(at, "Sign out of "+s.o.Upstream.Host()+" as well")))
		}
	}
	page.Page{Title: "Signed out", Body: body}.Write(w)
	return nil
}
