package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/app"
	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// checkPeople looks at what serve --oauth and --console need, where it is switched on by the
// environment or the config file.
func checkPeople(ctx context.Context, deps *cmdutil.Deps, a *app.App) []check {
	setting := func(name string) string {
		return cmp.Or(deps.Getenv(config.EnvName(name)), deps.Config.Value(name))
	}
	if setting("oauth") != "true" && setting("console") != "true" {
		return nil
	}
	public, issuer := setting("public-url"), setting("oidc-issuer")
	checks := []check{checkPublicURL(public)}
	if a.KeepsRecord() { // a look makes none
		users, err := guard.Users(ctx, a.GuardStore())
		if err != nil {
			return append(checks, failedCheck("passkeys", err, "mcp-partner users list"))
		}
		checks = append(checks, checkPasskeys(users, public)...)
	}
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
	renew := "store the new one with mcp-partner vault add " + phrase.ShellWord(credential.Name+"-2") + ", and name it in oauth.credential"
	switch problem := problems.As(err); {
	case err != nil && problem.Code == problems.CodeCredentialRejected: // of this server, not of a tenant
		return append(checks, check{"sign-in credential", CheckFail, problem.Message, renew})
	case err != nil:
		return append(checks, failedCheck("sign-in credential", err, "mcp-partner vault status"))
	}
	ends := checkExpiry(credential, nil, time.Now())
	for i := range ends {
		ends[i].Fix = map[bool]string{true: renew}[ends[i].Status != checkOK]
	}
	return append(checks, ends...)
}

// checkPasskeys names the users whose passkeys were made under another address: they sign
// in nowhere any more.
func checkPasskeys(users []guard.User, public string) []check {
	at, err := url.Parse(public)
	if err != nil || at.Host == "" {
		return nil
	}
	lost := xslices.Filter(users, func(u guard.User) bool {
		return slices.ContainsFunc(u.Passkeys, func(k guard.Passkey) bool { return k.Origin != at.Scheme+"://"+at.Host })
	})
	if len(lost) == 0 {
		return nil
	}
	names := strings.Join(xslices.Map(lost, func(u guard.User) string { return u.Name }), ", ")
	return []check{{"passkeys", CheckWarn, fmt.Sprintf("The passkeys of %s were made under another public-url than %s, and are void here.", names, at.Host),
		"set public-url back, or run mcp-partner users reset " + phrase.ShellWord(lost[0].Name)}}
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
