// Package vaulttest starts a real HashiCorp Vault for tests, and talks to it in
// plain HTTP, so that what this program stored is seen by something else than
// the client that stored it.
package vaulttest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"mcp-partner/internal/testkit"
)

// Variable names the environment variable with the path of the server, which
// `go build` makes of e2e/vaultserver. The CI lane vaultserver sets it.
const Variable = "VAULTSERVER_UNDER_TEST"

// Server is one Vault in memory. Everything in it is gone when the test ends.
type Server struct {
	Address   string `json:"address"`
	CAPEM     string `json:"ca_pem"`
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`

	// Client trusts the server.
	Client *http.Client `json:"-"`
}

// Start starts a server for a test, with the key/value engine at secret.
// It skips the test where no server was built, and says how to build one; where
// Variable is set it never skips.
func Start(t *testing.T) *Server {
	t.Helper()
	path := os.Getenv(Variable)
	if path == "" {
		t.Skip("not asked for: bash .ci/run vaultserver builds HashiCorp Vault and sets " + Variable)
	}
	s := launch(t, path)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(s.CAPEM)) {
		t.Fatal("the server announced no certificate")
	}
	s.Client = &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
	t.Cleanup(s.Client.CloseIdleConnections)
	s.Must(t, http.MethodPost, "sys/mounts/secret", s.RootToken, map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	s.awaitUpgrade(t)
	return s
}

// launch starts the process; it ends when its standard input does.
func launch(t *testing.T, path string) *Server {
	t.Helper()
	command := exec.Command(path)
	command.Stderr = os.Stderr
	in, errIn := command.StdinPipe()
	out, errOut := command.StdoutPipe()
	if err := errors.Join(errIn, errOut, command.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	s := &Server{}
	if err := json.NewDecoder(out).Decode(s); err != nil {
		t.Fatalf("the server announced nothing: %v", err)
	}
	return s
}

// awaitUpgrade waits until the key/value engine has its second version: Vault
// does that in the background and refuses requests meanwhile.
func (s *Server) awaitUpgrade(t *testing.T) {
	t.Helper()
	testkit.WaitFor(t, "the key/value engine comes up", func() bool {
		status, _ := s.Do(t, http.MethodPost, "secret/data/ready", s.RootToken, map[string]any{"data": map[string]string{"value": "1"}})
		return status == http.StatusOK
	})
}

// Do sends one request below /v1/ and returns status and answer.
func (s *Server) Do(t *testing.T, method, path, token string, body any) (int, map[string]any) {
	t.Helper()
	text, errBody := json.Marshal(body)
	request, errRequest := http.NewRequestWithContext(t.Context(), method, s.Address+"/v1/"+path, bytes.NewReader(text))
	if err := errors.Join(errBody, errRequest); err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := s.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := map[string]any{}
	_ = json.NewDecoder(response.Body).Decode(&answer) // some answers are empty
	return response.StatusCode, answer
}

// Must is Do for a request that has to succeed.
func (s *Server) Must(t *testing.T, method, path, token string, body any) map[string]any {
	t.Helper()
	status, answer := s.Do(t, method, path, token, body)
	if status < 200 || status > 299 {
		t.Fatalf("%s %s: %d %v", method, path, status, answer["errors"])
	}
	return answer
}

// Policy is what docs/vault.md tells an operator to write.
const Policy = `
path "secret/data/mcp-partner/*"     { capabilities = ["create", "read", "update"] }
path "secret/metadata/mcp-partner/*" { capabilities = ["read", "list", "delete"] }
path "secret/metadata/mcp-partner"   { capabilities = ["list"] }
`

// UsePolicy writes Policy under the name mcp-partner.
func (s *Server) UsePolicy(t *testing.T) {
	t.Helper()
	s.Must(t, http.MethodPut, "sys/policies/acl/mcp-partner", s.RootToken, map[string]any{"policy": Policy})
}

// Token makes a token of that policy that lives for an hour, unless settings say
// otherwise.
func (s *Server) Token(t *testing.T, settings map[string]any) string {
	t.Helper()
	s.UsePolicy(t)
	body := map[string]any{"policies": []string{"mcp-partner"}, "ttl": "1h"}
	maps.Copy(body, settings)
	auth, _ := s.Must(t, http.MethodPost, "auth/token/create", s.RootToken, body)["auth"].(map[string]any)
	token, _ := auth["client_token"].(string)
	return token
}

// Value is the value of a secret as the server has it, empty if there is none.
func (s *Server) Value(t *testing.T, name string) string {
	t.Helper()
	_, answer := s.Do(t, http.MethodGet, "secret/data/mcp-partner/"+name, s.RootToken, nil)
	data, _ := answer["data"].(map[string]any)
	inner, _ := data["data"].(map[string]any)
	text, _ := inner["value"].(string)
	return text
}

// Seal and Unseal take the server away and bring it back.
func (s *Server) Seal(t *testing.T) {
	t.Helper()
	s.Must(t, http.MethodPut, "sys/seal", s.RootToken, nil)
}

// Unseal brings a sealed server back.
func (s *Server) Unseal(t *testing.T) {
	t.Helper()
	s.Must(t, http.MethodPut, "sys/unseal", "", map[string]any{"key": s.UnsealKey})
	s.awaitUpgrade(t)
}
