package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/internal/issuertest"
	"mcp-partner/internal/testkit"
)

const (
	audience = "api://mcp-partner"
	tenantA  = "11111111-2222-3333-4444-555555555555"
	tenantB  = "99999999-2222-3333-4444-555555555555"
	objectA  = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

func newClock() *testkit.Clock { return testkit.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) }

// fixture is an authenticator with its issuer.
type fixture struct {
	*Authenticator
	t      testing.TB
	issuer *issuertest.Issuer
	clock  *testkit.Clock
}

// newFixture accepts tokens of the issuer under its own name, or of the given
// names.
func newFixture(t testing.TB, m Mapping, names ...string) *fixture {
	t.Helper()
	h := &fixture{t: t, issuer: issuertest.Start(t), clock: newClock()}
	if len(names) == 0 {
		names = []string{h.issuer.URL()}
	}
	var err error
	h.Authenticator, err = New(Options{
		Issuers: names, Audiences: []string{audience}, Client: h.issuer.Client(), Mapping: m, Now: h.clock.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// claims are those of a good token of the issuer's own name.
func (h *fixture) claims() issuertest.Claims {
	now := h.clock.Now().Unix()
	return issuertest.Claims{
		"iss": h.issuer.URL(), "aud": audience, "sub": "alice", "azp": "some-client", "scope": "openid partner.read",
		"exp": now + 3600, "nbf": now, "iat": now,
	}
}

// with are good claims with some of them set otherwise.
func (h *fixture) with(changes issuertest.Claims) issuertest.Claims {
	return issuertest.With(h.claims(), changes)
}

func (h *fixture) accepts(token string) access.Principal {
	h.t.Helper()
	p, err := h.Authenticate(h.t.Context(), token)
	if err != nil {
		h.t.Fatalf("refused: %v", err)
	}
	return p
}

func (h *fixture) refuses(token string, want error) {
	h.t.Helper()
	p, err := h.Authenticate(h.t.Context(), token)
	if !errors.Is(err, want) || p.Caller != "" || len(p.Grant.Scopes)+len(p.Grant.Tenants) != 0 {
		h.t.Errorf("got %v and %v, want the refusal %v", p, err, want)
	}
}

// safeBuffer is written to by the issuer's loads and read by the test.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func jsonOf(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
