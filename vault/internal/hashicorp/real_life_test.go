package hashicorp

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/internal/vaulttest"
	"mcp-partner/schemas/problems"
)

func TestRealTokenIsRenewed(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	token, file := newToken(t, s, map[string]any{"ttl": "3s", "renewable": true})
	b := openReal(t, s, Auth{Method: MethodToken, File: file})
	setValue(t, s, "one", "1")
	wantValue(t, b, "one", "1")
	began := time.Now()
	// Vault's own lifetimes have no clock to turn.
	testkit.WaitFor(t, "the token outlives its first lifetime twice", func() bool { return time.Since(began) > 6*time.Second })
	if status, _ := s.Do(t, http.MethodGet, "auth/token/lookup-self", token, nil); status != http.StatusOK {
		t.Fatalf("the token was not renewed: %d", status)
	}
	wantValue(t, b, "one", "1")
}

func TestRealExpiredTokenSignsInAgain(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	role := appRole(t, s, map[string]any{"token_ttl": "2s", "token_max_ttl": "2s"})
	b := openReal(t, s, Auth{Method: MethodAppRole, Role: role, File: newFile(t, secretID(t, s))})
	setValue(t, s, "one", "1")
	wantValue(t, b, "one", "1")
	first := b.session.reader.Token()
	testkit.WaitFor(t, "the first token has ended", func() bool {
		status, _ := s.Do(t, http.MethodGet, "auth/token/lookup-self", first, nil)
		return status == http.StatusForbidden
	})
	wantValue(t, b, "one", "1")
	if second := b.session.reader.Token(); second == first {
		t.Error("the token that ended is still the session's")
	}
}

func TestRealSealedServer(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	_, file := newToken(t, s, nil)
	b := openReal(t, s, Auth{Method: MethodToken, File: file})
	setValue(t, s, "one", "1")
	wantValue(t, b, "one", "1")
	s.Seal(t)
	_, err := b.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "is sealed", "cached tokens are used")
	if !problems.As(err).Retryable {
		t.Error("a sealed server counts as broken for good")
	}
	fresh := openReal(t, s, Auth{Method: MethodToken, File: file})
	_, err = fresh.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "is sealed")
	s.Unseal(t)
	wantValue(t, b, "one", "1")
}

func TestRealPolicyRefusal(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	_, file := newToken(t, s, map[string]any{"policies": []string{"default"}})
	b := openReal(t, s, Auth{Method: MethodToken, File: file})
	setValue(t, s, "one", "secret-of-somebody")
	_, err := b.Get(t.Context(), "one")
	roomtest.WantCode(t, err, problems.CodeVaultUnavailable, "does not allow reading the secret one", "docs/vault.md")
	if problems.As(err).Retryable {
		t.Error("a refusal counts as something that goes away")
	}
	roomtest.WantCode(t, b.Put(t.Context(), "one", []byte("x"), "1"), problems.CodeVaultUnavailable, "does not allow storing")
}

func TestRealKubernetes(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	// The cluster's side: it reviews the token of a service account.
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Spec struct{ Token string }
		}
		_ = json.NewDecoder(r.Body).Decode(&review) // an empty token is refused below
		good := strings.Count(review.Spec.Token, ".") == 2
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": map[string]any{
			"authenticated": good, "audiences": []string{"vault"}, "user": map[string]any{"username": "system:serviceaccount:partner:server", "uid": "u1", "groups": []string{}},
		}})
	}))
	t.Cleanup(cluster.Close)
	key := jwtIssuer(t, s)
	s.Must(t, http.MethodPost, "sys/auth/kubernetes", s.RootToken, map[string]any{"type": "kubernetes"})
	s.Must(t, http.MethodPost, "auth/kubernetes/config", s.RootToken, map[string]any{
		"kubernetes_host": cluster.URL, "disable_local_ca_jwt": true, "token_reviewer_jwt": serviceAccount(t, key), "kubernetes_ca_cert": s.CAPEM,
	})
	s.Must(t, http.MethodPost, "auth/kubernetes/role/server", s.RootToken, map[string]any{
		"bound_service_account_names": "server", "bound_service_account_namespaces": "partner", "token_policies": "mcp-partner",
	})
	setValue(t, s, "one", "1")
	b := openReal(t, s, Auth{Method: MethodKubernetes, Role: "server", File: newFile(t, serviceAccount(t, key))})
	wantValue(t, b, "one", "1")
}
