package tenants

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/naming"
	"mcp-partner/schemas/problems"
)

// DirectoryFile is the name of the file in the state directory.
const DirectoryFile = "directory.json"

const directoryLock = "directory.lock"

// Directory is the list of tenants and of the credentials that act in them. It
// is safe for concurrent use, by several processes too: each reading looks
// whether the file changed, each change is one atomic write under a lock.
type Directory struct {
	disk    *disk.Dir // nil for one in memory
	now     func() time.Time
	current atomic.Pointer[loaded]
	// writer is held by the one change that is under way in this process.
	writer chan struct{}
}

type loaded struct {
	snapshot *snapshot
	stamp    disk.Stamp
	// pins is pinsFile as it was read, pinsRead how far.
	pins     disk.Stamp
	pinsRead int64
}

// OpenDirectory opens the directory in a state directory. A missing one is an
// empty directory, made at the first change. It returns a
// CodeVaultUnavailable problem for one that is open to other users or cannot
// be read, and CodeVaultCorrupt for a file that is not a directory.
func OpenDirectory(where disk.Dir) (*Directory, error) {
	d := newDirectory(&where)
	if _, err := d.snapshot(); err != nil {
		return nil, err
	}
	return d, nil
}

// NewMemoryDirectory makes a directory that is never written to a disk. It
// returns a CodeInvalidArgument problem for entries that OpenDirectory's Add
// would refuse.
func NewMemoryDirectory(entries []Entry, credentials []CredentialConfig) (*Directory, error) {
	d := newDirectory(nil)
	entries = slices.Clone(entries)
	stampAdded(entries, d.now())
	first, err := newSnapshot(entries, credentials)
	if err != nil {
		return nil, err
	}
	d.current.Store(&loaded{snapshot: first})
	return d, nil
}

func newDirectory(where *disk.Dir) *Directory {
	return &Directory{disk: where, now: time.Now, writer: make(chan struct{}, 1)}
}

func (d *Directory) snapshot() (*snapshot, error) {
	have, err := d.refresh()
	if err != nil {
		return nil, err
	}
	return have.snapshot, nil
}

func (d *Directory) refresh() (*loaded, error) {
	have := d.current.Load()
	if d.disk == nil {
		return have, nil
	}
	fresh, err := d.newer(have)
	if err != nil {
		return nil, err
	}
	if fresh != have {
		d.current.Store(fresh)
	}
	return fresh, nil
}

// newer reads what changed since have, which may be nil: everything, or only pins
// that were added.
func (d *Directory) newer(have *loaded) (*loaded, error) {
	if have == nil {
		return d.load()
	}
	stamps, err := d.disk.Stats(pinsFile, DirectoryFile)
	if err != nil {
		return nil, err
	}
	pins, seen := stamps[0], stamps[1]
	switch {
	case !have.stamp.Same(seen):
		return d.load()
	case have.pins.Same(pins):
		return have, nil
	case !pins.Extends(have.pins):
		return d.load()
	}
	lines, pins, err := d.disk.ReadFrom(pinsFile, have.pinsRead)
	if err != nil {
		return nil, err
	}
	next := *have
	next.pins = pins
	return &next, d.addPins(&next, lines)
}

// load reads the pins before the directory: a writer of the directory writes
// them into it first and then removes them.
func (d *Directory) load() (*loaded, error) {
	lines, pins, err := d.disk.Read(pinsFile)
	if err != nil {
		return nil, err
	}
	data, seen, err := d.disk.Read(DirectoryFile)
	if err != nil {
		return nil, err
	}
	fresh := &loaded{stamp: seen, pins: pins}
	if seen.Missing() {
		fresh.snapshot, err = newSnapshot(nil, nil)
	} else if fresh.snapshot, err = decodeDirectory(data); err != nil {
		return nil, d.disk.Corrupt(DirectoryFile, problems.Clause(err), d.disk.PreviousHint(DirectoryFile, "the last change must be repeated", "restore it from a backup."))
	}
	if err != nil {
		return nil, err
	}
	return fresh, d.addPins(fresh, lines)
}

// Each goes through all entries as they were at one moment, sorted by name.
func (d *Directory) Each() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s, err := d.snapshot()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for i := range s.entries {
			if !yield(s.entry(i), nil) {
				return
			}
		}
	}
}

// List returns all entries, sorted by name.
func (d *Directory) List() ([]Entry, error) {
	s, err := d.snapshot()
	if err != nil {
		return nil, err
	}
	entries, _ := s.copies()
	return entries, nil
}

// Len returns the number of entries.
func (d *Directory) Len() (int, error) {
	s, err := d.snapshot()
	if err != nil {
		return 0, err
	}
	return len(s.entries), nil
}

