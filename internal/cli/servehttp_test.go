package cli

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mcp-partner/internal/wiretest"
)

func TestWhereHTTPMayBeServed(t *testing.T) {
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
		{[]string{"--http", "0.0.0.0:8080"}, "beyond loopback"},
		{[]string{"--http", ":8080"}, "beyond loopback"},
		{[]string{"--http", "[::]:80"}, "beyond loopback"},
		{[]string{"--http", "192.168.1.1:80"}, "beyond loopback"},
		{[]string{"--http", "localhost.example:80"}, "beyond loopback"},
		{[]string{"--http", "8080"}, "HOST:PORT"},
		{append([]string{"--http", ":8443"}, pair...), ""},
		{[]string{"--http", ":8080", "--behind-proxy"}, ""},
		{[]string{"--http", ":8443", "--tls-cert", "c.pem"}, "together"},
		{[]string{"--http", "127.0.0.1:0", "--tls-key", "k.pem"}, "together"},
		{[]string{"--tls-cert", "c.pem", "--tls-key", "k.pem"}, "is for HTTP"},
		{[]string{"--insecure-no-auth"}, "is for HTTP"},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth", "--behind-proxy"}, "loopback alone"},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth", "--allowed-hosts", "a.example"}, "loopback alone"},
		{[]string{"--http", "127.0.0.1:0", "--insecure-no-auth", "--allowed-origins", "https://app.example"}, "loopback alone"},
		{append([]string{"--http", ":8443", "--insecure-no-auth"}, pair...), "loopback alone"},
		{[]string{"--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--metrics", ":9090"}, "--metrics :9090 is beyond loopback"},
		{append([]string{"--http", ":8443", "--metrics", ":9090"}, pair...), ""},
		{[]string{"--http", "127.0.0.1:0", "--metrics", "9090"}, "--metrics is not HOST:PORT"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "app.example"}, "no web origin"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://app.example/path"}, "no web origin"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://App.example"}, "no page would ever be let in"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://app.example:443"}, "no page would ever be let in"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://*.example"}, "no page would ever be let in"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "vscode-file://vscode-app,https://[::1]:8443"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--allowed-origins", "https://app.example,http://localhost:3000"}, ""},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "https://a.example"}, "no host"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "*.example"}, "no host"},
		{[]string{"--http", "127.0.0.1:0", "--allowed-hosts", "a.example:443"}, "no host"},
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

func TestHostsFollowTheAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		address string
		bound   net.IP
		allowed list
		want    string
	}{
		{"127.0.0.1:0", net.IPv4(127, 0, 0, 1), nil, "localhost 127.0.0.1 ::1"},
		{"127.0.0.1:0", net.IPv4(127, 0, 0, 1), list{"a.example"}, "a.example localhost 127.0.0.1 ::1"},
		{"10.0.0.1:1", net.IPv4(10, 0, 0, 1), nil, "10.0.0.1"},
		{":1", net.IPv6unspecified, list{"a.example"}, "a.example"},
		{":1", net.IPv6unspecified, nil, ""},
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

func TestServeHTTPS(t *testing.T) {
	t.Parallel()
	pair := wiretest.NewPair(t)
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--tls-cert", pair.CertFile, "--tls-key", pair.KeyFile, "--allowed-hosts", "localhost")
	var at ready
	r.line(&at)
	if !strings.HasPrefix(at.URL, "https://localhost:") {
		t.Errorf("it tells clients %s", at.URL)
	}
	c := wiretest.HTTPAt(t, at.URL, at.Token, &http.Transport{TLSClientConfig: pair.Trust()})
	if got := c.Post(wiretest.Modern.Call(1, "list_tenants", nil)); got.Status != 200 || !strings.Contains(string(got.Body), "contoso") {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	r.stop()
	if code, _ := r.end(); code != ExitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestServeWithABrokenPairDoesNotStart(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "none.pem")
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--tls-cert", nothing, "--tls-key", nothing)
	if code, out := r.end(); code != ExitUsage || out != "" || !strings.Contains(r.err.String(), "TLS cannot be served") {
		t.Errorf("exit code %d, %q, %s", code, out, r.err)
	}
}

func TestServeAllAddressesWantsAName(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", ":0", "--behind-proxy")
	if code, out := r.end(); code != ExitUsage || out != "" || !strings.Contains(r.err.String(), "--allowed-hosts") {
		t.Errorf("exit code %d, %q, %s", code, out, r.err)
	}
}

func TestInsecureNoAuthWarnsAndServes(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--insecure-no-auth", "--metrics", "127.0.0.1:0")
	line, err := r.out.ReadString('\n')
	var at struct{ URL string }
	if err != nil || json.Unmarshal([]byte(line), &at) != nil || strings.Contains(line, "token") {
		t.Fatalf("said %q, %v", line, err)
	}
	c := wiretest.HTTPAt(t, at.URL, "", &http.Transport{})
	if got := c.Post(wiretest.Modern.Call(1, "list_tenants", nil)); got.Status != 200 {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	foreign := c.NewRequest(wiretest.Modern.Call(1, "list_tenants", nil))
	foreign.Header.Set("Origin", "https://evil.example")
	if got := c.Do(foreign); got.Status != 403 {
		t.Errorf("a foreign page got %d", got.Status)
	}
	r.stop()
	if code, _ := r.end(); code != ExitDone {
		t.Errorf("exit code %d", code)
	}
	if log := r.err.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "caller="+anybody) {
		t.Errorf("no warning, or no caller of its own:\n%s", log)
	}
}

func TestNoVariableSwitchesAuthenticationOff(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MCP_PARTNER_INSECURE_NO_AUTH": "true"}, "serve", "--simulate", "--http", "127.0.0.1:0")
	var at ready
	r.line(&at)
	c := wiretest.HTTPAt(t, at.URL, "", &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}})
	if got := c.Post(wiretest.Modern.Call(1, "list_tenants", nil)); got.Status != http.StatusUnauthorized {
		t.Errorf("got %d", got.Status)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		response, err := http.Get(strings.TrimSuffix(at.URL, "/mcp") + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 || strings.Contains(string(body), "contoso") {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
}

// TestServerThatOthersReachMakesNoToken starts one behind a proxy, whose first
// caller has a token that was issued.
func TestServerThatOthersReachMakesNoToken(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--behind-proxy", "--allowed-hosts", "partner.example")
	line, err := r.out.ReadString('\n')
	var at map[string]string
	if err != nil || json.Unmarshal([]byte(line), &at) != nil || at["token"] != "" || !strings.Contains(at["next"], "token issue") {
		t.Fatalf("said %q, %v", line, err)
	}
	r.stop()
	if code, _ := r.end(); code != ExitDone {
		t.Errorf("exit code %d", code)
	}
}
