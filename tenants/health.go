package tenants

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
)

const (
	healthName    = "credentials.json"
	healthLock    = "credentials.lock"
	healthVersion = 1
	// healthPause gathers what happens to sign-ins before it is written.
	healthPause = 10 * time.Second
	// healthLimit bounds one write, for which only the end of the process waits.
	healthLimit = 3 * time.Second
	maxHealth   = 2048
)

// Health is what became of a credential's sign-ins. It holds no secret and no
// text of Entra ID.
type Health struct {
	LastSuccess time.Time     `json:"last_success,omitzero"`
	LastFailure time.Time     `json:"last_failure,omitzero"`
	LastProblem problems.Code `json:"last_problem,omitempty"`
	// LastTenant is the entry in which the failure was.
	LastTenant string `json:"last_tenant,omitempty"`
}

// Newer takes what is newer of both.
func (h Health) Newer(other Health) Health {
	if other.LastSuccess.After(h.LastSuccess) {
		h.LastSuccess = other.LastSuccess
	}
	if other.LastFailure.After(h.LastFailure) {
		h.LastFailure, h.LastProblem, h.LastTenant = other.LastFailure, other.LastProblem, other.LastTenant
	}
	return h
}

func (h Health) newest() time.Time {
	if h.LastFailure.After(h.LastSuccess) {
		return h.LastFailure
	}
	return h.LastSuccess
}

type healthFile struct {
	Version     int               `json:"version"`
	Credentials map[string]Health `json:"credentials"` // by folded name
}

// HealthFile remembers, for every process on a state directory, when each
// credential last worked and last failed. Nobody waits for it: what happens is
// gathered in memory and written from time to time and at Close. A file that
// cannot be read or written counts as empty: nothing depends on it. A nil
// HealthFile knows nothing. It is safe for concurrent use.
type HealthFile struct {
	disk *disk.Dir // nil for one in memory

	mu sync.Mutex
	// seen and read are the file as it was read last.
	seen    disk.Stamp
	read    map[string]Health
	fresh   map[string]Health // not written yet
	pending *time.Timer
	closed  bool
	writing sync.Mutex
}

// MemoryHealth returns a HealthFile that ends with the process.
func MemoryHealth() *HealthFile { return &HealthFile{fresh: map[string]Health{}} }

// OpenHealth returns the file in a state directory. Nothing is read yet. It returns
// a CodeVaultUnavailable problem for a file that others can read or change: from
// then on nothing would be read of it or written to it.
func OpenHealth(where disk.Dir) (*HealthFile, error) {
	for _, name := range []string{healthName, healthLock} {
		if _, err := where.Stat(name); err != nil {
			return nil, err
		}
	}
	h := MemoryHealth()
	h.disk = &where
	return h, nil
}

// Note takes what became of a sign-in; it is meant for Options.OnToken.
func (h *HealthFile) Note(e Event) {
	if h == nil {
		return
	}
	one := Health{LastSuccess: e.Time.UTC()}
	if e.Problem != nil {
		one = Health{LastFailure: e.Time.UTC(), LastProblem: e.Problem.Code, LastTenant: e.Tenant}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	name := naming.Fold(e.Credential)
	h.fresh[name] = h.fresh[name].Newer(one)
	if h.pending == nil && h.disk != nil && !h.closed {
		h.pending = time.AfterFunc(healthPause, h.flush)
	}
}

// All returns what is known, by the folded name of the credential.
func (h *HealthFile) All() map[string]Health {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := maps.Clone(h.lastRead())
	mergeInto(known, h.fresh)
	return known
}

// lastRead reads the file if it changed. The lock is held.
func (h *HealthFile) lastRead() map[string]Health {
	if h.disk == nil {
		return map[string]Health{}
	}
	seen, err := h.disk.Stat(healthName)
	if err != nil || h.read == nil || !h.seen.Same(seen) {
		h.read, h.seen = h.stored(), seen
	}
	return h.read
}

// Close writes what was gathered.
func (h *HealthFile) Close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.closed = true
	if h.pending != nil {
		h.pending.Stop()
	}
	h.mu.Unlock()
	h.flush()
}

func mergeInto(known, more map[string]Health) {
	for name, one := range more {
		known[name] = known[name].Newer(one)
	}
}

func (h *HealthFile) stored() map[string]Health {
	known := map[string]Health{}
	data, _, err := h.disk.Read(healthName)
	var file healthFile
	if err != nil || data == nil || disk.DecodeVersioned(data, healthVersion, &file, &file.Version) != nil {
		return known
	}
	mergeInto(known, file.Credentials)
	return known
}

// flush writes what is fresh, merged with what other processes wrote. What
// cannot be written is kept for the next time.
func (h *HealthFile) flush() {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	batch := maps.Clone(h.fresh)
	h.pending = nil
	h.mu.Unlock()
	if len(batch) == 0 || h.disk == nil || h.write(batch) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, written := range batch {
		if h.fresh[name] == written {
			delete(h.fresh, name)
		}
	}
}

func (h *HealthFile) write(batch map[string]Health) error {
	// A state directory that nobody made yet is not made for this.
	if seen, err := h.disk.Stat(DirectoryFile); err != nil || seen.Missing() {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthLimit)
	defer cancel()
	unlock, err := h.disk.Lock(ctx, healthLock)
	if err != nil {
		return err
	}
	defer unlock()
	known := h.stored()
	mergeInto(known, batch)
	data, err := json.Marshal(healthFile{healthVersion, newestOf(known, maxHealth)})
	if err != nil {
		return err
	}
	return h.disk.Write(healthName, append(data, '\n'))
}

func newestOf(known map[string]Health, limit int) map[string]Health {
	if len(known) <= limit {
		return known
	}
	names := slices.SortedFunc(maps.Keys(known), func(a, b string) int { return known[b].newest().Compare(known[a].newest()) })
	for _, name := range names[limit:] {
		delete(known, name)
	}
	return known
}

// Event is one sign-in: a request to Entra ID or a run of az. Reuse of a token
// is no event.
type Event struct {
	Time       time.Time
	Tenant     string
	Credential string
	Kind       Kind
	// Problem is nil after a success.
	Problem *problems.Problem
}
