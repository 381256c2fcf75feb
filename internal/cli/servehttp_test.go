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

	"mcp-partner/internal/cli/serve"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/wiretest"
)

func TestServeHTTPS(t *testing.T) {
	t.Parallel()
	pair := testkit.NewPair(t)
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
	if code, _ := r.end(); code != exit.CodeDone {
		t.Errorf("exit code %d", code)
	}
}

func TestServeRefusesInvalidKeyPair(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "none.pem")
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--tls-cert", nothing, "--tls-key", nothing)
	if code, out := r.end(); code != exit.CodeUsage || out != "" || !strings.Contains(r.err.String(), "TLS cannot be served") {
		t.Errorf("exit code %d, %q, %s", code, out, r.err)
	}
}

func TestServeOnAllAddressesNeedsAllowedHosts(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", ":0", "--behind-proxy")
	if code, out := r.end(); code != exit.CodeUsage || out != "" || !strings.Contains(r.err.String(), "--allowed-hosts") {
		t.Errorf("exit code %d, %q, %s", code, out, r.err)
	}
}

// A taken port is the only error reported, for either of the two ports.
func TestServeReportsTakenPortFirst(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, args := range map[string][]string{
		"main":    {"--http", taken.Addr().String(), "--insecure-no-auth"},
		"metrics": {"--http", "127.0.0.1:0", "--metrics", taken.Addr().String()},
	} {
		r := start(t, nil, append([]string{"serve", "--simulate"}, args...)...)
		code, out := r.end()
		said := r.err.String()
		if code != exit.CodeFailed || out != "" || !strings.HasPrefix(said, "mcp-partner: "+taken.Addr().String()+" is in use") || strings.Count(said, "\n") != 2 {
			t.Errorf("%s: exit code %d, %q, %s", name, code, out, said)
		}
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
	if code, _ := r.end(); code != exit.CodeDone {
		t.Errorf("exit code %d", code)
	}
	if log := r.err.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "caller="+serve.Anybody) {
		t.Errorf("no warning, or no caller of its own:\n%s", log)
	}
}

func TestEnvironmentCannotDisableAuthentication(t *testing.T) {
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

// TestPublicServerGeneratesNoToken starts one behind a proxy, whose first
// caller has a token that was issued.
func TestPublicServerGeneratesNoToken(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "serve", "--simulate", "--http", "127.0.0.1:0", "--behind-proxy", "--allowed-hosts", "partner.example")
	line, err := r.out.ReadString('\n')
	var at map[string]string
	if err != nil || json.Unmarshal([]byte(line), &at) != nil || at["token"] != "" || !strings.Contains(at["next"], "token issue") {
		t.Fatalf("said %q, %v", line, err)
	}
	r.stop()
	if code, _ := r.end(); code != exit.CodeDone {
		t.Errorf("exit code %d", code)
	}
}
