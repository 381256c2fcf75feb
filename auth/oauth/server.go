package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"mcp-partner/access"
	"mcp-partner/auth/users"
	"mcp-partner/guard"
	"mcp-partner/internal/flight"
	"mcp-partner/internal/untrusted"
)

// The paths that the server answers.
const (
	MetadataPath = "/.well-known/oauth-authorization-server"
	continuePath = "/oauth/continue"
	consentPath  = "/oauth/consent"
)

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// The errors of RFC 6749 that are used in more than one place.
const (
	errRequest = "invalid_request"
	errClient  = "invalid_client"
	errGrant   = "invalid_grant"
	errScope   = "invalid_scope"
	errTarget  = "invalid_target"
	errDenied  = "access_denied"
	errBusy    = "temporarily_unavailable"
)

// People is who signs people in and knows what they may do.
type People interface {
	// Session returns the live session of a browser.
	Session(r *http.Request) (users.Session, bool)
	// Begin sends a browser to sign in, and then to next, a path of this server.
	Begin(w http.ResponseWriter, r *http.Request, next string)
	// Grant returns what a person may do now of the wanted scopes. A problem says that
	// the person may not do anything any more.
	Grant(ctx context.Context, p users.Person, wanted []access.Scope) (access.Grant, error)
	// Renew asks again who a person is, where they signed in. The bytes are Upstream of
	// the session, or what the last Renew returned. A CodeTokenRefused problem says that
	// they are not let in any more; other errors say that this is not known now.
	Renew(ctx context.Context, p users.Person, upstream []byte) (users.Person, []byte, error)
}

// Customer is a tenant of the directory.
type Customer struct{ Name, TenantID string }

// Options configure the server.
type Options struct {
	Store guard.StateStore
	// PublicURL is the server's address as clients know it, without a path: also the
	// issuer in its metadata.
	PublicURL string
	People    People
	// HTTP fetches metadata documents of clients: it refuses private addresses, but for
	// AllowPrivate, and follows no redirect.
	HTTP         *http.Client
	AllowPrivate []netip.Prefix
	// Redirects are the redirect URIs that clients may have; nil means KnownRedirects.
	Redirects []string
	// Registration lets clients register by themselves.
	Registration bool
	// Bounds are those of the operator.
	Bounds access.Bounds
	// Reach returns the customers that a grant reaches, by name, and TenantID the tenant
	// ID of one; "" if there is none.
	Reach    func(access.Grant) ([]Customer, error)
	TenantID func(name string) string
	Now      func() time.Time
	Log      *slog.Logger
}

// Server is the authorization server. It is safe for concurrent use, and several
// processes may share its store.
type Server struct {
	o Options
	// resource is the URL of MCP, for which all tokens are.
	resource  string
	mux       *http.ServeMux
	redirects policy
	own       *url.URL // PublicURL
	known     *lru.Cache[string, document]
	foreign   *http.CrossOriginProtection
	// registrations and requests are bounded by the address that asks, exchanges by that
	// and by the client, fetches by the host of a document, rotations by the consent that
	// is refreshed, and notes are entries of what anybody can cause.
	registrations, requests, exchanges, fetches, rotations, notes *users.Limiter
	refreshes                                                     *flight.Group[string, issued]
	decoded                                                       *lru.Cache[string, decoded]
}

