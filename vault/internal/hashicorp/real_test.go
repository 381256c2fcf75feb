package hashicorp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mcp-partner/internal/httpclient"
	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/vaulttest"
	"mcp-partner/schemas/problems"
)

// readFile is what the vault gives the backend, without its checks.
func readFile(path, _ string) ([]byte, error) { return os.ReadFile(path) }

// openReal opens the backend of a real server.
func openReal(t *testing.T, s *vaulttest.Server, auth Auth) *Backend {
	t.Helper()
	settings, err := Settings{Address: s.Address, CAPEM: s.CAPEM, Auth: auth}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	client, err := httpclient.New(httpclient.Options{CAPEM: []byte(s.CAPEM)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	b := Open(settings, client, readFile)
	t.Cleanup(func() { b.Close(context.Background()) })
	return b
}

// newToken makes a token of the documented policy, in a file as well.
func newToken(t *testing.T, s *vaulttest.Server, settings map[string]any) (token, file string) {
	t.Helper()
	token = s.Token(t, settings)
	return token, newFile(t, token)
}

// newFile writes a text into a file that only this user can read.
func newFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(strings.TrimSpace(text)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// setValue stores a value as somebody else would.
func setValue(t *testing.T, s *vaulttest.Server, name, value string) {
	t.Helper()
	s.Must(t, http.MethodPost, "secret/data/mcp-partner/"+name, s.RootToken, map[string]any{"data": map[string]string{"value": value}})
}

// wantValue checks what the backend gives under a name; empty means nothing.
func wantValue(t *testing.T, b *Backend, name, value string) string {
	t.Helper()
	item, err := b.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("getting %s: %v", name, err)
	}
	if string(item.Value) != value {
		t.Fatalf("the backend gives %d bytes for %s, want those of %q", len(item.Value), name, value)
	}
	return item.Version
}

func TestRealKeyValue(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	_, file := newToken(t, s, nil)
	b := openReal(t, s, Auth{Method: MethodToken, File: file})
	none := wantValue(t, b, "contoso", "")
	if err := b.Put(t.Context(), "contoso", []byte("first-value"), none); err != nil {
		t.Fatal(err)
	}
	if got := s.Value(t, "contoso"); got != "first-value" {
		t.Fatalf("the server has %q", got)
	}
	first := wantValue(t, b, "contoso", "first-value")
	setValue(t, s, "contoso", "somebody-elses")
	roomtest.WantCode(t, b.Put(t.Context(), "contoso", []byte("late"), first), problems.CodeStateMoved)
	roomtest.WantCode(t, b.Put(t.Context(), "contoso", []byte("late"), ""), problems.CodeStateMoved)
	second := wantValue(t, b, "contoso", "somebody-elses")
	binary := []byte{0, 0xff, 0xfe, 1}
	if err := b.Put(t.Context(), "contoso", binary, second); err != nil {
		t.Fatal(err)
	}
	wantValue(t, b, "contoso", string(binary))
	if names, err := b.List(t.Context()); err != nil || !slices.Equal(names, []string{"contoso"}) {
		t.Fatalf("the list is %v, %v", names, err)
	}
	for range 2 { // the second time there is nothing any more
		if err := b.Delete(t.Context(), "contoso"); err != nil {
			t.Fatal(err)
		}
	}
	if version := wantValue(t, b, "contoso", ""); version != "" {
		t.Errorf("a removed item still has version %s", version)
	}
	if names, err := b.List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("after the removal the list is %v, %v", names, err)
	}
}

func TestRealDeletedVersionIsReplaced(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	_, file := newToken(t, s, nil)
	b := openReal(t, s, Auth{Method: MethodToken, File: file})
	setValue(t, s, "gone", "x")
	s.Must(t, http.MethodDelete, "secret/data/mcp-partner/gone", s.RootToken, nil)
	version := wantValue(t, b, "gone", "")
	if err := b.Put(t.Context(), "gone", []byte("back"), version); err != nil {
		t.Fatal(err)
	}
	wantValue(t, b, "gone", "back")
}

func TestRealTokenFileIsFollowed(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	token, file := newToken(t, s, nil)
	b := openReal(t, s, Auth{Method: MethodToken, File: file})
	setValue(t, s, "one", "1")
	wantValue(t, b, "one", "1")
	other, _ := newToken(t, s, nil)
	s.Must(t, http.MethodPost, "auth/token/revoke", s.RootToken, map[string]any{"token": token})
	roomtest.WantCode(t, func() error { _, err := b.Get(t.Context(), "one"); return err }(), problems.CodeVaultUnavailable, "does not accept the sign-in", file)
	if err := os.WriteFile(file, []byte(other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantValue(t, b, "one", "1")
}

// appRole makes a role and returns its ID.
func appRole(t *testing.T, s *vaulttest.Server, settings map[string]any) string {
	t.Helper()
	s.UsePolicy(t)
	s.Must(t, http.MethodPost, "sys/auth/approle", s.RootToken, map[string]any{"type": "approle"})
	body := map[string]any{"token_policies": "mcp-partner"}
	for name, value := range settings {
		body[name] = value
	}
	s.Must(t, http.MethodPost, "auth/approle/role/partner", s.RootToken, body)
	answer := s.Must(t, http.MethodGet, "auth/approle/role/partner/role-id", s.RootToken, nil)
	id, _ := answer["data"].(map[string]any)["role_id"].(string)
	return id
}

func secretID(t *testing.T, s *vaulttest.Server) string {
	t.Helper()
	answer := s.Must(t, http.MethodPost, "auth/approle/role/partner/secret-id", s.RootToken, nil)
	id, _ := answer["data"].(map[string]any)["secret_id"].(string)
	return id
}

func TestRealAppRole(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	role := appRole(t, s, nil)
	b := openReal(t, s, Auth{Method: MethodAppRole, Role: role, File: newFile(t, secretID(t, s))})
	setValue(t, s, "one", "1")
	wantValue(t, b, "one", "1")
	token := b.session.reader.Token()
	b.Close(t.Context())
	if status, _ := s.Do(t, http.MethodGet, "auth/token/lookup-self", token, nil); status != http.StatusForbidden {
		t.Errorf("the token that was made for the program lives on: %d", status)
	}
	wrong := openReal(t, s, Auth{Method: MethodAppRole, Role: role, File: newFile(t, "00000000-dead-beef-0000-000000000000")})
	_, err := wrong.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "does not accept the sign-in with approle")
	if problems.As(err).Retryable || strings.Contains(err.Error(), "beef") {
		t.Errorf("a wrong secret ID: %v", err)
	}
}

// wrapping makes a wrapping token of what a path gives.
func wrapping(t *testing.T, s *vaulttest.Server, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Address+"/v1/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", s.RootToken)
	request.Header.Set("X-Vault-Wrap-TTL", "5m")
	response, err := s.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		WrapInfo struct{ Token string } `json:"wrap_info"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.WrapInfo.Token == "" {
		t.Fatalf("nothing was wrapped: %d %v", response.StatusCode, err)
	}
	return answer.WrapInfo.Token
}

func TestRealWrappedSecretID(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	role := appRole(t, s, map[string]any{"secret_id_num_uses": 0})
	setValue(t, s, "one", "1")
	file := newFile(t, wrapping(t, s, "auth/approle/role/partner/secret-id"))
	b := openReal(t, s, Auth{Method: MethodAppRole, Role: role, File: file, Wrapped: true})
	wantValue(t, b, "one", "1")
	// The session ends; the secret ID that was unwrapped signs in again.
	s.Must(t, http.MethodPost, "auth/token/revoke", s.RootToken, map[string]any{"token": b.session.reader.Token()})
	wantValue(t, b, "one", "1")
	// A second program finds the wrapping used: somebody else may have it.
	thief := openReal(t, s, Auth{Method: MethodAppRole, Role: role, File: file, Wrapped: true})
	_, err := thief.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "already unwrapped it", "stolen")
	// One of another origin is not even unwrapped.
	foreign := wrapping(t, s, "sys/wrapping/wrap")
	misled := openReal(t, s, Auth{Method: MethodAppRole, Role: role, File: newFile(t, foreign), Wrapped: true})
	_, err = misled.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "was not made for a secret ID", "was not used")
	if status, _ := s.Do(t, http.MethodPost, "sys/wrapping/lookup", s.RootToken, map[string]any{"token": foreign}); status != http.StatusOK {
		t.Errorf("the foreign wrapping was used up: %d", status)
	}
}

// jwtIssuer signs tokens, and its public half is known to the server.
func jwtIssuer(t *testing.T, s *vaulttest.Server) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.UsePolicy(t)
	s.Must(t, http.MethodPost, "sys/auth/ci", s.RootToken, map[string]any{"type": "jwt"})
	s.Must(t, http.MethodPost, "auth/ci/config", s.RootToken, map[string]any{
		"jwt_validation_pubkeys": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	})
	s.Must(t, http.MethodPost, "auth/ci/role/job", s.RootToken, map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": "mcp-partner", "token_ttl": "1h",
	})
	return key
}

func signed(t *testing.T, key *ecdsa.PrivateKey, audience string) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": "job-1", "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRealJWT(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	key := jwtIssuer(t, s)
	setValue(t, s, "one", "1")
	b := openReal(t, s, Auth{Method: MethodJWT, Mount: "ci", Role: "job", File: newFile(t, signed(t, key, "vault"))})
	wantValue(t, b, "one", "1")
	other := openReal(t, s, Auth{Method: MethodJWT, Mount: "ci", Role: "job", File: newFile(t, signed(t, key, "elsewhere"))})
	_, err := other.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "does not accept the sign-in with jwt")
}

// serviceAccount is a token as Kubernetes projects it.
func serviceAccount(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": "kubernetes/serviceaccount", "aud": []string{"vault"}, "iat": time.Now().Unix(), "nbf": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"sub": "system:serviceaccount:partner:server",
		"kubernetes.io": map[string]any{
			"namespace": "partner", "serviceaccount": map[string]any{"name": "server", "uid": "u1"},
		},
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
