package serve

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
	"mcp-partner/internal/config"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/httpclient"
)

// httpOptions say where HTTP is served, and to whom.
type httpOptions struct {
	address, metrics        string
	tlsCert, tlsKey         string
	behindProxy, noAuth     bool
	allowedHosts, allowedOn cmdutil.List
	oauth                   oauthOptions
}

func (o *httpOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.address, "http", "", "serve streamable HTTP on this `HOST:PORT` instead of stdio")
	flags.StringVar(&o.metrics, "metrics", "", "serve health and metrics, without authentication, on this `HOST:PORT` of their own")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "`FILE` with the certificate and its chain in PEM, reloaded when it changes")
	flags.StringVar(&o.tlsKey, "tls-key", "", "`FILE` with the key of --tls-cert in PEM")
	flags.BoolVar(&o.behindProxy, "behind-proxy", false, "a proxy in front terminates TLS: allow an address other than loopback without it")
	flags.Var(&o.allowedHosts, "allowed-hosts", "`HOSTS` under which clients reach the server, without port, separated by commas")
	flags.Var(&o.allowedOn, "allowed-origins", "`ORIGINS` whose web pages may call, such as https://app.example, separated by commas")
	flags.BoolVar(&o.noAuth, "insecure-no-auth", false, "serve without authentication, on loopback only")
	config.Standing(flags, "http", "metrics", "tls-cert", "tls-key", "behind-proxy", "allowed-hosts", "allowed-origins")
	config.Typed(flags, "insecure-no-auth")
	o.oauth.add(flags)
}

// check refuses what would serve beyond this machine by accident.
func (o *httpOptions) check() error {
	if o.address == "" {
		return o.checkAlone()
	}
	for _, wrong := range []func() error{o.checkPair, o.checkOrigins, o.checkNames, o.checkNoAuth, o.checkOAuth} {
		if err := wrong(); err != nil {
			return err
		}
	}
	if err := o.checkReach("--http", o.address); err != nil || o.metrics == "" {
		return err
	}
	return o.checkReach("--metrics", o.metrics)
}

// checkAlone refuses flags that mean nothing without --http.
func (o *httpOptions) checkAlone() error {
	given := map[string]bool{
		"--tls-cert": o.tlsCert != "", "--tls-key": o.tlsKey != "", "--metrics": o.metrics != "", "--behind-proxy": o.behindProxy,
		"--allowed-hosts": len(o.allowedHosts) > 0, "--allowed-origins": len(o.allowedOn) > 0, "--insecure-no-auth": o.noAuth,
		"--oauth": o.oauth.own, "--oidc-issuer": len(o.oauth.issuers) > 0, "--oidc-audience": len(o.oauth.audiences) > 0, "--oidc-ca-file": o.oauth.caFile != "", "--public-url": o.oauth.publicURL != "",
	}
	for flag, set := range given {
		if set {
			return exit.Usage("give --http HOST:PORT too", "%s is for HTTP", flag)
		}
	}
	return nil
}

func (o *httpOptions) checkPair() error {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return exit.Usage("give --tls-cert and --tls-key together", "a certificate and its key belong together")
	}
	return nil
}

func (o *httpOptions) checkOrigins() error {
	for _, origin := range o.allowedOn {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return exit.Usage("write it as https://app.example, without a path", "--allowed-origins has an item that is not a web origin")
		}
		if sent := asBrowsersSend(u); sent != origin {
			return exit.Usage("name each origin as browsers send it: in lower case, without the usual port and without *",
				"--allowed-origins has an item that no browser sends")
		}
	}
	return nil
}

// asBrowsersSend is an origin in the form that browsers send, compared byte by
// byte; "" for anything else.
func asBrowsersSend(u *url.URL) string {
	host, usual := strings.ToLower(u.Host), map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	if strings.Contains(host, "*") {
		return ""
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, usual)
}

func (o *httpOptions) checkNames() error {
	for _, name := range o.allowedHosts {
		if strings.ContainsAny(name, "/*@ ") || net.ParseIP(name) == nil && strings.Contains(name, ":") {
			return exit.Usage("write it as partner.example.com, without port or path", "--allowed-hosts has an item that is not a host")
		}
	}
	return nil
}

// checkNoAuth keeps an open server on loopback, also by way of a proxy or of a web
// page in somebody's browser.
func (o *httpOptions) checkNoAuth() error {
	if o.noAuth && (!o.onLoopback() || o.behindProxy || len(o.allowedHosts) > 0 || len(o.allowedOn) > 0 || o.oauth.publicURL != "") {
		return exit.Usage("leave --insecure-no-auth out, or bind to 127.0.0.1 without --behind-proxy, --allowed-hosts, --allowed-origins and --public-url",
			"--insecure-no-auth is for loopback only: every client could use all tools")
	}
	return nil
}

// checkReach refuses an address that other machines could reach in clear text.
func (o *httpOptions) checkReach(flag, address string) error {
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return exit.Usage("give "+flag+" 127.0.0.1:8080", "%s is not HOST:PORT", flag)
	case httpclient.IsLoopback(host) || o.tlsCert != "" || o.behindProxy:
		return nil
	}
	return exit.Usage("give --tls-cert and --tls-key; or --behind-proxy if a proxy terminates TLS and only it reaches this address",
		"%s %s is not loopback and has no TLS: others could read tokens on the network", flag, address)
}

func (o *httpOptions) onLoopback() bool {
	host, _, err := net.SplitHostPort(o.address)
	return err == nil && httpclient.IsLoopback(host)
}

// hosts are the names under which the server answers: those that are allowed,
// and those of the address it is bound to.
func (o *httpOptions) hosts(bound net.Addr) []string {
	hosts := append(slices.Clone([]string(o.allowedHosts)), o.oauth.publicHosts()...)
	if o.onLoopback() {
		return append(hosts, "localhost", "127.0.0.1", "::1")
	}
	if at, ok := bound.(*net.TCPAddr); ok && !at.IP.IsUnspecified() {
		hosts = append(hosts, at.IP.String())
	}
	return hosts
}

// checkReachable wants a name where an address cannot stand for one.
func (o *httpOptions) checkReachable(bound net.Addr) error {
	if len(o.hosts(bound)) == 0 {
		return exit.Usage("give --allowed-hosts partner.example.com: the names that clients use",
			"the server listens on all addresses and needs the host names that clients use")
	}
	return nil
}
