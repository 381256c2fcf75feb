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
	// maxRefusals is how many may be remembered before those that ended are
	// looked for.
	maxRefusals = 1024
)

// credentialKey names a credential as Entra ID sees it.
type credentialKey struct{ name, clientID, authority string }

// refusalKey names what a refusal is about; without a tenant it is about the
// credential as a whole.
type refusalKey struct {
	credential credentialKey
	tenantID   string
}

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
	now  func() time.Time
	mu   sync.Mutex
	kept map[refusalKey]refusal
	// unclear is the last refusal of a credential that does not say whose it is.
	unclear map[credentialKey]refusal
	// accepted is until when an acceptance speaks against such a refusal.
	accepted map[credentialKey]time.Time
}

func newNegativeCache(now func() time.Time) *negativeCache {
	return &negativeCache{now: now, kept: map[refusalKey]refusal{}, unclear: map[credentialKey]refusal{}, accepted: map[credentialKey]time.Time{}}
}

func (c *negativeCache) find(t target, secret vault.Secret) *problems.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range []refusalKey{{t.credentialKey(), ""}, {t.credentialKey(), t.tenantID}} {
		kept, ok := c.kept[key]
		if !ok {
			continue
		}
		if c.now().Before(kept.until) && kept.secret.Equal(secret) {
			problem := kept.problem
			return &problem
		}
		delete(c.kept, key)
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
	c.sweep()
	key := t.credentialKey()
	fresh := refusal{*problem, secret, t.tenantID, c.now().Add(lasts)}
	switch scopeOf(problem) {
	case scopeTenant:
		c.kept[refusalKey{key, t.tenantID}] = fresh
	case scopeCredential:
		c.kept[refusalKey{key, ""}] = fresh
	case scopeUnclear:
		c.kept[refusalKey{key, t.tenantID}] = fresh
		if c.confirms(key, fresh) {
			c.kept[refusalKey{key, ""}] = fresh
		}
		c.unclear[key] = fresh
	}
}

func (c *negativeCache) confirms(key credentialKey, fresh refusal) bool {
	before, ok := c.unclear[key]
	now := c.now()
	return ok && before.tenantID != fresh.tenantID && now.Before(before.until) && before.secret.Equal(fresh.secret) &&
		before.problem.Code == fresh.problem.Code && before.problem.ForeignCode == fresh.problem.ForeignCode && !now.Before(c.accepted[key])
}

func (c *negativeCache) accept(t target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := t.credentialKey()
	delete(c.unclear, key)
	c.accepted[key] = c.now().Add(refusedFor)
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

// sweep forgets what has ended once there is much of it. The lock is held.
func (c *negativeCache) sweep() {
	if len(c.kept) < maxRefusals {
		return
	}
	now := c.now()
	maps.DeleteFunc(c.kept, func(_ refusalKey, kept refusal) bool { return !now.Before(kept.until) })
}

// firstPatience bounds the wait for the first sign-in of a credential.
const firstPatience = 2 * time.Second

// firstSignIn lets one sign-in of a credential go ahead of all others: if its
// secret is wrong, the others need not present it too, each in its own tenant.
type firstSignIn struct {
	mu  sync.Mutex
	all map[credentialKey]*pioneer
}

type pioneer struct {
	secret vault.Secret
	done   chan struct{}
}

// enter returns at once for the first caller and for everybody after the first
// one called leave; the others wait, with patience. The first caller must call
// leave, which says whether the refusal may hold in other tenants.
func (f *firstSignIn) enter(ctx context.Context, key credentialKey, secret vault.Secret) (leave func(refused bool)) {
	f.mu.Lock()
	first, ok := f.all[key]
	if !ok || !first.secret.Equal(secret) {
		first = &pioneer{secret, make(chan struct{})}
		f.all[key] = first
		f.mu.Unlock()
		return func(refused bool) { f.finish(key, first, refused) }
	}
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, firstPatience)
	defer cancel()
	select {
	case <-first.done:
	case <-ctx.Done():
	}
	return func(bool) {}
}

// finish lets the others pass. After a refusal the next caller is a first one.
func (f *firstSignIn) finish(key credentialKey, first *pioneer, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if refused && f.all[key] == first {
		delete(f.all, key)
	}
	close(first.done)
}
