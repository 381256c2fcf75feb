package packages

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestProxyBeforeTwoServers runs the proxy of the composition, with its own
// configuration, before two real servers on one state directory: issued tokens
// are valid at both, both are used, and every path reaches a server.
func TestProxyBeforeTwoServers(t *testing.T) {
	t.Parallel()
	nginx := os.Getenv("PACKAGES_NGINX")
	if nginx == "" {
		t.Skip("PACKAGES_NGINX is not set: bash .ci/run packages installs a proxy and sets it")
	}
	w := newWorld(t)
	servers := []*process{w.serve(t), w.serve(t)}
	address := w.proxy(t, nginx, servers)
	token := w.token(t)
	client := w.client(address)
	for i := range 16 {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"list_tenants","arguments":{}}}`, i)
		status, text := post(t, client, "/mcp", token, body)
		if status != http.StatusOK || !strings.Contains(text, "contoso") {
			t.Fatalf("call %d: %d %s", i, status, text)
		}
	}
	if status, text := post(t, client, "/mcp", "wrong", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d %s", status, text)
	}
	for path, want := range map[string]int{
		"/livez": http.StatusOK, "/readyz": http.StatusOK, "/openapi.json": http.StatusOK,
		"/approvals": http.StatusForbidden, "/metrics": http.StatusForbidden, "/no-such-path": http.StatusNotFound,
	} {
		if status := get(t, client, path, token); status != want {
			t.Errorf("GET %s through the proxy: %d, want %d", path, status, want)
		}
	}
	for i, server := range servers {
		if calls := strings.Count(server.stop(t), "tool=list_tenants"); calls == 0 {
			t.Errorf("server %d got no call", i)
		}
	}
}

// world is a state directory, and the program that was built for it.
type world struct {
	dir, program, state string
	roots               *x509.CertPool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{dir: dir, program: built(t, root, "", "linux", "amd64"), state: filepath.Join(dir, "state")}
	w.run(t, "vault", "init")
	w.run(t, "tenants", "add", "contoso", "--tenant-id", "00000000-0000-0000-0000-000000000001", "--client-id", "00000000-0000-0000-0000-000000000002", "--secret-file", w.write(t, "secret", "not a real secret\n"))
	return w
}

func (w *world) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *world) run(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, w.dir, w.program, append(args, "--state-dir", w.state)...)
}

func (w *world) token(t *testing.T) string {
	t.Helper()
	var issued struct{ Token string }
	if err := json.Unmarshal([]byte(w.run(t, "token", "issue", "--for", "agent", "--tenants", "contoso", "--json")), &issued); err != nil || issued.Token == "" {
		t.Fatalf("no token: %v", err)
	}
	return issued.Token
}

// drained is how long the output of a process that has ended may stay open: a
// child that outlives it must not hold the test up.
const drained = 5 * time.Second

// process is a program that runs until it is stopped.
type process struct {
	command *exec.Cmd
	port    string
	mu      sync.Mutex
	log     bytes.Buffer
}

// Write implements io.Writer.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(text)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// stop ends the program and returns its log.
func (p *process) stop(t *testing.T) string {
	t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := p.command.Wait(); err != nil {
		t.Errorf("it did not end well: %v\n%s", err, p.text())
	}
	return p.text()
}

// serve starts a server as the image's own command does, but for the address.
func (w *world) serve(t *testing.T) *process {
	t.Helper()
	p := &process{command: exec.Command(w.program, "serve", "--http", "127.0.0.1:0", "--behind-proxy", "--allowed-hosts", "partner.example", "--state-dir", w.state)}
	p.command.Stderr, p.command.WaitDelay = p, drained
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() }) // one that was stopped is gone already
	line, err := bufio.NewReader(out).ReadString('\n')
	var at struct{ URL string }
	if err != nil || json.Unmarshal([]byte(line), &at) != nil {
		t.Fatalf("the server said %q, %v\n%s", line, err, p.text())
	}
	_, p.port, _ = strings.Cut(strings.TrimSuffix(strings.TrimPrefix(at.URL, "http://"), "/mcp"), ":")
	return p
}

// proxy starts nginx with the composition's configuration. Only places are
// other ones: the two servers, the port, the files.
func (w *world) proxy(t *testing.T, nginx string, servers []*process) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	w.certificate(t)
	port := freePort(t)
	places := strings.NewReplacer(
		"a:8080", "127.0.0.1:"+servers[0].port, "b:8080", "127.0.0.1:"+servers[1].port, "listen 443", "listen 127.0.0.1:"+port,
		"/etc/nginx/tls/partner.pem", filepath.Join(w.dir, "partner.pem"), "/etc/nginx/tls/partner.key", filepath.Join(w.dir, "partner.key"),
		"/run/nginx.pid", filepath.Join(w.dir, "nginx.pid"))
	scratch := "client_body_temp_path " + w.dir + "/body; proxy_temp_path " + w.dir + "/proxy; fastcgi_temp_path " + w.dir + "/f; uwsgi_temp_path " + w.dir + "/u; scgi_temp_path " + w.dir + "/s;"
	config := w.write(t, "nginx.conf", strings.Replace(places.Replace(string(text)), "http {", "http {\n    "+scratch, 1))
	p := &process{command: exec.Command(nginx, "-p", w.dir, "-c", config, "-g", "daemon off;")}
	p.command.Stderr, p.command.WaitDelay = p, drained
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })
	address := "127.0.0.1:" + port
	for deadline := time.Now().Add(20 * time.Second); ; {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy does not listen: %v\n%s", err, p.text())
		}
		time.Sleep(20 * time.Millisecond) // nginx tells nobody when it is ready
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// certificate makes one for partner.example that signs itself.
func (w *world) certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "partner.example"}, DNSNames: []string{"partner.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	w.write(t, "partner.pem", string(public))
	w.write(t, "partner.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(public)
}

// client reaches partner.example at the proxy's address.
func (w *world) client(address string) *http.Client {
	var dialer net.Dialer
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.roots, MinVersion: tls.VersionTLS12},
		DialContext:     dialTo(&dialer, address),
	}}
}

func dialTo(dialer *net.Dialer, address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
}

func get(t *testing.T, client *http.Client, path, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://partner.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func post(t *testing.T, client *http.Client, path, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://partner.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("MCP-Protocol-Version", "2025-11-25")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
