package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
)

// requestField carries the parameters of a request from the first page to the next.
const requestField = "request"

// maxState bounds the state of a client, which goes back to it as it came.
const maxState = 1024

// asked is a request for authorization that may be put to a person.
type asked struct {
	Client    Client         `json:"client"`
	Redirect  string         `json:"redirect"`
	State     string         `json:"state,omitempty"`
	Challenge string         `json:"challenge"`
	Scopes    []access.Scope `json:"scopes"`
}

// authorize answers a client's request with a page, even where the person is already
// signed in.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	text := r.URL.RawQuery
	var err error
	if r.Method == http.MethodPost {
		if text, err = readBody(r); err != nil {
			s.sendBack(w, &failure{text: "The request cannot be read: " + err.Error() + "."})
			return
		}
	}
	request, err := s.read(r, text)
	if err != nil {
		s.sendBack(w, err)
		return
	}
	if _, ok := s.o.People.Session(r); ok {
		s.ask(w, r, request)
		return
	}
	s.showStart(w, r, text, request)
}

// read reads a request for authorization and finds its client.
func (s *Server) read(r *http.Request, text string) (asked, error) {
	if err := s.held(r.Context(), s.requests, users.AddressOf(r), "Too many requests came from this address."); err != nil {
		return asked{}, err
	}
	if len(text) > maxBody {
		return asked{}, &failure{text: fmt.Sprintf("The request is longer than %d bytes.", maxBody)}
	}
	values, err := single(text)
	if err != nil {
		return asked{}, &failure{text: "The request cannot be read: " + err.Error() + "."}
	}
	client, err := s.client(r.Context(), values.Get("client_id"))
	if err != nil {
		return asked{}, err
	}
	redirect := values.Get("redirect_uri")
	switch {
	case !client.takes(redirect):
		return asked{}, &failure{text: "The client gave the redirect URI " + untrusted.Shown(redirect) + ", which is not one of its own. The request may come from somebody else."}
	case client.Kind != ByOperator && !s.redirects.allows(redirect):
		return asked{}, &failure{text: "Clients at the redirect URI " + untrusted.Shown(redirect) + " are not allowed here. The operator can add it to oauth.redirects in the configuration, or add the client with mcp-partner clients add."}
	}
	request := asked{Client: client, Redirect: redirect, State: values.Get("state"), Challenge: values.Get("code_challenge")}
	if refused := s.checkRequest(values); refused != nil {
		refused.redirect, refused.state = redirect, request.State
		return asked{}, refused
	}
	request.Scopes = wantedScopes(values.Get("scope"))
	return request, nil
}

// checkRequest refuses what the client can be told of at its redirect URI.
func (s *Server) checkRequest(values url.Values) *failure {
	refuse := func(code, text string) *failure { return &failure{code: code, text: text} }
	switch {
	case len(values.Get("state")) > maxState:
		return refuse(errRequest, fmt.Sprintf("state is longer than %d bytes", maxState))
	case values.Get("response_type") != "code":
		return refuse("unsupported_response_type", "response_type is not code")
	case values.Has("response_mode") && values.Get("response_mode") != "query":
		return refuse(errRequest, "response_mode is not query")
	case values.Has("request") || values.Has("request_uri"):
		return refuse("request_not_supported", "request objects are not supported")
	case values.Get("code_challenge_method") != "S256" || !challengeForm().MatchString(values.Get("code_challenge")):
		return refuse(errRequest, "PKCE with S256 is required: code_challenge_method S256 and a code_challenge of 43 characters")
	case !s.isResource(values):
		return refuse(errTarget, "resource is not "+s.resource)
	}
	return nil
}

// isResource reports whether tokens are asked for this server (RFC 8707). It has one
// resource, which is meant where none is named.
func (s *Server) isResource(values url.Values) bool {
	return !values.Has("resource") || strings.TrimSuffix(values.Get("resource"), "/") == s.resource
}

// wantedScopes are the scopes of a request that this server knows. A client that names
// none of them begins with reading, and asks again where it needs more.
func wantedScopes(text string) []access.Scope {
	words := strings.Fields(text)
	wanted := xslices.Filter(access.Scopes(), func(scope access.Scope) bool { return slices.Contains(words, string(scope)) })
	if len(wanted) == 0 {
		return []access.Scope{access.ScopeRead}
	}
	return wanted
}

// client finds a client by its ID.
func (s *Server) client(ctx context.Context, id string) (Client, error) {
	if isDocument(id) {
		client, err := s.findDocument(ctx, id)
		if err != nil {
			return Client{}, &failure{code: errClient, text: "The client cannot be trusted: " + err.Error() + "."}
		}
		return client, nil
	}
	client, ok, err := s.stored(ctx, id)
	switch {
	case err != nil:
		return Client{}, err
	case !ok:
		return Client{}, &failure{code: errClient, text: "No client has the ID " + untrusted.Shown(id) + ". It was removed, or expired. Remove this server from the client and add it again."}
	}
	return client, nil
}

