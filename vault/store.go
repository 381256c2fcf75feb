package vault

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/sealed"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
	"mcp-partner/vault/internal/backend"
)

// Store keeps secrets by name. Implementations are safe for concurrent use and
// return problems only: CodeVaultMissing for a name without a secret,
// CodeVaultLocked, CodeVaultCorrupt and CodeVaultUnavailable for the rest.
type Store interface {
	// Get returns the secret of that name, and what is known of it.
	Get(ctx context.Context, name string) (Stored, error)
	// Put stores a secret, in place of one with the same name.
	Put(ctx context.Context, name string, secret Secret) error
	// Replace stores a secret in place of the old one. It returns a
	// CodeStateMoved problem if another one is there by now.
	Replace(ctx context.Context, name string, old, next Secret) error
	// Delete removes a secret; one that is not there is no error.
	Delete(ctx context.Context, name string) error
	// List returns the names, sorted.
	List(ctx context.Context) ([]string, error)
	// KeyDescription says in plain words what protects the secrets and what
	// against, and what it does not protect against.
	KeyDescription() string
}

// Stored is a secret with what a store knows of it.
type Stored struct {
	Name   string
	Secret Secret
	// UpdatedAt is when it was stored, ExpiresAt when the backend lets it end; both
	// are zero where that is not known.
	UpdatedAt, ExpiresAt time.Time
}

// storage is where secrets are, by folded name. One that is not there is the
// zero Stored.
type storage interface {
	find(ctx context.Context, key string) (Stored, error)
	// put stores what change makes of the secret that is there.
	put(ctx context.Context, key string, change func(now Stored) (Stored, error)) error
	remove(ctx context.Context, key string) error
	names(ctx context.Context) ([]string, error)
}

// checked is a Store on a storage: it checks what goes in, and keeps the
// program's own keys from coming out.
type checked struct{ storage }

// Get implements Store.
func (c checked) Get(ctx context.Context, name string) (Stored, error) {
	if isInternal(name) {
		return Stored{}, noSecret(name)
	}
	found, err := c.find(ctx, naming.Fold(name))
	if err == nil && found.Secret.Empty() {
		err = noSecret(name)
	}
	return found, err
}

// Put implements Store.
func (c checked) Put(ctx context.Context, name string, secret Secret) error {
	return c.change(ctx, name, secret, func(Stored) error { return nil })
}

// Replace implements Store.
func (c checked) Replace(ctx context.Context, name string, old, next Secret) error {
	return c.change(ctx, name, next, func(now Stored) error {
		switch {
		case now.Secret.Empty():
			return noSecret(name)
		case !now.Secret.Equal(old):
			return backend.Moved(untrusted.Sanitize(name))
		}
		return nil
	})
}

func (c checked) change(ctx context.Context, name string, secret Secret, check func(now Stored) error) error {
	if err := checkPut(name, secret); err != nil {
		return err
	}
	return c.put(ctx, naming.Fold(name), func(now Stored) (Stored, error) {
		return Stored{Name: name, Secret: secret, UpdatedAt: time.Now().UTC()}, check(now)
	})
}

// Delete implements Store.
func (c checked) Delete(ctx context.Context, name string) error {
	if isInternal(name) {
		return nil
	}
	return c.remove(ctx, naming.Fold(name))
}

// List implements Store.
func (c checked) List(ctx context.Context) ([]string, error) {
	names, err := c.names(ctx)
	slices.Sort(names)
	return withoutInternal(names), err
}

// MemoryStore keeps secrets in the memory of this process alone.
type MemoryStore struct {
	checked
	mu      sync.RWMutex
	secrets map[string]Stored
}

// NewMemoryStore returns an empty store, for simulations.
func NewMemoryStore() *MemoryStore {
	m := &MemoryStore{secrets: map[string]Stored{}}
	m.checked = checked{m}
	return m
}

func (m *MemoryStore) find(_ context.Context, key string) (Stored, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.secrets[key], nil
}

func (m *MemoryStore) put(_ context.Context, key string, change func(now Stored) (Stored, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, err := change(m.secrets[key])
	if err == nil {
		m.secrets[key] = next
	}
	return err
}

func (m *MemoryStore) remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.secrets, key)
	return nil
}

func (m *MemoryStore) names(context.Context) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Collect(maps.Keys(m.secrets)), nil
}

// KeyDescription implements Store.
func (m *MemoryStore) KeyDescription() string {
	return "Secrets are in the memory of this process until it ends. Nothing protects them from programs that can read that memory."
}

func checkPut(name string, secret Secret) error {
	if secret.Empty() {
		return problems.InvalidArgument("The secret is empty.")
	}
	if isInternal(name) {
		return problems.InvalidArgument("The name %q begins with %s, which is reserved for the program's own keys: choose another.", untrusted.Sanitize(name), internalPrefix)
	}
	return naming.Check("secret name", name)
}

func noSecret(name string) *problems.Problem {
	return problems.New(problems.CodeVaultMissing,
		"The vault holds no secret with the name \""+untrusted.Sanitize(name)+"\".",
		problems.WithCommand("Compare the name with those of the vault.", "mcp-partner vault list"))
}

// MaxSecretBytes bounds a secret.
const MaxSecretBytes = sealed.MaxBytes

// Secret holds a secret that nothing prints. Only the rooms that may import
// internal/sealed can read it.
type Secret = sealed.Secret

// NewSecret is sealed.New: it takes a secret as it was read, and copies it.
func NewSecret(raw []byte) (Secret, error) { return sealed.New(raw) }

// corrupt reports a damaged file and how to restore it. Following the advice
// must succeed, so it names every file involved: an older vault is refused for
// as long as vault.generation remembers the newer one.
func corrupt(d disk.Dir, name, what string) *problems.Problem {
	switch name {
	case markName:
		return d.Corrupt(name, what, problems.WithCommand("If the vault itself is the newest, remove the file; it is written again.", "%s", d.RemoveCommand(name)))
	case vaultName:
		return d.Corrupt(name, what, d.PreviousHint(name, "a secret that was stored last must be stored again",
			"restore it from a backup and remove "+d.File(markName)+
				" (without a backup: move it away, create a new vault with mcp-partner vault init, and store each secret again)", markName))
	}
	return d.Corrupt(name, what, d.PreviousHint(name, "the last addition is missing", "restore it from a backup."))
}
