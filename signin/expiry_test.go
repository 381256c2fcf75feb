package signin

import (
	"context"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

// A secret whose end is known is not presented after it.
func TestExpiredSecretIsNotPresented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientSecret, Expires: tenants.FormatExpiry(time.Now().Add(time.Hour))})
	secret, err := vault.NewSecret([]byte(w.sim.ClientSecret()))
	if err != nil {
		t.Fatal(err)
	}
	w.put(secret)
	w.accepted("contoso")
	w.clock.Advance(2 * time.Hour)
	before := w.sim.Stats().TokenRequests
	_, err = w.token("contoso")
	problem := roomtest.WantCode(t, err, problems.CodeCredentialExpired)
	if w.sim.Stats().TokenRequests != before || !strings.Contains(problem.Command, "tenants set contoso --secret-stdin") {
		t.Errorf("%d requests, hint %q", w.sim.Stats().TokenRequests-before, problem.Hint)
	}
}

// dated is a store whose backend knows when a secret ends.
type dated struct {
	*vault.MemoryStore
	end time.Time
}

// Get implements Store.
func (d dated) Get(ctx context.Context, name string) (vault.Stored, error) {
	stored, err := d.MemoryStore.Get(ctx, name)
	stored.ExpiresAt = d.end
	return stored, err
}

func TestSecretExpiryOfBackendIsHonoured(t *testing.T) {
	t.Parallel()
	w := ready(t, tenants.KindClientSecret, 1)
	w.Source.opts.Store = dated{w.store, w.clock.Now().Add(time.Hour)}
	w.accepted("contoso")
	w.clock.Advance(2 * time.Hour)
	before := w.sim.Stats().TokenRequests
	_, err := w.token("contoso")
	roomtest.WantCode(t, err, problems.CodeCredentialExpired)
	if got := w.sim.Stats().TokenRequests - before; got != 0 {
		t.Errorf("%d requests with a secret that has ended", got)
	}
}

// Somebody who replaces a secret in a backend tells the directory nothing.
func TestSecretReplacedInBackendHasNewExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientSecret, Expires: tenants.FormatExpiry(time.Now().Add(-time.Hour))})
	w.put(roomtest.MustSecret(t, w.sim.ClientSecret()))
	_, err := w.token("contoso")
	if problem := roomtest.WantCode(t, err, problems.CodeCredentialExpired); !strings.Contains(problem.Command, "tenants set contoso --secret-stdin --expires DATE") {
		t.Errorf("hint %q", problem.Hint)
	}
	end := w.clock.Now().Add(60 * 24 * time.Hour).UTC().Truncate(time.Second)
	w.Source.opts.Store = dated{w.store, end}
	w.accepted("contoso")
	if known, err := w.directory.Credential(kindName); err != nil || known.Expires != tenants.FormatExpiry(end) {
		t.Errorf("the directory says %q (%v), want %s", known.Expires, err, end)
	}
}

func TestCertificateReplacedInBackendHasNewExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientCertificate, Expires: tenants.FormatExpiry(time.Now().Add(-time.Hour)), Thumbprint: "AB"})
	issued := certificate(t, rsaKey(t, 0), year())
	w.sim.RegisterCertificate(issued)
	w.put(stored(t, pemOf(t, rsaKey(t, 0), issued), ""))
	w.accepted("contoso")
	known, err := w.directory.Credential(kindName)
	if err != nil || known.Expires != tenants.FormatExpiry(issued.NotAfter) || len(known.Thumbprint) != 40 {
		t.Errorf("the directory says %+v (%v)", known, err)
	}
}

// What somebody has changed meanwhile is not set back.
func TestRevisedCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, tenants.CredentialConfig{Kind: tenants.KindClientSecret})
	before, err := w.directory.Credential(kindName)
	if err != nil {
		t.Fatal(err)
	}
	moved, after := before, before
	moved.ClientID, after.Expires = roomtest.TenantID(7), "2031-01-02T00:00:00Z"
	if err := w.directory.SetCredential(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	if err := w.directory.Revise(t.Context(), before, after); err != nil {
		t.Fatal(err)
	}
	if now, err := w.directory.Credential(kindName); err != nil || now != moved {
		t.Errorf("the credential is %+v (%v), want %+v", now, err, moved)
	}
}
