package users

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/page"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// CallbackPath is where the issuer sends a browser back: PublicURL with it is the one
// redirect URI of this server at the issuer.
const CallbackPath = "/signin/callback"

// Paths are those that a SignIn answers.
func Paths() []string {
	return []string{"/signin", "/signin/issuer", CallbackPath, "/signin/passkey/begin", "/signin/passkey/finish", "/invite", "/signout", "/account"}
}

// Options are what signing in needs.
type Options struct {
	Store guard.StateStore
	// PublicURL is where browsers reach this server: scheme, host and port alone.
	PublicURL string
	// Upstream is the issuer where people sign in; nil if they are users of this server.
	Upstream *auth.Upstream
	// Sealer seals the issuer's refresh tokens; it goes with Upstream.
	Sealer Sealer
	Logger *slog.Logger
	// Now defaults to time.Now.
	Now func() time.Time
}

// Sealer encrypts what only this server may read again.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Clients is what people allowed MCP clients, which their account page shows.
type Clients interface {
	// Families returns what a person allowed and what still holds.
	Families(ctx context.Context, of access.Caller) ([]Family, error)
	// EndFamily ends one of a person's; one of somebody else is not there.
	EndFamily(ctx context.Context, of access.Caller, id string) error
}

// Family is what a person allowed a client.
type Family struct {
	// Host is that of the client's ID, or the name of a registered one.
	ID, Host string
	Scopes   []access.Scope
	// Customers is what the person was told of those that the client reaches.
	Customers string
	Since     time.Time
	Until     time.Time
}

// SignIn signs people in, and answers the requests of their browsers.
type SignIn struct {
	o    Options
	host string
	// addresses and accounts bound attempts, and refusals the entries about them.
	addresses, accounts, refusals *Limiter
	passkeys                      *webauthn.WebAuthn
	handler                       http.Handler
	clients                       Clients
	console                       string
}

// New makes a SignIn. It contacts nobody.
func New(o Options) (*SignIn, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	at, err := url.Parse(o.PublicURL)
	if err != nil || at.Host == "" || at.Scheme+"://"+at.Host != o.PublicURL {
		return nil, fmt.Errorf("%q is not a public URL of scheme and host such as https://partner.example.com", untrusted.Sanitize(o.PublicURL))
	}
	s := &SignIn{
		o: o, host: at.Host,
		addresses: NewLimiter(time.Second, 60, 10, o.Now), // behind one may be a whole office
		accounts:  NewLimiter(30*time.Second, 10, 10, o.Now),
		refusals:  NewLimiter(time.Minute, 1, 60, o.Now),
	}
	if s.passkeys, err = newPasskeys(o.PublicURL, at.Hostname()); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	return s, nil
}

// ShowClients sets what the account page shows of clients. It is called before the
// first request.
func (s *SignIn) ShowClients(c Clients) { s.clients = c }

// InvitationLink is where the handle of an invitation is used. A browser sends a fragment
// to nobody.
func (s *SignIn) InvitationLink(handle string) string { return s.o.PublicURL + "/invite#" + handle }

// ShowConsole sets the path of the console, to which the account page leads. It is called
// before the first request.
func (s *SignIn) ShowConsole(path string) { s.console = path }

// ServeHTTP implements http.Handler.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *SignIn) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signin", s.showSignIn)
	mux.HandleFunc("POST /signin/issuer", s.attempt(s.toIssuer))
	mux.HandleFunc("GET "+CallbackPath, s.attempt(s.fromIssuer))
	mux.HandleFunc("POST /signin/passkey/begin", s.attempt(s.beginPasskey))
	mux.HandleFunc("POST /signin/passkey/finish", s.attempt(s.finishPasskey))
	mux.HandleFunc("GET /invite", s.showInvitation)
	mux.HandleFunc("POST /invite", s.attempt(s.enrol))
	mux.HandleFunc("GET /signout", s.signedIn(s.showSignOut))
	mux.HandleFunc("POST /signout", s.signedIn(s.signOut))
	mux.HandleFunc("GET /account", s.signedIn(s.showAccount))
	mux.HandleFunc("POST /account", s.signedIn(s.changeAccount))
	guarded := http.NewCrossOriginProtection()
	guarded.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { foreignForm(w) }))
	return guarded.Handler(mux)
}

func foreignForm(w http.ResponseWriter) {
	page.Page{Status: http.StatusForbidden, Title: "Not from this page", Body: []page.Node{
		page.P("The form was sent from another page than this server's, or the page is too old. Go back, reload the page and try again."),
	}}.Write(w)
}

// Begin sends a browser to sign in, and then to next, a path of this server.
func (s *SignIn) Begin(w http.ResponseWriter, r *http.Request, next string) {
	http.Redirect(w, r, "/signin?next="+url.QueryEscape(ownPath(next)), http.StatusSeeOther)
}

// ownPath returns a path of this server, or that of the account page for anything that
// a browser may take for another server's.
func ownPath(next string) string {
	at, err := url.Parse(next)
	if err != nil || at.Scheme != "" || at.Host != "" || at.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r > '~' }) {
		return "/account"
	}
	return next
}

func (s *SignIn) showSignIn(w http.ResponseWriter, r *http.Request) {
	token, next := page.FormToken(w, r), page.Hidden("next", ownPath(r.URL.Query().Get("next")))
	shown := page.Page{Title: "Sign in", Script: passkeyScript}
	if s.o.Upstream != nil {
		fresh := page.Hidden("fresh", r.URL.Query().Get("fresh"))
		shown.Body = []page.Node{page.Form("/signin/issuer", token, next, fresh,
			page.Button("how", "", "Sign in with "+s.o.Upstream.Host(), true),
			page.Button("how", "choose", "Use another account", false)), page.Heading("Users of this server")}
	}
	shown.Body = append(shown.Body, page.Form("/signin/passkey/finish", token, next, page.Attr("data-begin", "/signin/passkey/begin"),
		page.PasskeyButton("how", "passkey", "Use a passkey", true), page.Status(needsScript)))
	shown.Write(w)
}

// Grant returns what a person may do now of the scopes that are wanted; it is a problem
// if the person is nobody here any more.
func (s *SignIn) Grant(ctx context.Context, p Person, wanted []access.Scope) (access.Grant, error) {
	name, local := strings.CutPrefix(string(p.Caller), userKind)
	if !local && s.o.Upstream != nil {
		return s.o.Upstream.GrantTo(p.Claims, wanted)
	}
	if err := s.check(ctx, p); err != nil {
		return access.Grant{}, err
	}
	user, _, err := userNamed(s.reader(ctx), name)
	grant := user.Grant
	grant.Scopes = xslices.Filter(wanted, user.Grant.Has)
	return grant, err
}

// check refuses a person who is not signed in any more.
func (s *SignIn) check(ctx context.Context, p Person) error {
	stands, err := s.stands(s.reader(ctx), p)
	if err == nil && !stands {
		err = gone()
	}
	return err
}

func gone() error {
	return problems.New(problems.CodeTokenRefused, "The person behind the token is not signed in any more.", problems.WithHint("Sign in again."))
}

func (s *SignIn) event(kind guard.EventKind, of access.Caller, detail string) guard.Event {
	return guard.Event{Time: s.o.Now(), Kind: kind, Intent: guard.Intent{Caller: of}, Detail: detail}
}
