package httpclient

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// ErrPrivate means that the address of a host is not a public one.
var ErrPrivate = errors.New("the address is this machine's or that of a private network")

// notPublic are ranges that net/netip counts as global and that lead into networks
// of operators: shared, protocol and benchmark addresses, and IPv6 with an IPv4
// address inside.
func notPublic() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fec0::/10"} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !within(notPublic(), ip)
}

func within(prefixes []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// IsPrivate reports whether a host, without a port, says itself that it is not a
// public one, and is in none of the prefixes that are allowed. What a name stands for
// is checked when a connection is made.
func IsPrivate(host string, allowed ...netip.Prefix) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && refused(ip, allowed)
}

func refused(ip netip.Addr, allowed []netip.Prefix) bool {
	return !isPublic(ip) && !within(allowed, ip.Unmap().WithZone(""))
}

// guarded reaches public addresses, and private ones that are allowed.
type guarded struct {
	dialer  net.Dialer
	proxy   Proxy
	allowed []netip.Prefix
}

// dial checks the address of each connection, so that no name can lead to another
// one than was checked. The proxy alone is where its operator put it.
func (g guarded) dial(ctx context.Context, network, address string) (net.Conn, error) {
	checked := g.dialer
	if g.proxy.URL == nil || address != hostPort(g.proxy.URL) {
		checked.Control = g.check
	}
	return checked.DialContext(ctx, network, address)
}

func (g guarded) check(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || refused(at.Addr(), g.allowed) {
		return ErrPrivate
	}
	return nil
}

// proxyFor refuses to ask a proxy for what would be refused without one. A name that
// only the proxy can resolve is left to it.
func (g guarded) proxyFor(request *http.Request) (*url.URL, error) {
	through, err := g.proxy.For(request)
	switch {
	case err != nil:
		return nil, err
	case through == nil && g.proxy.URL != nil && hostPort(request.URL) == hostPort(g.proxy.URL):
		return nil, ErrPrivate // dial would take it for the proxy
	case through == nil:
		return nil, nil
	}
	host := request.URL.Hostname()
	if IsPrivate(host, g.allowed...) {
		return nil, ErrPrivate
	}
	found, _ := net.DefaultResolver.LookupNetIP(request.Context(), "ip", host) // no answer is no address
	if slices.ContainsFunc(found, func(ip netip.Addr) bool { return refused(ip, g.allowed) }) {
		return nil, ErrPrivate
	}
	return through, nil
}

// hostPort is where a proxy listens, with the port that its scheme has by default.
func hostPort(at *url.URL) string {
	ports := map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}
	return net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), ports[at.Scheme], "80"))
}
