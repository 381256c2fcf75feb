package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/wiretest"
	"mcp-partner/simulator"
)

// oauthServer is the binary as a resource server, over a world with two tenants
// that are not linked.
type oauthServer struct {
	*world
	issuer *issuertest.Issuer
	server *server
	client *http.Client
	// config is the config file.
	config string
	// at is the address of MCP, and tokens are all that were sent there.
	at     string
	tokens []string
}

// serveOAuth starts the binary with a mapping and flags; ISSUER in the mapping
// is the issuer's name.
func serveOAuth(t *testing.T, names []string, mapping string, env []string, more ...string) *oauthServer {
	t.Helper()
	h := &oauthServer{world: newWorld(t, simulator.Config{Tenants: 2, LinkedPercent: -1}), issuer: issuertest.Start(t)}
	h.settle("contoso", "fabrikam")
	return h.serve(t, names, mapping, env, more...)
}

func (h *oauthServer) serve(t *testing.T, names []string, mapping string, env []string, more ...string) *oauthServer {
	t.Helper()
	if names == nil {
		names = []string{h.issuer.URL()}
	}
	h.config = filepath.Join(h.dir, "oauth.yaml")
	h.remap(mapping)
	i := h.cli(append([]string{"serve", "--http", "127.0.0.1:0", "--allow-writes", "--log-level", "debug", "--config", h.config,
		"--oidc-issuer", strings.Join(names, ","), "--oidc-audience", oauthName, "--oidc-ca-file", h.issuer.CAFile()}, more...)...)
	i.env = env
	h.server = i.start(t)
	var shown map[string]string
	if err := json.Unmarshal(h.server.line(), &shown); err != nil || len(shown) != 1 {
		t.Fatalf("shown at the start: %v, %v", shown, err)
	}
	h.at = shown["url"]
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport, Timeout: patience}
	return h
}

// remap writes a mapping into the config file.
func (h *oauthServer) remap(mapping string) {
	h.tb.Helper()
	h.write(h.config, strings.ReplaceAll(mapping, "ISSUER", h.issuer.URL()))
}

// machine is a token as an issuer gives it to a machine for its own credentials.
func (h *oauthServer) machine(name string, changes issuertest.Claims) string {
	h.tb.Helper()
	return h.issuer.Token(issuertest.With(h.claims(name), changes))
}

// claims are those of an application that acts for itself.
func (h *oauthServer) claims(name string) issuertest.Claims {
	now := time.Now().Unix()
	return issuertest.Claims{
		"iss": h.issuer.URL(), "aud": oauthName, "sub": "sub-of-" + name, "azp": name, "roles": []string{"partner.read"},
		"iat": now, "nbf": now, "exp": now + 3600,
	}
}

// post sends a message with a token, or without one.
func (h *oauthServer) post(token string, era wiretest.Era, body string) wiretest.Answer {
	h.tb.Helper()
	if token != "" {
		h.tokens = append(h.tokens, token)
	}
	c := wiretest.HTTPAt(h.tb, h.at, token, h.client.Transport)
	return c.Do(c.NewRequest(body))
}

func (h *oauthServer) call(token string, era wiretest.Era, tool string, arguments wiretest.Object) wiretest.Answer {
	h.tb.Helper()
	return h.post(token, era, era.Call("c-1", tool, arguments))
}

func (h *oauthServer) get(path string) (int, http.Header, string) { return h.getAs("", path) }

// keepsNoToken looks for the callers' tokens where they must not be.
func (h *oauthServer) keepsNoToken() {
	h.tb.Helper()
	h.server.signal()
	if code := h.server.code(); code != 0 {
		h.tb.Errorf("the server ended with %d", code)
	}
	said := h.server.errs.String()
	if !strings.Contains(said, "level=INFO") {
		h.tb.Error("the log says nothing")
	}
	sent := strings.Join(h.tap.all(), "\n")
	for _, token := range h.tokens {
		signature := token[strings.LastIndexByte(token, '.')+1:]
		payload := strings.Split(token+"..", ".")[1]
		for _, secret := range []string{token, signature, payload} {
			if len(secret) < 16 {
				continue
			}
			if strings.Contains(said, secret) || strings.Contains(sent, secret) {
				h.tb.Errorf("a caller's token is in the log or went to Azure: %s", said)
			}
			h.notInFiles([]byte(secret))
		}
	}
}

func (h *oauthServer) notInFiles(secret []byte) {
	h.tb.Helper()
	err := filepath.WalkDir(h.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, secret) {
			h.tb.Errorf("a caller's token is in %s", path)
		}
		return err
	})
	if err != nil {
		h.tb.Error(err)
	}
}

func (h *oauthServer) getAs(token, path string) (int, http.Header, string) {
	h.tb.Helper()
	request, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(h.at, "/mcp")+path, nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	if token != "" {
		h.tokens = append(h.tokens, token)
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.tb.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.tb.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

// listening is where a server listens, which differs from the address that clients use.
func (s *server) listening(tb testing.TB) string {
	tb.Helper()
	s.errs.await(tb, " address=")
	_, rest, found := strings.Cut(s.errs.String(), "address=")
	address, _, _ := strings.Cut(rest, " ")
	address = strings.TrimSpace(strings.SplitN(address, "\n", 2)[0])
	if _, _, err := net.SplitHostPort(address); !found || err != nil {
		tb.Fatalf("no address in the log: %s", s.errs.String())
	}
	return address
}
