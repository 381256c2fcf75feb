package doctor

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"time"

	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
)

// checkPeople looks at what serve --oauth needs, where it is switched on by the
// environment or the config file.
func checkPeople(ctx context.Context, deps *cmdutil.Deps, a *app.App) []check {
	setting := func(name string) string {
		return cmp.Or(deps.Getenv(config.EnvName(name)), deps.Config.Value(name))
	}
	if setting("oauth") != "true" {
		return nil
	}
	public, issuer := setting("public-url"), setting("oidc-issuer")
	checks := []check{checkPublicURL(public)}
	upstream, err := a.CheckUpstream(ctx, public, issuer, setting("oidc-ca-file"))
	if err != nil {
		fix := "mcp-partner serve --help"
		if problems.As(err).Code == problems.CodeSignInUnavailable {
			fix = "curl -sS " + phrase.ShellWord(issuer+"/.well-known/openid-configuration")
		}
		return append(checks, failedCheck("sign-in", err, fix))
	}
	if issuer == "" {
		return append(checks, check{"sign-in", checkOK, "People sign in with passkeys of this server.", ""})
	}
	checks = append(checks, check{"sign-in", checkOK, "People sign in at " + issuer + ".", ""})
	credential, err := a.SignInCredential(ctx)
	if err == nil {
		err = upstream.CheckCredential(ctx)
	}
	if err != nil {
		return append(checks, failedCheck("sign-in credential", err, "mcp-partner vault status"))
	}
	ends := checkExpiry(credential, nil, time.Now())
	for i := range ends {
		ends[i].Fix = map[bool]string{true: "store the new one with mcp-partner vault add " + phrase.ShellWord(credential.Name+"-2") + ", and name it in oauth.credential"}[ends[i].Status != checkOK]
	}
	return append(checks, ends...)
}

// checkPublicURL says to which name passkeys and cookies are bound.
func checkPublicURL(public string) check {
	const name = "public URL"
	at, err := url.Parse(public)
	switch {
	case public == "":
		return check{name, CheckWarn, "No public-url is set, so clients sign in on this machine only.", "mcp-partner serve --public-url https://partner.example.com --help"}
	case err != nil || at.Host == "" || at.Scheme != "https" && !httpclient.IsLoopback(at.Hostname()):
		return check{name, CheckFail, "Clients sign in only over https, and public-url is another URL.", "mcp-partner serve --help"}
	case net.ParseIP(at.Hostname()) != nil:
		return check{name, CheckFail, "public-url has an address in place of a name, to which browsers bind no passkey.", "mcp-partner serve --help"}
	}
	return check{name, checkOK, "Clients sign in at " + at.Scheme + "://" + at.Host + "/mcp; passkeys are bound to " + at.Hostname() + ".", ""}
}
