package oauth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

const (
	// answerWithin is how long a person may take to sign in and to decide, and codeLife
	// how long a code is good for.
	answerWithin = 10 * time.Minute
	codeLife     = time.Minute
	// fullLife is how long a consent holds, and blindLife how long where the person's
	// issuer gave nothing with which it could be asked again.
	fullLife  = 12 * time.Hour
	blindLife = time.Hour
)

// question is a request that waits for a person's decision, as it is kept.
type question struct {
	asked
	// Browser is what is kept of the cookie of the browser in which it was begun.
	Browser string      `json:"browser"`
	Expires guard.Stamp `json:"expires"`
	handle  string
	session users.Session
}

// ask keeps a request, ties it to the browser, and leads to the page on which the
// person decides, by way of signing in. Each request has a cookie of its own.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, a asked) {
	handle, browser := page.NewHandle(), page.NewHandle()
	a.Client.SecretHash = ""
	row := question{asked: a, Browser: digest("browser", browser), Expires: guard.Stamp{Time: s.o.Now().Add(answerWithin)}}
	err := s.o.Store.ChangeStates(r.Context(), func(tx guard.StateTx) error {
		return tx.Put(guard.OnceState, digest("request", handle), row)
	})
	if err != nil {
		s.sendBack(w, err)
		return
	}
	page.SetCookie(w, cookieOf(handle), browser, answerWithin)
	if next := consentURL(handle); row.signedIn(s, r) {
		http.Redirect(w, r, next, http.StatusSeeOther)
	} else {
		s.o.People.Begin(w, r, next)
	}
}

func consentURL(handle string) string {
	return consentPath + "?" + url.Values{requestField: {handle}}.Encode()
}

func cookieOf(handle string) string { return "__Host-oauth-" + handle[:min(12, len(handle))] }

func (q *question) signedIn(s *Server, r *http.Request) (ok bool) {
	q.session, ok = s.o.People.Session(r)
	return ok
}

// consent asks the person, and takes the answer. It asks each time: that somebody is
// signed in, here or at an issuer, says nothing about what they allow this client.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	q, err := s.waiting(r, r.URL.Query().Get(requestField))
	switch {
	case err != nil:
		s.sendBack(w, err)
	case !q.signedIn(s, r):
		s.o.People.Begin(w, r, consentURL(q.handle))
	case r.Method != http.MethodPost:
		s.showConsent(w, r, q)
	case s.ownForm(w, r, q.session.FormToken()):
		s.decide(w, r, q)
	}
}

// waiting returns a request that waits in this browser.
func (s *Server) waiting(r *http.Request, handle string) (q question, err error) {
	ok, err := s.o.Store.State(r.Context(), guard.OnceState, digest("request", handle), &q)
	browser, _ := page.Cookie(r, cookieOf(handle))
	same := subtle.ConstantTimeCompare([]byte(digest("browser", browser)), []byte(q.Browser)) == 1
	if err == nil && (!ok || !same || !s.o.Now().Before(q.Expires.Time)) {
		err = &failure{text: "The request is answered already, has expired, or was begun in another browser."}
	}
	q.handle = handle
	return q, err
}

func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, q question) {
	buttons := []page.Node{page.Button("decision", "allow", "Allow", true), page.Button("decision", "deny", "Deny", false)}
	var nodes []page.Node
	if c, reach, err := s.offered(r.Context(), q); err == nil {
		nodes = offer(q, c, reach)
	} else {
		nodes, buttons = []page.Node{page.Warning("You cannot allow this: " + problems.As(err).Message)}, buttons[1:]
	}
	form := page.Form(consentURL(q.handle), q.session.FormToken(), slices.Concat(nodes, buttons)...)
	who := page.Facts(page.Text("Signed in as"), page.Strong(q.session.Person.Name))
	q.page("Allow "+q.Client.Shown()+" to use Partner Admin Link?", who, form).Write(w)
}

