package vault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"mcp-partner/internal/disk"
	"mcp-partner/schemas/problems"
)

const (
	vaultName = "vault.age"
	vaultLock = "vault.lock"
	markName  = "vault.generation"
)

// FileStore keeps secrets in one file, vault.age in the state directory,
// encrypted with age. It opens at the first use; the file is decrypted once and
// again only after it changed. A write replaces the file as a whole, under a
// lock, and keeps what it held before as vault.age.previous.
//
// Each write raises a generation number inside of the file, and
// vault.generation beside it keeps the highest one. A restored older file is
// refused, since it would silently restore replaced secrets. This detects
// accidents and an attacker who can replace that one file, but not one who can
// write both.
type FileStore struct {
	checked
	disk   disk.Dir
	source KeySource
	// provider keeps the key where the source names none.
	provider keyProvider
	cost     int // scrypt work factor for writing
	// writer is held by the one change that is under way in this process.
	writer chan struct{}

	mu      sync.Mutex
	state   *openVault
	opening *opening
}

// openVault is a decrypted vault; it is never changed.
type openVault struct {
	payload *payload
	key     *key
	stamp   disk.Stamp
}

// opening is one attempt to open the vault, whose outcome all waiters share.
type opening struct {
	done  chan struct{}
	state *openVault
	err   error
}

// newFileStore reads nothing yet, so that a server starts without a key it may
// never need.
func newFileStore(d disk.Dir, source KeySource) *FileStore {
	f := &FileStore{disk: d, source: source, provider: fileProvider(d), cost: workFactor, writer: make(chan struct{}, 1)}
	f.checked = checked{f}
	return f
}

// Open opens the vault now, for a command that wants the prompt or the error
// at its start.
func (f *FileStore) Open(ctx context.Context) error {
	_, err := f.open(ctx)
	return err
}

func (f *FileStore) find(ctx context.Context, key string) (Stored, error) {
	state, err := f.open(ctx)
	if err != nil {
		return Stored{}, err
	}
	return state.payload.secrets[key], nil
}

func (f *FileStore) names(ctx context.Context) ([]string, error) {
	state, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	return state.payload.names(), nil
}

func (f *FileStore) put(ctx context.Context, name string, change func(now Stored) (Stored, error)) error {
	return f.revise(ctx, func(content *payload, _ *key) (bool, error) {
		next, err := change(content.secrets[name])
		content.secrets[name] = next
		return true, err
	})
}

func (f *FileStore) remove(ctx context.Context, name string) error {
	return f.revise(ctx, func(content *payload, _ *key) (bool, error) {
		_, there := content.secrets[name]
		delete(content.secrets, name)
		return there, nil
	})
}

// open returns the vault as the file is now. Callers that come while it is
// being opened share the attempt; one whose time is over stops waiting.
func (f *FileStore) open(ctx context.Context) (*openVault, error) {
	for {
		seen, err := f.disk.Stat(vaultName)
		if err != nil {
			return nil, err
		}
		attempt, leader := f.join(seen)
		if leader {
			attempt.state, attempt.err = f.load(ctx)
			f.mu.Lock()
			f.opening = nil
			f.mu.Unlock()
			close(attempt.done)
			return attempt.state, attempt.err
		}
		select {
		case <-attempt.done:
			if !gaveUp(attempt.err) || ctx.Err() != nil {
				return attempt.state, attempt.err
			}
		case <-ctx.Done():
			return nil, problems.OfContext(ctx.Err(), "Opening the vault")
		}
	}
}

// join returns the attempt to wait for, and whether the caller makes it. A
// vault that is open and unchanged is an attempt that is over.
func (f *FileStore) join(seen disk.Stamp) (attempt *opening, leader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != nil && !seen.Missing() && f.state.stamp.Same(seen) {
		done := make(chan struct{})
		close(done)
		return &opening{done: done, state: f.state}, false
	}
	if f.opening != nil {
		return f.opening, false
	}
	f.opening = &opening{done: make(chan struct{})}
	return f.opening, true
}

