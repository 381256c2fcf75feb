package serve

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/access"
	"mcp-partner/auth"
	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
	"mcp-partner/server"
)

// oauthOptions say whose access tokens are accepted.
type oauthOptions struct {
	issuers, audiences cmdutil.List
	caFile, publicURL  string
	// own makes this server the authorization server of its clients; console serves the
	// console. Both have people sign in here.
	own, console bool
}

// signsIn reports whether people sign in here.
func (o *oauthOptions) signsIn() bool { return o.own || o.console }

func (o *oauthOptions) add(flags *pflag.FlagSet) {
	flags.BoolVar(&o.own, "oauth", false, "let clients sign in by the URL alone: people sign in at --oidc-issuer, or with passkeys of this server")
	flags.BoolVar(&o.console, "console", false, "serve the web console at /console/: people sign in as for --oauth, see, decide and stop")
	flags.Var(&o.issuers, "oidc-issuer", "accept access tokens of these OpenID Connect issuers: `URLS` as in the claim iss, separated by commas; for Entra ID one per tenant")
	flags.Var(&o.audiences, "oidc-audience", "audience `NAMES` of this server in access tokens, separated by commas")
	cmdutil.AddAuthorities(flags, &o.caFile, "oidc-ca-file", "trust only the certificate authorities in this `FILE` for issuers")
	flags.StringVar(&o.publicURL, "public-url", "", "the `URL` under which clients reach the server, such as https://partner.example.com")
	config.Standing(flags, "oauth", "console", "oidc-issuer", "oidc-audience", "oidc-ca-file", "public-url")
}

func (o *oauthOptions) given() bool { return len(o.issuers) > 0 }

// checkOAuth refuses flags that belong together and are not.
func (o *httpOptions) checkOAuth() error {
	switch a := &o.oauth; {
	case !a.given() && (len(a.audiences) > 0 || a.caFile != ""):
		return exit.Usage("give --oidc-issuer too", "--oidc-audience and --oidc-ca-file are for access tokens of an issuer")
	case o.noAuth && a.given():
		return exit.Usage("leave one of them out", "--insecure-no-auth and --oidc-issuer cannot be combined")
	case o.noAuth && a.signsIn():
		return exit.Usage("leave one of them out", "--insecure-no-auth cannot be combined with --oauth or --console")
	case a.signsIn():
		return o.checkOwn()
	case a.given() && len(a.audiences) == 0:
		return exit.Usage("give --oidc-audience NAME: for Entra ID the application ID of this server's registration; or --oauth for people who sign in here",
			"--oidc-issuer needs --oidc-audience, so that tokens for other servers are refused")
	case a.given() && a.publicURL == "" && o.behindProxy:
		return exit.Usage("give --public-url https://partner.example.com", "behind a proxy the server needs the address that clients use")
	}
	return o.oauth.checkPublicURL()
}

// checkOwn wants an address that browsers know, with a name: passkeys and cookies are
// bound to it.
func (o *httpOptions) checkOwn() error {
	a := &o.oauth
	switch {
	case len(a.issuers) > 1:
		return exit.Usage("give the one at which people sign in", "--oauth and --console take one --oidc-issuer")
	case a.publicURL == "" && (!o.onLoopback() || o.behindProxy || len(o.allowedHosts) > 0):
		return exit.Usage("give --public-url https://partner.example.com", "--oauth and --console need the address that clients and browsers use")
	}
	if err := a.checkPublicURL(); err != nil {
		return err
	}
	if at, err := url.Parse(a.publicURL); err == nil && net.ParseIP(at.Hostname()) != nil {
		return exit.Usage("write it as https://partner.example.com, or http://localhost:8080 on this machine",
			"--public-url has an address in place of a name, to which browsers bind no passkey")
	}
	return nil
}

// locate derives the public address on this machine, once the port is known.
func (o *httpOptions) locate(bound net.Addr) {
	if o.oauth.signsIn() && o.oauth.publicURL == "" {
		o.oauth.publicURL = o.scheme() + "://" + net.JoinHostPort("localhost", strconv.Itoa(bound.(*net.TCPAddr).Port))
	}
}

