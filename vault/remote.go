package vault

import (
	"context"
	"slices"
	"sync"
	"time"

	"mcp-partner/internal/flight"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

const (
	// freshFor is how long a secret of a backend is used without asking again,
	// and so the longest time in which a changed one is not noticed.
	freshFor = time.Minute
	// fetchLimit bounds one fetch.
	fetchLimit = 25 * time.Second
)

// RemoteStore keeps secrets in a backend that is elsewhere. What was fetched is
// kept for a minute: thousands of tenants share one secret.
type RemoteStore struct {
	backend backend.Backend
	stop    context.CancelFunc
	fetches *flight.Group[string, fetched]

	mu     sync.Mutex
	cached map[string]fetched
}

type fetched struct {
	secret Secret
	info   SecretInfo
}

func newRemoteStore(b backend.Backend) *RemoteStore {
	base, stop := context.WithCancel(context.Background())
	return &RemoteStore{
		backend: b, stop: stop,
		fetches: flight.New[string, fetched](base, fetchLimit), cached: map[string]fetched{},
	}
}

// Get implements Store.
func (r *RemoteStore) Get(ctx context.Context, name string) (Secret, error) {
	found, err := r.fetch(ctx, name)
	return found.secret, err
}

// Info implements Store.
func (r *RemoteStore) Info(ctx context.Context, name string) (SecretInfo, error) {
	found, err := r.fetch(ctx, name)
	return found.info, err
}

func (r *RemoteStore) fetch(ctx context.Context, name string) (fetched, error) {
	key := naming.Fold(name)
	if isInternal(name) || r.backend.CheckName(key) != nil {
		return fetched{}, noSecret(name)
	}
	if known, ok := r.known(key); ok {
		return known, nil
	}
	found, err := r.fetches.Do(ctx, key, func(ctx context.Context) (fetched, error) {
		if known, ok := r.known(key); ok { // another fetch ended since the look above
			return known, nil
		}
		return r.ask(ctx, key)
	})
	if problems.IsContext(err) {
		return fetched{}, problems.OfContext(err, "Asking the backend of the vault")
	}
	return found, err
}

func (r *RemoteStore) known(key string) (fetched, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.cached[key]
	return found, ok
}

// ask fetches a secret.
func (r *RemoteStore) ask(ctx context.Context, key string) (fetched, error) {
	began := time.Now()
	item, err := r.backend.Get(ctx, key)
	if err != nil {
		return fetched{}, err
	}
	if item.Value == nil {
		return fetched{}, noSecret(key)
	}
	if len(item.Value) > MaxSecretBytes {
		return fetched{}, problems.New(problems.CodeVaultCorrupt, "The secret "+key+" in the backend is larger than a secret can be.")
	}
	// A newline at the end is one that somebody's editor or shell put there.
	found := fetched{sealed.Seal(sealed.TrimNewline(item.Value)), SecretInfo{key, item.UpdatedAt, item.ExpiresAt}}
	if found.secret.Empty() {
		return fetched{}, noSecret(key)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cached[key] = found
	time.AfterFunc(freshFor-time.Since(began), func() { r.forget(key) })
	return found, nil
}

// forget drops a secret, at worst one that a Put had fetched anew meanwhile.
func (r *RemoteStore) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cached, key)
}

// Put implements Store.
func (r *RemoteStore) Put(ctx context.Context, name string, secret Secret) error {
	return r.put(ctx, name, secret, func(backend.Item) error { return nil })
}

// Replace implements Store.
func (r *RemoteStore) Replace(ctx context.Context, name string, old, next Secret) error {
	return r.put(ctx, name, next, func(now backend.Item) error {
		if now.Value == nil {
			return noSecret(name)
		}
		if !sealed.Seal(sealed.TrimNewline(now.Value)).Equal(old) {
			return backend.Moved(untrusted.Sanitize(name))
		}
		return nil
	})
}

func (r *RemoteStore) put(ctx context.Context, name string, secret Secret, check func(backend.Item) error) error {
	if err := checkPut(name, secret); err != nil {
		return err
	}
	key := naming.Fold(name)
	if err := r.backend.CheckName(key); err != nil {
		return err
	}
	defer r.forget(key)
	now, err := r.backend.Get(ctx, key)
	if err != nil {
		return err
	}
	if err := check(now); err != nil {
		return err
	}
	return r.backend.Put(ctx, key, sealed.Bytes(secret), now.Version)
}

// Delete implements Store.
func (r *RemoteStore) Delete(ctx context.Context, name string) error {
	key := naming.Fold(name)
	if isInternal(name) || r.backend.CheckName(key) != nil {
		return nil
	}
	defer r.forget(key)
	return r.backend.Delete(ctx, key)
}

// List implements Store.
func (r *RemoteStore) List(ctx context.Context) ([]string, error) {
	names, err := r.backend.List(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return naming.Check("secret name", name) != nil })
	slices.Sort(names)
	return withoutInternal(names), nil
}

// KeyDescription implements Store.
func (r *RemoteStore) KeyDescription() string { return r.backend.Describe() }

func (r *RemoteStore) close(ctx context.Context) {
	r.stop()
	r.backend.Close(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cached)
}