// offered is the most that the person can allow now: of what the client asks for, what
// the person has. It comes with the customers that are there today.
func (s *Server) offered(ctx context.Context, q question) (c Consent, reach []Customer, err error) {
	grant, err := s.granted(ctx, Consent{Person: q.session.Person}, q.Scopes)
	if err == nil {
		reach, err = s.reached(grant)
	}
	now := s.o.Now()
	c = Consent{
		Client: Client{ID: q.Client.ID, Kind: q.Client.Kind, Name: q.Client.Name}, Person: q.session.Person, Scopes: grant.Scopes, Tools: grant.Tools,
		PartnerIDs: grant.PartnerIDs, Audience: s.resource, Begun: now, Ends: now.Add(lifeOf(q.session)), Upstream: q.session.Upstream,
	}
	if c.reach(reach); grant.Everywhere() {
		c.Tenants, c.Customers = nil, "all customers, also those added later; today "+c.Customers
	}
	return c, reach, err
}

// reached returns the customers that a grant reaches, and refuses one that reaches none.
func (s *Server) reached(grant access.Grant) ([]Customer, error) {
	reach, err := s.o.Reach(grant)
	if err == nil && len(reach) == 0 && !grant.Everywhere() {
		err = problems.New(problems.CodeTokenRefused, "This server knows none of the customers that the person may reach.")
	}
	return reach, err
}

// namedCustomers is how many customers a consent names to the person.
const namedCustomers = 10

// reach sets the customers of a consent.
func (c *Consent) reach(of []Customer) {
	c.Tenants = xslices.Map(of, func(one Customer) string { return one.TenantID })
	slices.Sort(c.Tenants)
	names := phrase.Some(xslices.Map(of, func(one Customer) string { return untrusted.Sanitize(one.Name) }), namedCustomers)
	c.Customers = strings.TrimSuffix(phrase.Count(len(of), "customer")+": "+strings.Join(names, ", "), ": ")
}

// shown tells one consent from another by what the person is asked to allow.
func (c Consent) shown() string {
	return digest("consent", fmt.Sprintf("%q %q %q %q %s", c.Scopes, c.Tools, c.Tenants, c.PartnerIDs, c.Customers))
}

// offer says what the client would get, and lets the person give less.
func offer(q question, c Consent, reach []Customer) []page.Node {
	partners := "all that this server allows"
	if c.PartnerIDs != nil {
		partners = strings.Join(c.PartnerIDs, ", ")
	}
	nodes := []page.Node{page.Hidden("shown", c.shown()), page.Heading("It could, in your name"), page.List(xslices.Map(c.Scopes, inWords)...)}
	if len(c.Scopes) < len(q.Scopes) {
		nodes = append(nodes, page.P("It asks for more than you have, and does not get that."))
	}
	if slices.Contains(c.Scopes, access.ScopeApprove) {
		nodes = append(nodes, page.Warning("A client that approves decides in your place. Allow this only to a program that asks you each time."))
	}
	nodes = append(nodes, page.Facts(
		page.Text("Customers"), page.Untrusted(c.Customers), page.Text("Partner IDs"), page.Untrusted(partners),
		page.Text("For how long"), page.Text(phrase.Count(int(c.Ends.Sub(c.Begun).Hours()), "hour")+", or until you end it on the page /account"),
	), page.Heading("Allow less"))
	if slices.Contains(c.Scopes, access.ScopeRead) && len(c.Scopes) > 1 {
		nodes = append(nodes, page.Check("read_only", "yes", false, page.Text("Reading only")))
	}
	if c.Tenants == nil && len(reach) > 0 {
		nodes = append(nodes, page.Check("today", "yes", false, page.Text("Only the customers of today")))
	}
	return append(nodes, page.Field("tenants", "Only these customers (names with commas between them; empty for those above)", ""))
}

func lifeOf(session users.Session) time.Duration {
	if strings.HasPrefix(string(session.Person.Caller), "user:") || len(session.Upstream) > 0 {
		return fullLife
	}
	return blindLife
}