// checkPublicURL wants what is served: MCP is at /mcp, and the metadata beside
// it at the root.
func (o *oauthOptions) checkPublicURL() error {
	if o.publicURL == "" {
		return nil
	}
	at, err := url.Parse(o.publicURL)
	if err != nil || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" || at.ForceQuery || strings.TrimSuffix(at.Path, "/") != "" && at.Path != mcpPath {
		return exit.Usage("write it as https://partner.example.com", "--public-url is no URL of a server without a path, or with "+mcpPath)
	}
	if at.Scheme == "https" || at.Scheme == "http" && httpclient.IsLoopback(at.Hostname()) {
		return nil
	}
	return exit.Usage("write it as https://partner.example.com", "--public-url must begin with https://, because tokens are sent there")
}

// public is the address without a path, or "".
func (o *oauthOptions) public() string {
	at, err := url.Parse(o.publicURL)
	if err != nil || o.publicURL == "" {
		return ""
	}
	return at.Scheme + "://" + at.Host
}

// publicHosts are the names that the public address adds to those under which
// the server answers.
func (o *oauthOptions) publicHosts() []string {
	if at, err := url.Parse(o.publicURL); err == nil && at.Host != "" {
		return []string{at.Hostname()}
	}
	return nil
}

// isLocal reports whether the server is for this machine alone, where people are not
// sent elsewhere to sign in.
func (o *httpOptions) isLocal() bool {
	public, err := url.Parse(o.oauth.publicURL)
	return o.onLoopback() && !o.behindProxy && (!o.oauth.given() || o.oauth.signsIn()) &&
		(!o.oauth.signsIn() || err == nil && httpclient.IsLoopback(public.Hostname()))
}

// callers are those with access tokens: of an issuer, of this server, or both.
type callers struct {
	verifier *auth.Authenticator
	// pages are nil where no people sign in.
	pages *app.Pages
}

// findCallers contacts nobody, so that the server starts while an issuer is down.
func findCallers(deps *cmdutil.Deps, a *app.App, from *httpOptions, bounds access.Bounds) (c callers, err error) {
	if from.address == "" {
		return c, nil
	}
	o := &from.oauth
	if c.verifier, err = verifier(deps, a, o); err != nil {
		return c, err
	}
	deps.WatchCallers(c.verifier)
	if !o.signsIn() {
		return c, nil
	}
	// Nobody can sign in without the record, so that a server without one does not start.
	if _, err = a.GuardStore().State(context.Background(), guard.UserState, "", &struct{}{}); err != nil {
		return c, err
	}
	c.pages, err = a.NewPages(o.public(), strings.Join(o.issuers, ""), c.verifier)
	if err == nil && o.own {
		err = a.AddAuthorization(c.pages, o.public(), bounds)
	}
	return c, err
}

// standing is nil where no tokens follow from a consent.
func (c callers) standing() func(context.Context, guard.Token) (access.Grant, error) {
	if c.pages == nil || c.pages.Server == nil {
		return nil
	}
	return c.pages.Standing
}

// admit lets them in. Access tokens of the issuer where people sign in count only for
// an audience that is given.
func (c callers) admit(options *server.HTTPOptions, o *oauthOptions) {
	if len(o.audiences) > 0 {
		options.OAuth, options.Bearer = c.verifier, server.Authenticators{c.verifier}
	}
	if c.pages != nil {
		options.Pages, options.PagePaths = c.pages.Handler(), c.pages.Paths()
		if c.pages.Server != nil {
			options.OAuth = c.pages
		}
	}
}

// checks are what /readyz says of the issuers, if there are any.
func (c callers) checks() []server.Check {
	if c.verifier == nil {
		return nil
	}
	return []server.Check{{Name: "oidc", Run: c.verifier.Ready}}
}

// verifier is nil where no issuer is given.
func verifier(deps *cmdutil.Deps, a *app.App, o *oauthOptions) (*auth.Authenticator, error) {
	if !o.given() {
		if len(deps.Config.Callers.Grants) > 0 {
			deps.Log.Warn("the section callers of the config file has no effect without --oidc-issuer")
		}
		return nil, nil
	}
	audiences := []string(o.audiences)
	if len(audiences) == 0 {
		audiences = []string{o.public() + mcpPath} // people sign in there, and none of its access tokens is taken
	}
	verifier, err := a.NewVerifier(o.issuers, audiences, o.caFile)
	if err != nil {
		return nil, err
	}
	_ = verifier.Ready(context.Background()) // loads the keys before the first token needs them
	return verifier, nil
}
