package app

import (
	"context"
	"net/http"
	"time"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/auth/oauth"
	"mcp-partner/auth/users"
	"mcp-partner/console"
	"mcp-partner/guard"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/page"
	"mcp-partner/schemas/problems"
	"mcp-partner/server"
	"mcp-partner/signin"
	"mcp-partner/tenants"
	"mcp-partner/tools"
)

// NewVerifier verifies tokens of issuers. It contacts none.
func (a *App) NewVerifier(issuers, audiences []string, caFile string) (*auth.Authenticator, error) {
	ca, err := ReadAuthorities("--oidc-ca-file", caFile)
	if err != nil {
		return nil, err
	}
	verifier, err := auth.New(auth.Options{
		Issuers: issuers, Audiences: audiences, CAPEM: ca, Mapping: a.settings.Config.Callers, Logger: a.settings.Log,
		Declaring: a.DeclaringIssuers(), OnDeclared: a.KeepDeclaringIssuer,
	})
	if err != nil {
		return nil, exit.Usage("correct --oidc-issuer, --oidc-audience, --oidc-ca-file or the section callers of the config file", "access tokens cannot be verified: %s", err)
	}
	return verifier, nil
}

// Pages are what browsers see of this server: where people sign in, what their clients
// are allowed, and the console.
type Pages struct {
	// Server is the authorization server; nil where clients do not sign in here.
	*oauth.Server
	people  *users.SignIn
	console http.Handler
}

var _ server.ResourceServer = (*Pages)(nil)

// NewPages makes them for a public URL. People sign in at the issuer of the verifier, or
// without one with passkeys of this server. Nobody is contacted.
func (a *App) NewPages(public, issuer string, verifier *auth.Authenticator) (*Pages, error) {
	upstream, err := a.upstream(public, issuer, verifier)
	if err != nil {
		return nil, err
	}
	people, err := users.New(users.Options{Store: a.GuardStore(), PublicURL: public, Upstream: upstream, Sealer: a.sealer(), Logger: a.settings.Log})
	if err != nil {
		return nil, exit.Usage("correct --public-url", "people cannot sign in: %s", err)
	}
	return &Pages{people: people}, nil
}

// AddAuthorization gives clients what people allow them, inside the bounds.
func (a *App) AddAuthorization(to *Pages, public string, bounds access.Bounds) error {
	s := a.settings.Config.OAuth
	client, err := httpclient.New(httpclient.Options{Getenv: a.settings.Getenv, PublicOnly: true, AllowPrivate: a.settings.Config.AllowPrivate})
	if err != nil {
		return err
	}
	to.Server, err = oauth.New(oauth.Options{
		Store: a.GuardStore(), PublicURL: public, People: to.people, HTTP: client, AllowPrivate: a.settings.Config.AllowPrivate,
		Redirects: s.Redirects, Registration: s.Registration == nil || *s.Registration, Log: a.settings.Log,
		Bounds: bounds, Reach: a.reached, TenantID: a.tenantID,
	})
	if err != nil {
		return exit.Usage("correct the section oauth of the config file", "clients cannot sign in: %s", err)
	}
	to.people.ShowClients(to.Server)
	return nil
}

// AddConsole adds the console, on which people act through a service and its guard.
func (a *App) AddConsole(to *Pages, service *tools.Service, decider *guard.Guard) {
	to.people.ShowConsole(console.Path)
	to.console = console.New(console.Options{
		Service: service, Guard: decider, Fleet: a.Fleet, Record: a.Record(), People: to.people,
		Clients: func(by access.Caller) oauth.Clients {
			return oauth.Clients{Store: a.GuardStore(), Now: time.Now, By: by}
		},
		Acknowledge: a.Acknowledge, OwnIDs: decider.Bounds().PartnerIDs, Logger: a.settings.Log,
	})
}

