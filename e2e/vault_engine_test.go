package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp-partner/internal/vaulttest"
)

// engine is an Entra ID that takes the passwords of the Azure engine as the
// application's secret, and notes them.
type engine struct {
	*canary
	mu   sync.Mutex
	seen []string
}

func (e *engine) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	form, formErr := url.ParseQuery(string(body))
	if err != nil || formErr != nil {
		panic(http.ErrAbortHandler)
	}
	if password := form.Get("client_secret"); strings.HasPrefix(password, "azure-engine-") {
		e.mu.Lock()
		e.seen = append(e.seen, password)
		e.mu.Unlock()
		form.Set("client_secret", e.sim.ClientSecret())
	}
	text := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	e.tap.next.ServeHTTP(w, r)
}

// TestRealVaultServerLendsPasswords has the server's Azure engine make the
// application's password for the whole program, which gives each one back.
func TestRealVaultServerLendsPasswords(t *testing.T) {
	t.Parallel()
	s := vaulttest.Start(t)
	e := &engine{canary: &canary{world: newWorld(t, oneTenant())}}
	contoso := e.tenant("contoso")
	e.tap.answer(contoso.TenantID, e.serve)
	s.Must(t, http.MethodPost, "azure/roles/partner-app", s.RootToken, map[string]any{
		"client_id": e.sim.ClientID(), "application_object_id": "99999999-2222-4333-8444-555555555555", "ttl": "1h", "max_ttl": "2h"})
	_, token := s.Token(t, nil)
	ca := filepath.Join(e.dir, "vault-ca.pem")
	e.write(ca, s.CAPEM)
	for _, args := range [][]string{
		{"vault", "init", "--backend", "hashicorp", "--server", s.Address, "--ca-file", ca, "--auth", "token", "--auth-file", token},
		{"vault", "add", "app", "--azure-role", "partner-app", "--client-id", e.sim.ClientID()},
		{"tenants", "add", "contoso", "--tenant-id", contoso.TenantID, "--client-id", e.sim.ClientID(), "--credential", "app",
			"--cloud", "custom", "--arm-endpoint", e.url, "--arm-audience", e.sim.Audience(), "--authority", e.url + "/",
			"--ca-file", e.caFile, "--skip-instance-discovery", "--allow-other-authority"},
		{"call", "check_partner_link", "--json"}, {"vault", "test", "app"},
	} {
		o := e.cli(append(args, "--log-level", "debug")...).must(t)
		e.said = append(e.said, o.both())
	}
	if len(e.seen) != 2 || e.seen[0] == e.seen[1] {
		t.Errorf("%d sign-ins with passwords of the engine, want 2, each with its own", len(e.seen))
	}
	back := fmt.Sprint(s.Must(t, http.MethodGet, "azure/revoked", s.RootToken, nil))
	if slices.ContainsFunc(e.seen, func(password string) bool { return !strings.Contains(back, password) }) {
		t.Errorf("a password was not given back")
	}
	e.search(append(e.tap.all(), append(e.seen, e.sim.ClientSecret())...))
}