// gaveUp reports whether an attempt ended because its own caller went away.
func gaveUp(err error) bool {
	var p *problems.Problem
	return errors.As(err, &p) && (p.Code == problems.CodeTimeout || p.Code == problems.CodeCancelled)
}

func (f *FileStore) load(ctx context.Context) (*openVault, error) {
	// The mark comes first: a concurrent writer raises it after the vault, so a
	// vault read later is never older than a mark read before.
	highest, err := f.highestGeneration()
	if err != nil {
		return nil, err
	}
	sealedFile, seen, err := f.disk.Read(vaultName)
	if err != nil {
		return nil, err
	}
	if seen.Missing() {
		return nil, problems.New(problems.CodeVaultMissing, "There is no vault "+f.disk.Where()+" yet.",
			problems.WithCommand("Ask a person to create one.", "mcp-partner vault init"))
	}
	k, content, err := f.decrypt(ctx, sealedFile)
	if err != nil {
		return nil, err
	}
	if content.generation < highest {
		return nil, problems.New(problems.CodeVaultCorrupt,
			fmt.Sprintf("%s is an older version: it is generation %d, and generation %d was here before.", f.disk.File(vaultName), content.generation, highest),
			problems.WithCommand("Restore the newest vault. To keep this one, with secrets that were replaced since, run the command.", "%s", f.disk.RemoveCommand(markName)))
	}
	state := &openVault{content, k, seen}
	f.remember(state)
	return state, nil
}

func (f *FileStore) remember(state *openVault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state
}

// highestGeneration returns the highest generation that was written here, 0 if
// unknown.
func (f *FileStore) highestGeneration() (uint64, error) {
	data, seen, err := f.disk.Read(markName)
	if err != nil || seen.Missing() {
		return 0, err
	}
	highest, err := strconv.ParseUint(strings.TrimSuffix(string(data), "\n"), 10, 64)
	if err != nil {
		return 0, corrupt(f.disk, markName, "it is not a number")
	}
	return highest, nil
}

// revise applies one change to the newest state and writes it. If it fails at
// any point, the file stays as it was. An edit that returns false changes
// nothing.
func (f *FileStore) revise(ctx context.Context, edit func(*payload, *key) (changed bool, err error)) error {
	return f.exclusive(ctx, func(state *openVault) error {
		next := state.payload.next()
		if changed, err := edit(next, state.key); err != nil || !changed {
			return err
		}
		return f.save(next, state.key)
	})
}

func (f *FileStore) exclusive(ctx context.Context, work func(*openVault) error) error {
	select {
	case f.writer <- struct{}{}:
		defer func() { <-f.writer }()
	case <-ctx.Done():
		return problems.OfContext(ctx.Err(), "Changing the vault")
	}
	// Before the lock, because a person may be asked for the passphrase.
	if err := f.Open(ctx); err != nil {
		return err
	}
	unlock, err := f.disk.Lock(ctx, vaultLock)
	if err != nil {
		return err
	}
	defer unlock()
	state, err := f.open(ctx)
	if err != nil {
		return err
	}
	return work(state)
}

// save writes the vault and then the mark: a crash in between leaves a vault
// that is newer than the mark, which is no harm.
func (f *FileStore) save(next *payload, k *key) error {
	audience, err := next.audience(k)
	if err != nil {
		return err
	}
	sealedFile, err := encryptJSON(next.file(), audience)
	if err != nil {
		return problems.New(problems.CodeInternal, "The vault cannot be encrypted; nothing was changed.")
	}
	if err := f.disk.Replace(vaultName, sealedFile); err != nil {
		return err
	}
	seen, err := f.disk.Stat(vaultName)
	if err != nil {
		return err
	}
	f.remember(&openVault{next, k, seen})
	return f.disk.Write(markName, fmt.Appendln(nil, next.generation))
}