// upstream is this server as the issuer of people knows it, or nil where people are
// users of this server.
func (a *App) upstream(public, issuer string, verifier *auth.Authenticator) (*auth.Upstream, error) {
	s := a.settings.Config.OAuth
	switch given := s.ClientID + s.Credential + s.DomainHint; {
	case verifier == nil && given == "":
		return nil, nil
	case verifier == nil:
		return nil, exit.Usage("give --oidc-issuer URL, or take client_id, credential and domain_hint out of the section oauth", "the section oauth names a registration at an issuer, and no issuer is given")
	case s.ClientID == "" || s.Credential == "":
		return nil, exit.Usage("register this server at the issuer with the redirect URI "+public+users.CallbackPath+
			", store its secret with mcp-partner vault add signin --secret-stdin, and write into config.yaml: oauth: {client_id: ID, credential: signin}",
			"--oauth with --oidc-issuer needs oauth.client_id and oauth.credential in the config file")
	}
	upstream, err := verifier.Upstream(auth.Application{
		Issuer: issuer, ClientID: s.ClientID, RedirectURI: public + users.CallbackPath, DomainHint: s.DomainHint,
		Credential: func(ctx context.Context) (shown auth.ClientCredential, err error) {
			held, err := a.Store.Get(ctx, s.Credential)
			if err == nil {
				shown.Secret, shown.Key, shown.Certificate, err = signin.Present(held.Secret)
			}
			return shown, err
		},
	})
	if err != nil {
		return nil, exit.Usage("correct --oidc-issuer and the section oauth of the config file", "people cannot sign in: %s", err)
	}
	return upstream, nil
}

// CheckUpstream asks the issuer where people sign in for its addresses. Without one
// there is nothing to ask.
func (a *App) CheckUpstream(ctx context.Context, public, issuer, caFile string) (*auth.Upstream, error) {
	var verifier *auth.Authenticator
	var err error
	if issuer != "" {
		if verifier, err = a.NewVerifier([]string{issuer}, []string{public}, caFile); err != nil {
			return nil, err
		}
	}
	upstream, err := a.upstream(public, issuer, verifier)
	if err != nil || upstream == nil {
		return nil, err
	}
	_, err = upstream.AuthorizeURL(ctx, auth.SignInRequest{})
	return upstream, err
}

// SignInCredential describes what this server shows the issuer where people sign in.
func (a *App) SignInCredential(ctx context.Context) (tenants.CredentialConfig, error) {
	known := tenants.CredentialConfig{Name: a.settings.Config.OAuth.Credential, Kind: tenants.KindClientSecret}
	held, err := a.Store.Get(ctx, known.Name)
	if err != nil && problems.As(err).Code == problems.CodeVaultMissing {
		err = problems.New(problems.CodeVaultMissing, "The vault does not hold "+known.Name+", which oauth.credential names.",
			problems.WithCommand("Store it.", "mcp-partner vault add %s --secret-stdin", known.Name))
	}
	if about, failed := signin.CertificateOf(held.Secret); err == nil && failed == nil {
		known.Kind = tenants.KindClientCertificate
		return signin.Renewed(known, about, ""), nil
	}
	return WithEnd(known, held.ExpiresAt), err
}

// SignsInWith reports whether people sign in with the help of a secret.
func (a *App) SignsInWith(secret string) bool {
	name := a.settings.Config.OAuth.Credential
	return name != "" && naming.Same(name, secret)
}

// Paths are those of the pages.
func (p *Pages) Paths() []string {
	paths := append(users.Paths(), page.AssetPath, "/")
	if p.Server != nil {
		paths = append(paths, "/oauth/", oauth.MetadataPath, oauth.MetadataPath+"/mcp")
	}
	if p.console != nil {
		paths = append(paths, console.Path)
	}
	return paths
}

// Handler answers at Paths.
func (p *Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p.people)
	home := "/account"
	if p.Server != nil {
		mux.Handle("/oauth/", p.Server)
		mux.Handle("/.well-known/", p.Server)
	}
	if p.console != nil {
		mux.Handle(console.Path, p.console)
		home = console.Path
	}
	mux.Handle("GET /{$}", http.RedirectHandler(home, http.StatusSeeOther)) // what a person types
	mux.HandleFunc(page.AssetPath, page.ServeAsset)
	return mux
}

func (a *App) reached(grant access.Grant) (found []oauth.Customer, err error) {
	entries, err := a.Directory.List()
	for _, entry := range entries {
		if grant.AllowsTenant(entry.Name) {
			found = append(found, oauth.Customer{Name: entry.Name, TenantID: entry.TenantID})
		}
	}
	return found, err
}

func (a *App) tenantID(name string) string {
	entry, _, _ := a.Directory.Find(name) // one that cannot be read is not reached
	return entry.TenantID
}