// New makes a server, or says which options cannot be meant.
func New(o Options) (*Server, error) {
	at, err := url.Parse(o.PublicURL)
	if err != nil || at.Host == "" || at.Path != "" {
		return nil, errors.New("the public URL is not one such as https://partner.example.com")
	}
	if o.Redirects == nil {
		o.Redirects = KnownRedirects()
	}
	if err := CheckRedirects(o.Redirects); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	known, _ := lru.New[string, document](maxDocuments) // fails for a size below 1 alone
	families, _ := lru.New[string, decoded](maxDecoded)
	s := &Server{
		decoded: families,
		o:       o, resource: o.PublicURL + "/mcp", redirects: o.Redirects, own: at, known: known, foreign: http.NewCrossOriginProtection(),
		registrations: users.NewLimiter(time.Minute, 20, 10, o.Now),
		requests:      users.NewLimiter(time.Second, 30, 10, o.Now),
		exchanges:     users.NewLimiter(100*time.Millisecond, 300, 10, o.Now),
		fetches:       users.NewLimiter(10*time.Second, 10, 10, o.Now),
		rotations:     users.NewLimiter(time.Second, 100, 10, o.Now),
		notes:         users.NewLimiter(time.Minute, 1, 10, o.Now),
		refreshes:     flight.New[string, issued](context.Background(), refreshWithin),
	}
	s.mux = s.routes()
	return s, nil
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	open := func(method, path string, handler http.HandlerFunc) {
		mux.HandleFunc(method+" "+path, shared(handler))
		mux.HandleFunc("OPTIONS "+path, shared(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	}
	open("GET", MetadataPath, s.serveMetadata)
	open("GET", MetadataPath+"/mcp", s.serveMetadata)
	open("POST", "/oauth/token", s.token)
	open("POST", "/oauth/revoke", s.revoke)
	if s.o.Registration {
		open("POST", "/oauth/register", s.register)
	}
	mux.HandleFunc("GET /oauth/authorize", s.authorize)
	mux.HandleFunc("POST /oauth/authorize", s.authorize)
	mux.HandleFunc("POST "+continuePath, s.proceed)
	mux.HandleFunc("GET "+consentPath, s.consent)
	mux.HandleFunc("POST "+consentPath, s.consent)
	return mux
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

// shared lets clients that run in a browser ask. No cookie goes with what they ask, and
// none decides there.
func shared(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version")
		header.Set("Access-Control-Expose-Headers", "WWW-Authenticate")
		handler(w, r)
	}
}

func authMethods() []string { return []string{authNone, authBasic, authPost} }

// serveMetadata answers with the metadata of RFC 8414.
func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	answer := map[string]any{
		"issuer":                                         s.o.PublicURL,
		"authorization_endpoint":                         s.o.PublicURL + "/oauth/authorize",
		"token_endpoint":                                 s.o.PublicURL + "/oauth/token",
		"revocation_endpoint":                            s.o.PublicURL + "/oauth/revoke",
		"scopes_supported":                               offeredScopes(),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{grantCode, grantRefresh},
		"token_endpoint_auth_methods_supported":          authMethods(),
		"revocation_endpoint_auth_methods_supported":     authMethods(),
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"client_id_metadata_document_supported":          true,
	}
	if s.o.Registration {
		answer["registration_endpoint"] = s.o.PublicURL + "/oauth/register"
	}
	s.reply(w, http.StatusOK, answer, nil)
}

// offeredScopes leaves out the scopes to approve and to see metrics: a client that asks
// for all that is offered must not get them.
func offeredScopes() []access.Scope {
	return slices.DeleteFunc(access.Scopes(), func(scope access.Scope) bool { return !scope.OfTools() })
}

// Metadata returns the protected resource metadata (RFC 9728) of MCP at a URL.
func (s *Server) Metadata(resource string) []byte {
	text, _ := json.Marshal(map[string]any{ // strings always encode
		"resource": resource, "resource_name": "Partner Admin Link", "authorization_servers": []string{s.o.PublicURL},
		"scopes_supported": offeredScopes(), "bearer_methods_supported": []string{"header"},
	})
	return text
}

// ScopeName returns what a client asks for in order to get a scope.
func (s *Server) ScopeName(scope access.Scope) string { return string(scope) }

func (s *Server) event(kind guard.EventKind, caller access.Caller, detail string) guard.Event {
	return eventOf(s.o.Now(), kind, caller, detail)
}

func eventOf(now time.Time, kind guard.EventKind, caller access.Caller, detail string) guard.Event {
	return guard.Event{Time: now, Kind: kind, Intent: guard.Intent{Caller: caller}, Detail: detail}
}

// held refuses what is done too often for a key.
func (s *Server) held(ctx context.Context, l *users.Limiter, key, text string) error {
	if l.Allow(key) {
		return nil
	}
	s.note(ctx, "held back", "held back "+key+": "+text)
	return &failure{status: http.StatusTooManyRequests, code: errBusy, text: text + " Try again in a minute."}
}

// note records what anybody can cause: once a minute, with the number of the others.
func (s *Server) note(ctx context.Context, what, detail string) {
	detail, ok := s.notes.Note(what, detail)
	if !ok {
		return
	}
	ctx = context.WithoutCancel(ctx) // who leaves before it is recorded as well
	if _, err := s.o.Store.Append(ctx, s.event(guard.KindClient, "", detail)); err != nil {
		s.o.Log.Warn("an entry could not be recorded", "reason", err.Error())
	}
}

// failure is a refusal in the terms of OAuth, with a text in our own words.
type failure struct {
	// status is that of an answer which is no redirect; 0 means 400.
	status     int
	code, text string
	// redirect is a checked redirect URI that the refusal may go to, with state; "" where
	// none may be used.
	redirect, state string
}

func (f *failure) Error() string { return f.text }

// refusalOf is what is said of an error: one that is no failure is of the store, or of
// an issuer, that does not answer.
func (s *Server) refusalOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	s.o.Log.Error("The authorization server cannot answer", "reason", err.Error())
	return &failure{status: http.StatusServiceUnavailable, code: errBusy, text: "This server cannot answer now. Try again in a minute."}
}

// reply answers a client with JSON.
func (s *Server) reply(w http.ResponseWriter, status int, answer any, err error) {
	header := w.Header()
	if err != nil {
		f := s.refusalOf(err)
		status, answer = cmp.Or(f.status, http.StatusBadRequest), map[string]string{"error": f.code, "error_description": f.text}
	}
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		header.Set("Retry-After", "60")
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Basic realm="oauth"`)
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a client that went away needs no answer
}

// single reads parameters of which each is there once at most: two readers of a
// repeated one may take different values.
func single(text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, errors.New("the parameters are not URL-encoded")
	}
	for name, all := range values {
		if len(all) > 1 {
			return nil, fmt.Errorf("the parameter %s appears twice", untrusted.Shown(name))
		}
		if len(all[0]) > maxURI && name != requestField {
			return nil, fmt.Errorf("the parameter %s is longer than %d bytes", untrusted.Shown(name), maxURI)
		}
	}
	return values, nil
}
