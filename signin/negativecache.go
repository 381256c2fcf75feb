package signin

import (
	"context"
	"maps"
	"sync"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault"
)

const (
	// refusedFor is how long a refusal is taken to stand, so that a run over
	// hundreds of tenants does not present a bad secret hundreds of times.
	refusedFor = 45 * time.Second
	// azRefusedFor is shorter, because a person may be signing in right now.
	azRefusedFor = 5 * time.Second
	// maxRefusals is how many of a credential may be remembered before those that
	// ended are looked for.
	maxRefusals = 1024
)

// credentialKey names a credential as Entra ID sees it.
type credentialKey struct{ name, clientID, authority string }

func (t target) credentialKey() credentialKey {
	return credentialKey{naming.Fold(t.credential.Name), t.credential.ClientID, t.cloud.Authority}
}

// refusal is what Entra ID said of one secret. Another secret is another case.
type refusal struct {
	problem  problems.Problem
	secret   vault.Secret
	tenantID string
	until    time.Time
}

// negativeCache remembers refusals for a short time. Time-outs and server
// errors say nothing about the credential and are never kept.
//
// A refusal that may be the tenant's own stands for that tenant. It stands for
// all tenants once two of them gave it and none accepted the credential
// meanwhile.
type negativeCache struct {
	now func() time.Time
	mu  sync.Mutex
	all map[credentialKey]*history
}

// history is what happened to one credential.
type history struct {
	// refused are refusals by tenant ID; one of the credential as a whole has none.
	refused map[string]*refusal
	// unclear is the last refusal that does not say whose it is.
	unclear *refusal
	// accepted is until when an acceptance speaks against such a refusal.
	accepted time.Time
	first    *pioneer
}

// of returns the history of a credential. The lock is held.
func (c *negativeCache) of(t target) *history {
	key := t.credentialKey()
	if c.all[key] == nil {
		c.all[key] = &history{}
	}
	return c.all[key]
}

func (c *negativeCache) find(t target, secret vault.Secret) *problems.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range []string{"", t.tenantID} {
		if kept := c.of(t).refused[id]; kept != nil && c.now().Before(kept.until) && kept.secret.Equal(secret) {
			problem := kept.problem
			return &problem
		}
	}
	return nil
}

func (c *negativeCache) keep(t target, secret vault.Secret, problem *problems.Problem) {
	if !isRefusal(t, problem) {
		return
	}
	lasts := refusedFor
	if problem.Code == problems.CodeAzureCLIUnavailable {
		lasts = azRefusedFor
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h, now := c.of(t), c.now()
	fresh, scope := &refusal{*problem, secret, t.tenantID, now.Add(lasts)}, scopeOf(problem)
	if len(h.refused) >= maxRefusals {
		maps.DeleteFunc(h.refused, func(_ string, kept *refusal) bool { return !now.Before(kept.until) })
	}
	if h.refused == nil {
		h.refused = map[string]*refusal{}
	}
	if scope != scopeCredential {
		h.refused[t.tenantID] = fresh
	}
	if scope == scopeCredential || scope == scopeUnclear && h.confirms(fresh, now) {
		h.refused[""] = fresh
	}
	if scope == scopeUnclear {
		h.unclear = fresh
	}
}

func (h *history) confirms(fresh *refusal, now time.Time) bool {
	before := h.unclear
	return before != nil && before.tenantID != fresh.tenantID && now.Before(before.until) && before.secret.Equal(fresh.secret) &&
		before.problem.Code == fresh.problem.Code && before.problem.ForeignCode == fresh.problem.ForeignCode && !now.Before(h.accepted)
}

func (c *negativeCache) accept(t target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(t)
	h.unclear, h.accepted = nil, c.now().Add(refusedFor)
}

func isRefusal(t target, problem *problems.Problem) bool {
	switch problem.Code {
	case problems.CodeCredentialRejected, problems.CodeCredentialExpired, problems.CodeConsentMissing, problems.CodeTenantNotFound,
		problems.CodeSignInBlocked, problems.CodeForeignPrincipal, problems.CodeAzureCLIUnavailable:
		return true
	case problems.CodeInteractionRequired:
		// Another sign-in is another secret, so a person who fixes it is not kept
		// waiting. A service principal's is fixed in the tenant.
		return t.credential.Kind.Interactive()
	}
	return false
}

// firstPatience bounds the wait for the first sign-in of a credential.
const firstPatience = 2 * time.Second

// pioneer is the one sign-in of a credential that goes ahead of all others: if
// its secret is wrong, the others need not present it too, each in its own tenant.
type pioneer struct {
	secret vault.Secret
	done   chan struct{}
}

// enter returns at once for the first caller and for everybody after the first
// one called leave; the others wait, with patience. The first caller must call
// leave, which says whether the refusal may hold in other tenants: after one the
// next caller is a first one.
func (c *negativeCache) enter(ctx context.Context, t target, secret vault.Secret) (leave func(refused bool)) {
	c.mu.Lock()
	h := c.of(t)
	first := h.first
	if first == nil || !first.secret.Equal(secret) {
		first = &pioneer{secret, make(chan struct{})}
		h.first = first
		c.mu.Unlock()
		return func(refused bool) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if refused && h.first == first {
				h.first = nil
			}
			close(first.done)
		}
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, firstPatience)
	defer cancel()
	select {
	case <-first.done:
	case <-ctx.Done():
	}
	return func(bool) {}
}