// decide takes the person's decision, once.
func (s *Server) decide(w http.ResponseWriter, r *http.Request, q question) {
	answer, detail := url.Values{"error": {errDenied}}, "denied to "+q.Client.Shown()
	var row codeRow
	if r.PostForm.Get("decision") == "allow" {
		consent, err := s.narrowed(r.Context(), q, r.PostForm)
		if err != nil {
			s.sendBack(w, &failure{text: problems.As(err).Message + " Go back in your browser, reload the page and decide again."})
			return
		}
		row = codeRow{Consent: consent, Session: q.session.ID, Redirect: q.Redirect, Challenge: q.Challenge, Expires: guard.Stamp{Time: s.o.Now().Add(codeLife)}}
		answer, detail = url.Values{"code": {page.NewHandle()}}, "given "+consent.words()
	}
	shown, _ := destination(q.Redirect)
	event := s.event(guard.KindConsent, q.session.Person.Caller, detail+" at "+shown)
	err := s.o.Store.ChangeStates(r.Context(), func(tx guard.StateTx) error {
		name := digest("request", q.handle)
		if ok, err := tx.State(guard.OnceState, name, &question{}); err != nil || !ok {
			return cmp.Or(err, error(&failure{text: "The request is answered already."}))
		}
		if err := tx.Remove(guard.OnceState, name, event); err != nil || row.ID == "" {
			return err
		}
		if err := s.met(tx, q.Client, event.Caller); err != nil {
			return err
		}
		return tx.Put(guard.OnceState, digest("code", answer.Get("code")), row)
	})
	if err != nil {
		s.sendBack(w, err)
		return
	}
	page.ClearCookie(w, cookieOf(q.handle))
	s.answer(w, q.Redirect, q.State, answer)
}

// narrowed is what the person allows: what was offered, and of that no more than the
// form says.
func (s *Server) narrowed(ctx context.Context, q question, form url.Values) (Consent, error) {
	c, reach, err := s.offered(ctx, q)
	switch {
	case err != nil:
		return c, err
	case form.Get("shown") != c.shown():
		return c, problems.New(problems.CodeInvalidArgument, "What you may allow has changed since the page was shown.")
	case form.Has("read_only"):
		c.Scopes = xslices.Filter(c.Scopes, func(scope access.Scope) bool { return scope == access.ScopeRead })
	}
	if form.Has("today") {
		c.reach(reach)
	}
	if text := form.Get("tenants"); strings.TrimSpace(text) != "" {
		if reach, err = named(reach, text); err != nil {
			return c, err
		}
		c.reach(reach)
	}
	c.ID = "fm_" + page.NewHandle()[:12]
	return c, nil
}

// named returns the customers to which a person narrows a consent.
func named(reach []Customer, text string) (found []Customer, err error) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		place := slices.IndexFunc(reach, func(one Customer) bool { return strings.EqualFold(one.Name, name) })
		if place < 0 {
			return nil, problems.New(problems.CodeUnknownTenant, fmt.Sprintf("There is no customer %s among those that you reach.", untrusted.Shown(name)))
		}
		found = append(found, reach[place])
	}
	if found == nil { // somebody who meant to narrow must not give all
		return nil, problems.New(problems.CodeUnknownTenant, "The list of customers names none.")
	}
	return found, nil
}

// met records a client that a person allows something for the first time, and when it
// was used last.
func (s *Server) met(tx guard.StateTx, client Client, by access.Caller) error {
	known := Client{ID: client.ID, Kind: ByDocument, Name: client.Name, AddedAt: s.o.Now()}
	ok, err := tx.State(guard.ClientState, client.ID, &known)
	if err != nil || !ok && client.Kind != ByDocument { // one that was removed meanwhile
		return err
	}
	var events []guard.Event
	if known.UsedAt.IsZero() {
		events = append(events, s.event(guard.KindClient, by, "met "+client.ID+", "+client.Shown()))
	}
	if known.UsedAt = s.o.Now(); known.Kind != ByOperator {
		known.Expires.Time = known.UsedAt.Add(idleFor)
	}
	return tx.Put(guard.ClientState, client.ID, known, events...)
}
