package vault

import (
	"context"
	"slices"
	"sync"
	"time"

	"mcp-partner/internal/flight"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
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
	checked
	backend backend.Backend
	stop    context.CancelFunc
	fetches *flight.Group[string, Stored]

	mu     sync.Mutex
	cached map[string]Stored
}

func newRemoteStore(b backend.Backend) *RemoteStore {
	base, stop := context.WithCancel(context.Background())
	r := &RemoteStore{
		backend: b, stop: stop,
		fetches: flight.New[string, Stored](base, fetchLimit), cached: map[string]Stored{},
	}
	r.checked = checked{r}
	return r
}

func (r *RemoteStore) find(ctx context.Context, key string) (Stored, error) {
	if r.backend.CheckName(key) != nil {
		return Stored{}, nil
	}
	found, err := r.fetches.Do(ctx, key, func(ctx context.Context) (Stored, error) { return r.fetch(ctx, key) })
	if problems.IsContext(err) {
		return Stored{}, problems.OfContext(err, "Asking the backend of the vault")
	}
	return found, err
}

func (r *RemoteStore) fetch(ctx context.Context, key string) (Stored, error) {
	r.mu.Lock()
	known, ok := r.cached[key]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	began := time.Now()
	item, err := r.backend.Get(ctx, key)
	if err != nil {
		return Stored{}, err
	}
	if len(item.Value) > MaxSecretBytes {
		return Stored{}, problems.New(problems.CodeVaultCorrupt, "The secret "+key+" in the backend is larger than a secret can be.")
	}
	found := storedItem(key, item)
	if found.Secret.Empty() {
		return found, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cached[key] = found
	time.AfterFunc(freshFor-time.Since(began), func() { r.forget(key) })
	return found, nil
}

// forget drops a secret, at worst one that a put had fetched anew meanwhile.
func (r *RemoteStore) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cached, key)
}

// storedItem is an item as a secret. A newline at the end is one that somebody's
// editor or shell put there.
func storedItem(key string, item backend.Item) Stored {
	return Stored{key, sealed.Seal(sealed.TrimNewline(item.Value)), item.UpdatedAt, item.ExpiresAt}
}

func (r *RemoteStore) put(ctx context.Context, key string, change func(now Stored) (Stored, error)) error {
	if err := r.backend.CheckName(key); err != nil {
		return err
	}
	defer r.forget(key)
	item, err := r.backend.Get(ctx, key)
	if err != nil {
		return err
	}
	next, err := change(storedItem(key, item))
	if err != nil {
		return err
	}
	return r.backend.Put(ctx, key, sealed.Bytes(next.Secret), item.Version)
}

func (r *RemoteStore) remove(ctx context.Context, key string) error {
	if r.backend.CheckName(key) != nil {
		return nil
	}
	defer r.forget(key)
	return r.backend.Delete(ctx, key)
}

func (r *RemoteStore) names(ctx context.Context) ([]string, error) {
	names, err := r.backend.List(ctx)
	return slices.DeleteFunc(names, func(name string) bool { return naming.Check("secret name", name) != nil }), err
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
