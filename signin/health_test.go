package signin

import (
	"testing"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

func TestCredentialStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, tenants.CredentialConfig{Kind: tenants.KindClientSecret})
	health := tenants.MemoryHealth()
	w.opts.OnToken = health.Note
	_, err := w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeVaultMissing)
	secret, err := vault.NewSecret([]byte("wrong"))
	if err != nil {
		t.Fatal(err)
	}
	w.put(secret)
	_, err = w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeCredentialRejected)
	list, err := w.directory.Status(health)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v (%v)", list, err)
	}
	got := list[0]
	if got.Kind != "client-secret" || got.Tenants != 3 || got.Expiry != "unknown" || got.LastProblem != problems.CodeCredentialRejected || got.LastFailure == "" || got.LastSuccess != "" {
		t.Errorf("status is %+v", got)
	}
}
