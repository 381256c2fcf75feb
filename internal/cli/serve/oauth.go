package serve

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/auth"
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
}

func (o *oauthOptions) add(flags *pflag.FlagSet) {
	flags.Var(&o.issuers, "oidc-issuer", "accept access tokens of these OpenID Connect issuers: `URLS` as in the claim iss, separated by commas; for Entra ID one per tenant")
	flags.Var(&o.audiences, "oidc-audience", "audience `NAMES` of this server in access tokens, separated by commas")
	cmdutil.AddAuthorities(flags, &o.caFile, "oidc-ca-file", "trust only the certificate authorities in this `FILE` for issuers")
	flags.StringVar(&o.publicURL, "public-url", "", "the `URL` under which clients reach the server, such as https://partner.example.com")
	config.Standing(flags, "oidc-issuer", "oidc-audience", "oidc-ca-file", "public-url")
}

func (o *oauthOptions) given() bool { return len(o.issuers) > 0 }

// checkOAuth refuses flags that belong together and are not.
func (o *httpOptions) checkOAuth() error {
	switch a := &o.oauth; {
	case !a.given() && (len(a.audiences) > 0 || a.caFile != ""):
		return exit.Usage("give --oidc-issuer too", "--oidc-audience and --oidc-ca-file are for access tokens of an issuer")
	case !a.given():
		return o.oauth.checkPublicURL()
	case len(a.audiences) == 0:
		return exit.Usage("give --oidc-audience NAME: for Entra ID the application ID of this server's registration",
			"--oidc-issuer needs --oidc-audience, so that tokens for other servers are refused")
	case o.noAuth:
		return exit.Usage("leave one of them out", "--insecure-no-auth and --oidc-issuer cannot be combined")
	case a.publicURL == "" && o.behindProxy:
		return exit.Usage("give --public-url https://partner.example.com", "behind a proxy the server needs the address that clients use")
	}
	return o.oauth.checkPublicURL()
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

// verifier is nil where no issuer is given. It is made without reaching one, so
// that the server starts while an issuer is down.
func verifier(deps *cmdutil.Deps, a *app.App, o *oauthOptions) (*auth.Authenticator, error) {
	if !o.given() {
		if len(deps.Config.Callers.Grants) > 0 {
			deps.Log.Warn("the section callers of the config file has no effect without --oidc-issuer")
		}
		return nil, nil
	}
	ca, err := app.ReadAuthorities("--oidc-ca-file", o.caFile)
	if err != nil {
		return nil, err
	}
	verifier, err := auth.New(auth.Options{
		Issuers: o.issuers, Audiences: o.audiences, CAPEM: ca, Mapping: deps.Config.Callers, Logger: deps.Log,
		Declaring: a.DeclaringIssuers(), OnDeclared: a.KeepDeclaringIssuer,
	})
	if err != nil {
		return nil, exit.Usage("correct --oidc-issuer, --oidc-audience, --oidc-ca-file or the section callers of the config file", "access tokens cannot be verified: %s", err)
	}
	_ = verifier.Ready(context.Background()) // loads the keys before the first token needs them
	return verifier, nil
}

// issuersCheck is what /readyz says of the issuers, if there are any.
func issuersCheck(verifier *auth.Authenticator) []server.Check {
	if verifier == nil {
		return nil
	}
	return []server.Check{{Name: "oidc", Run: verifier.Ready}}
}
