package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
)

// idleLimit is for how long the proxies let a connection be silent; a call takes
// longer, because each simulated answer takes callLatency.
const (
	idleLimit   = 5
	callLatency = "6s"
)

const haproxyConfig = `
global
  log stdout format raw local0
defaults
  mode http
  log global
  option log-health-checks
  timeout connect 2s
  timeout client %[1]ds
  timeout server %[1]ds
frontend in
  bind %[2]s
  default_backend partner
backend partner
  option httpchk GET /readyz
  server one %[3]s check inter 200ms
`

const nginxConfig = `
daemon off; master_process off; pid %[4]s/nginx.pid; error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path %[4]s/b; proxy_temp_path %[4]s/p; fastcgi_temp_path %[4]s/f; uwsgi_temp_path %[4]s/u; scgi_temp_path %[4]s/s;
  server {
    listen %[2]s;
    location / { proxy_pass http://%[3]s; proxy_http_version 1.1; proxy_set_header Host $host; proxy_buffering off; proxy_read_timeout %[1]ds; }
  }
}
`

func TestBehindHAProxy(t *testing.T) {
	t.Parallel()
	haproxy := underTest(t, "HAPROXY_UNDER_TEST")
	connection := slowServer(t)
	address, config := proxyConfig(t, haproxyConfig, connection.URL)
	proxy := invocation{path: haproxy, args: []string{"-db", "-f", config}, env: os.Environ()}.start(t)
	for line := ""; !strings.Contains(line, "Layer7 check passed, code: 200"); { // its probe has no Host
		line = string(proxy.line())
	}
	callThrough(t, address, connection.Token)
}

func TestBehindNginx(t *testing.T) {
	t.Parallel()
	nginx := underTest(t, "NGINX_UNDER_TEST")
	connection := slowServer(t)
	address, config := proxyConfig(t, nginxConfig, connection.URL)
	invocation{path: nginx, args: []string{"-p", filepath.Dir(config), "-c", config}, env: os.Environ()}.start(t)
	callThrough(t, address, connection.Token)
}

// underTest is the path of somebody else's program.
func underTest(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s is not set: bash .ci/run proxies installs the program and sets it", variable)
	}
	return path
}

func slowServer(t *testing.T) connection {
	t.Helper()
	return invocation{args: []string{"serve", "--simulate=2", "--latency", callLatency, "--http", "127.0.0.1:0"}}.start(t).connection()
}

// proxyConfig fills a configuration in, with a free address for the proxy.
func proxyConfig(t *testing.T, text, url string) (address, file string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address = free.Addr().String()
	check(t, free.Close())
	dir := t.TempDir()
	file = filepath.Join(dir, "proxy.conf")
	server := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/mcp")
	check(t, os.WriteFile(file, fmt.Appendf(nil, text, idleLimit, address, server, dir), 0o600))
	return address, file
}

// callThrough makes calls that take longer than the proxy lets a connection be
// silent, at both spellings of the path.
func callThrough(t *testing.T, address, token string) {
	t.Helper()
	testkit.WaitFor(t, "the proxy answers", func() bool {
		ready, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		_ = ready.Body.Close()
		return ready.StatusCode == http.StatusOK
	})
	params := map[string]wiretest.Object{
		"without progress": {"name": "check_partner_link", "arguments": wiretest.Object{"tenant": "contoso"}},
		"with progress":    {"name": "check_partner_link", "arguments": wiretest.Object{"tenant": "fabrikam"}, "_meta": wiretest.Object{"progressToken": "p"}},
	}
	for _, path := range []string{"/mcp", "/mcp/"} {
		for name, call := range params {
			t.Run(name+" at "+path, func(t *testing.T) {
				t.Parallel()
				c := wiretest.HTTPAt(t, "http://"+address+path, token, http.DefaultTransport)
				began := time.Now()
				answer := c.Post(wiretest.Legacy.Request(1, "tools/call", call, nil))
				if took := time.Since(began); took < idleLimit*time.Second {
					t.Fatalf("the call took only %s: it shows nothing", took)
				}
				if status := answer.Last(t).Path("structuredContent", "status"); answer.Status != http.StatusOK || status == nil {
					t.Errorf("%d %s", answer.Status, answer.Body)
				}
			})
		}
	}
}
