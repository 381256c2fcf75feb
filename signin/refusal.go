package signin

import (
	"context"
	"maps"
	"sync"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/schemas"
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
	// gatePatience bounds the wait for the first sign-in of a credential.
	gatePatience = 2 * time.Second
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
	problem schemas.Problem
	secret  vault.Secret
	until   time.Time
}

// refusals remembers refusals for a short time. Time-outs and server errors say
// nothing about the credential and are never kept.
type refusals struct {
	now  func() time.Time
	mu   sync.Mutex
	kept map[refusalKey]refusal
}

func newRefusals(now func() time.Time) *refusals {
	return &refusals{now: now, kept: map[refusalKey]refusal{}}
}

// find returns the refusal that stands against a target, or nil.
func (r *refusals) find(t target, secret vault.Secret) *schemas.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range []refusalKey{{t.credentialKey(), ""}, {t.credentialKey(), t.tenantID}} {
		kept, ok := r.kept[key]
		if !ok {
			continue
		}
		if r.now().Before(kept.until) && kept.secret.Equal(secret) {
			problem := kept.problem
			return &problem
		}
		delete(r.kept, key)
	}
	return nil
}

// keep remembers a problem if it is a refusal.
func (r *refusals) keep(t target, secret vault.Secret, problem *schemas.Problem) {
	key := refusalKey{t.credentialKey(), ""}
	lasts := refusedFor
	switch problem.Code {
	case schemas.CodeCredentialRejected, schemas.CodeCredentialExpired:
	case schemas.CodeConsentMissing, schemas.CodeTenantNotFound:
		key.tenantID = t.tenantID
	case schemas.CodeInteractionRequired:
		// Another sign-in is another secret, so a person who mends it is not
		// kept waiting. A service principal's is the tenant's to mend.
		if !t.credential.Kind.Person() {
			return
		}
		key.tenantID = t.tenantID
	case schemas.CodeAzureCLIUnavailable:
		lasts = azRefusedFor
	default:
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep()
	r.kept[key] = refusal{*problem, secret, r.now().Add(lasts)}
}

// sweep forgets what has ended once there is much of it. The lock is held.
func (r *refusals) sweep() {
	if len(r.kept) < maxRefusals {
		return
	}
	now := r.now()
	maps.DeleteFunc(r.kept, func(_ refusalKey, kept refusal) bool { return !now.Before(kept.until) })
}

// gates let one sign-in of a credential go ahead of all others: if its secret
// is wrong, the others need not present it too, each in its own tenant.
type gates struct {
	mu  sync.Mutex
	all map[credentialKey]*gate
}

type gate struct {
	secret vault.Secret
	opened chan struct{}
}

func newGates() *gates { return &gates{all: map[credentialKey]*gate{}} }

// enter returns at once for the first caller and for everybody after the first
// one called leave; the others wait, with patience. The first caller must call
// leave, which says whether the credential was refused as a whole.
func (g *gates) enter(ctx context.Context, key credentialKey, secret vault.Secret) (leave func(refused bool)) {
	first, own := g.join(key, secret)
	if own {
		return func(refused bool) { g.open(key, first, refused) }
	}
	patience := time.NewTimer(gatePatience)
	defer patience.Stop()
	select {
	case <-first.opened:
	case <-ctx.Done():
	case <-patience.C:
	}
	return func(bool) {}
}

func (g *gates) join(key credentialKey, secret vault.Secret) (found *gate, own bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if found, ok := g.all[key]; ok && found.secret.Equal(secret) {
		return found, false
	}
	g.all[key] = &gate{secret, make(chan struct{})}
	return g.all[key], true
}

// open lets the others pass. After a refusal the next caller is a first one.
func (g *gates) open(key credentialKey, first *gate, refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if refused && g.all[key] == first {
		delete(g.all, key)
	}
	close(first.opened)
}
