package serve

import (
	"net"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mcp-partner/internal/cli/cmdutil"
)

func TestHTTPAddressMustBeProtected(t *testing.T) {
	t.Parallel()
	pair := []string{"--tls-cert", "c.pem", "--tls-key", "k.pem"}
	for _, test := range []struct {
		args []string
		says string // "" where it is allowed
	}{
		{[]string{"--http", "127.0.0.1:0"}, ""},
		{[]string{"--http", "[::1]:8080"}, ""},
		{[]string{"--http", "localhost:8080"}, ""},
		{[]string{"--http", "127.8.7.6:1"}, ""},
		{[]string{"--http", "0.0.0.0:8080"}, "is not loopback"},
		{[]string{"--http", ":8080"}, "is not loopback"},
		{[]string{"--http", "[::]:80"}, "is not loopback"},
		{[]string{"--http", "192.168.1.1:80"}, "is not loopback"},
		{[]string{"--http", "localhost.example:80"}, "is not loopback"},
		{[]string{"--http", "8080"}, "HOST:PORT"},
		{append([]string{"--http", ":8443"}, pair...), ""},
		{[]string{"--http", ":8080", "--behind-proxy"}, ""},
		{[]string{"--http", ":8443", "--tls-cert", "c.pem"}, "together"},
		{[]string{"--http", "127.0.0.1:0", "--tls-key", "k.pem"}, "together"},
		{[]string{"--tls-cert", "c.pem", "--tls-key", "k.pem"}, "is for HTTP"},
		{[]string{"--insecure-no-auth"}, "is for HTTP"},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth", "--behind-proxy"}, "loopback only"},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth", "--allowed-hosts", "a.example"}, "loopback only"},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth", "--allowed-origins", "https://app.example"}, "loopback only"},
		{append([]string{"--http", ":8443", "--insecure-no-auth"}, pair...), "loopback only"},
		{[]string{"--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--metrics", ":9090"}, "--metrics :9090 is not loopback"},
		{append([]string{"--http", ":8443", "--metrics", ":9090"}, pair...), ""},
		{[]string{"--http", "127.0.0.1:0", "--metrics", "9090"}, "--metrics is not HOST:PORT"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "app.example"}, "not a web origin"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://app.example/path"}, "not a web origin"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://App.example"}, "no browser sends"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://app.example:443"}, "no browser sends"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://*.example"}, "no browser sends"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "vscode-file://vscode-app,https://[::1]:8443"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://app.example,http://localhost:3000"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "https://a.example"}, "not a host"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "*.example"}, "not a host"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "a.example:443"}, "not a host"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "a.example,::1"}, ""},
	} {
		var o httpOptions
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		o.add(flags)
		if err := flags.Parse(test.args); err != nil {
			t.Fatal(err)
		}
		err := o.check()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v: got %v, want %q", test.args, err, test.says)
		}
	}
}

func TestAllowedHostsDefaultToAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		address string
		bound   net.IP
		allowed cmdutil.List
		want    string
	}{
		{address: "127.0.0.1:0", bound: net.IPv4(127, 0, 0, 1), want: "localhost 127.0.0.1 ::1"},
		{address: "127.0.0.1:0", bound: net.IPv4(127, 0, 0, 1), allowed: cmdutil.List{"a.example"}, want: "a.example localhost 127.0.0.1 ::1"},
		{address: "10.0.0.1:1", bound: net.IPv4(10, 0, 0, 1), want: "10.0.0.1"},
		{address: ":1", bound: net.IPv6unspecified, allowed: cmdutil.List{"a.example"}, want: "a.example"},
		{address: ":1", bound: net.IPv6unspecified},
	} {
		o := httpOptions{address: test.address, allowedHosts: test.allowed}
		bound := &net.TCPAddr{IP: test.bound, Port: 1}
		if got := strings.Join(o.hosts(bound), " "); got != test.want {
			t.Errorf("%s: got %q", test.address, got)
		}
		if err := o.checkReachable(bound); (err == nil) != (test.want != "") {
			t.Errorf("%s: %v", test.address, err)
		}
	}
}
