package httpclient

import (
	"context"
	"errors"
	"net"
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
	inside := func(prefix netip.Prefix) bool { return prefix.Contains(ip) }
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(notPublic(), inside)
}

// IsPrivate reports whether a host, without a port, says itself that it is not a
// public one. What a name stands for is checked when a connection is made.
func IsPrivate(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(host)
	return err == nil && !isPublic(ip) || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// publicOnly checks the address of each connection, so that no name can lead to
// another one than was checked. A proxy is where its operator put it, and resolves
// names itself.
func publicOnly(dialer net.Dialer, proxy *url.URL) func(ctx context.Context, network, address string) (net.Conn, error) {
	checked := dialer
	checked.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(at.Addr()) {
			return ErrPrivate
		}
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		if proxy != nil && host == proxy.Hostname() {
			return dialer.DialContext(ctx, network, address)
		}
		return checked.DialContext(ctx, network, address)
	}
}