// Find returns the entry of exactly that name (case folded), if there is one.
func (d *Directory) Find(name string) (entry Entry, ok bool, err error) {
	s, err := d.snapshot()
	if err != nil {
		return Entry{}, false, err
	}
	i, ok := s.byName[naming.Fold(name)]
	if ok {
		entry = s.entry(i)
	}
	return entry, ok, nil
}

// Get is Find with a CodeUnknownTenant problem where there is none. It suggests
// names, for which it looks at every entry.
func (d *Directory) Get(name string) (Entry, error) {
	s, err := d.snapshot()
	if err != nil {
		return Entry{}, err
	}
	if i, ok := s.byName[naming.Fold(name)]; ok {
		return s.entry(i), nil
	}
	return Entry{}, s.unknown(name)
}

// Resolve returns the entry that a name, a domain or a tenant ID means. An
// empty reference means the only entry. Problems: CodeUnknownTenant,
// CodeTenantRequired, CodeDirectoryEmpty.
func (d *Directory) Resolve(ref string) (Entry, error) { return d.ResolveAmong(ref, nil) }

// Acting returns the entry that a reference means and the credential of that name in
// it, all as they are at one moment; an empty name means the entry's default. Problems
// are those of Resolve and CodeUnknownCredential.
func (d *Directory) Acting(ref, credential string) (Entry, CredentialRef, CredentialConfig, error) {
	s, err := d.snapshot()
	if err != nil {
		return Entry{}, CredentialRef{}, CredentialConfig{}, err
	}
	entry, err := s.resolve(ref)
	if err != nil {
		return Entry{}, CredentialRef{}, CredentialConfig{}, err
	}
	used, err := entry.Credential(credential)
	if err != nil {
		return Entry{}, CredentialRef{}, CredentialConfig{}, err
	}
	config, err := s.config(used.Name)
	return entry, used, config, err
}

// Credential returns a credential by its name, or a CodeUnknownCredential
// problem.
func (d *Directory) Credential(name string) (CredentialConfig, error) {
	s, err := d.snapshot()
	if err != nil {
		return CredentialConfig{}, err
	}
	return s.config(name)
}

// Credentials returns all credentials in the order of their addition.
func (d *Directory) Credentials() ([]CredentialConfig, error) {
	s, err := d.snapshot()
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.credentials), nil
}

type draft struct {
	*snapshot
	entries     []Entry
	credentials []CredentialConfig
	archived    []ArchivedEntry
}

func (d *draft) position(name string) (int, error) {
	if i, ok := d.byName[naming.Fold(name)]; ok {
		return i, nil
	}
	return 0, d.unknown(name)
}

// change applies one change to the newest state and writes it. If it fails at
// any point, file and memory stay as they were.
func (d *Directory) change(ctx context.Context, edit func(*draft) error) error {
	release, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	have := d.current.Load()
	if d.disk != nil {
		if have, err = d.load(); err != nil {
			return err
		}
	}
	next, err := edited(have.snapshot, edit)
	if err != nil {
		return err
	}
	return d.save(next)
}

// lock keeps all other changes out, also those of other processes.
func (d *Directory) lock(ctx context.Context) (release func(), err error) {
	select {
	case d.writer <- struct{}{}:
	case <-ctx.Done():
		return nil, problems.OfContext(ctx.Err(), "Changing the directory")
	}
	unlock := func() {}
	if d.disk != nil {
		if unlock, err = d.disk.Lock(ctx, directoryLock); err != nil {
			<-d.writer
			return nil, err
		}
	}
	return func() { unlock(); <-d.writer }, nil
}

func edited(have *snapshot, edit func(*draft) error) (*snapshot, error) {
	work := &draft{snapshot: have, archived: have.archived}
	work.entries, work.credentials = have.copies()
	if err := edit(work); err != nil {
		return nil, err
	}
	next, err := newSnapshot(work.entries, work.credentials)
	if err != nil {
		return nil, err
	}
	next.archived = work.archived
	return next, nil
}

func (d *Directory) save(next *snapshot) error {
	if d.disk == nil {
		d.current.Store(&loaded{snapshot: next})
		return nil
	}
	data, err := encodeDirectory(next)
	if err != nil {
		return problems.New(problems.CodeInternal, "The directory cannot be encoded.")
	}
	if err := d.disk.Replace(DirectoryFile, data); err != nil {
		return err
	}
	if err := d.disk.Remove(pinsFile); err != nil {
		return err
	}
	seen, err := d.disk.Stat(DirectoryFile)
	if err != nil {
		return err
	}
	d.current.Store(&loaded{snapshot: next, stamp: seen})
	return nil
}
