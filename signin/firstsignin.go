package signin

import (
	"context"
	"sync"
	"time"

	"mcp-partner/vault"
)

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

func newFirstSignIn() *firstSignIn { return &firstSignIn{all: map[credentialKey]*pioneer{}} }

// enter returns at once for the first caller and for everybody after the first
// one called leave; the others wait, with patience. The first caller must call
// leave, which says whether the refusal may hold in other tenants.
func (f *firstSignIn) enter(ctx context.Context, key credentialKey, secret vault.Secret) (leave func(refused bool)) {
	first, own := f.join(key, secret)
	if own {
		return func(refused bool) { f.finish(key, first, refused) }
	}
	patience := time.NewTimer(firstPatience)
	defer patience.Stop()
	select {
	case <-first.done:
	case <-ctx.Done():
	case <-patience.C:
	}
	return func(bool) {}
}

func (f *firstSignIn) join(key credentialKey, secret vault.Secret) (found *pioneer, own bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found, ok := f.all[key]; ok && found.secret.Equal(secret) {
		return found, false
	}
	f.all[key] = &pioneer{secret, make(chan struct{})}
	return f.all[key], true
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