// stored returns a client that registered or was added, unless it has expired.
func (s *Server) stored(ctx context.Context, id string) (client Client, ok bool, err error) {
	if id == "" || len(id) > maxClientID || isDocument(id) {
		return client, false, nil
	}
	ok, err = s.o.Store.State(ctx, guard.ClientState, id, &client)
	return client, ok && client.live(s.o.Now()), err
}

// sendBack tells the client of a refusal where its redirect URI is known to be its own,
// and else the person.
func (s *Server) sendBack(w http.ResponseWriter, err error) {
	f := s.refusalOf(err)
	if f.redirect == "" {
		page.Page{Status: max(f.status, http.StatusBadRequest), Title: "This request cannot go on", Body: []page.Node{
			page.Line(page.Untrusted(f.text)), page.P("Nothing was allowed. Close this window and start again in your client."),
		}}.Write(w)
		return
	}
	s.answer(w, f.redirect, f.state, url.Values{"error": {f.code}, "error_description": {f.text}})
}

// answer sends a browser back to the client, with the issuer beside the answer (RFC 9207).
func (s *Server) answer(w http.ResponseWriter, redirect, state string, answer url.Values) {
	answer.Set("iss", s.o.PublicURL)
	if state != "" {
		answer.Set("state", state)
	}
	mark := "?"
	if strings.Contains(redirect, "?") {
		mark = "&"
	}
	w.Header().Set("Location", redirect+mark+answer.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// showStart is the page before anybody signs in: nothing is asked of an issuer, and
// nothing is kept, before its button is pressed.
func (s *Server) showStart(w http.ResponseWriter, r *http.Request, text string, a asked) {
	a.page(a.Client.Shown()+" wants to use Partner Admin Link", page.Heading("What it asks for"), page.List(xslices.Map(a.Scopes, inWords)...),
		page.P("Sign in to see what it would get. You decide after that."),
		page.Form(continuePath, page.FormToken(w, r), page.Hidden(requestField, text),
			page.Button("decision", "continue", "Sign in", true), page.Button("decision", "deny", "Deny", false))).Write(w)
}

// page is a page that begins with who asks, by what is checked and not by what the
// client says of itself.
func (a asked) page(title string, more ...page.Node) page.Page {
	shown, source := destination(a.Redirect)
	facts := []page.Node{page.Text("Client"), page.Strong(a.Client.Shown()), page.Text("Access goes to"), page.Strong(shown)}
	if a.Client.Name != "" && a.Client.Kind == ByDocument {
		facts = append(facts, page.Text("It calls itself"), page.Untrusted(nameShown(a.Client.Name)))
	}
	body := []page.Node{page.Facts(facts...)}
	if a.Client.localOnly() {
		body = append(body, page.Warning("Any program on this computer can pretend to be this client. Go on only if you have just started to connect it yourself."))
	} else if a.Client.Kind == ByRegistration {
		body = append(body, page.Warning("Nobody has verified the name of this client. Go on only if you know the host to which access goes."))
	}
	return page.Page{Title: title, FormTargets: []string{source}, Body: append(body, more...)}
}

// inWords says what a scope lets a client do.
func inWords(scope access.Scope) page.Node {
	return page.Text(map[access.Scope]string{
		access.ScopeRead:    "Read customers, their partner links, roles and reports",
		access.ScopeWrite:   "Link customers that have no partner link to a partner ID",
		access.ScopeChange:  "Replace and remove partner links",
		access.ScopeApprove: "Approve, in your name, what other people ask for",
		access.ScopeMetrics: "See metrics, which cover the calls of everybody",
	}[scope])
}

// proceed answers the button of the first page.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request) {
	if !s.ownForm(w, r, "") {
		return
	}
	request, err := s.read(r, r.PostForm.Get(requestField))
	switch {
	case err != nil:
		s.sendBack(w, err)
	case r.PostForm.Get("decision") != "continue":
		s.note(r.Context(), "denied", "denied to "+request.Client.Shown()+" by somebody at "+users.AddressOf(r)+" who had not signed in")
		s.answer(w, request.Redirect, request.State, url.Values{"error": {errDenied}})
	default:
		s.ask(w, r, request)
	}
}

// ownForm refuses a form that comes from another site, or from another browser.
func (s *Server) ownForm(w http.ResponseWriter, r *http.Request, token string) bool {
	if s.foreign.Check(r) == nil && page.CheckForm(w, r, token) {
		return true
	}
	s.sendBack(w, &failure{status: http.StatusForbidden, text: "The form is not from a page that this server gave to this browser, or is too old. Cookies are needed."})
	return false
}
