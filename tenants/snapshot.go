package tenants

import (
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

// snapshot is one state of the directory with its indexes. After it was built,
// nothing of it is changed: a pin puts a new entry in the place of the old one.
type snapshot struct {
	pinning     sync.Mutex              // held while entries are replaced
	entries     []atomic.Pointer[Entry] // sorted by folded name
	credentials []CredentialConfig
	archived    []ArchivedEntry // oldest first
	byName      map[string]int
	byLook      map[string]int // names that look like another one
	byDomain    map[string]int
	byTenantID  map[string]int
	credential  map[string]int
}

// newSnapshot checks everything and builds the indexes. The problem says which
// two entries collide.
func newSnapshot(entries []Entry, credentials []CredentialConfig) (*snapshot, error) {
	s := &snapshot{credentials: make([]CredentialConfig, 0, len(credentials)), credential: make(map[string]int, len(credentials))}
	for _, config := range credentials {
		if err := s.addCredential(config); err != nil {
			return nil, err
		}
	}
	clouds, sorted := cloudCheck{}, make([]Entry, 0, len(entries))
	for _, entry := range entries {
		normal, err := clouds.normal(entry)
		if err != nil {
			return nil, err
		}
		sorted = append(sorted, normal)
	}
	byName := func(a, b Entry) int { return strings.Compare(naming.Fold(a.Name), naming.Fold(b.Name)) }
	if !slices.IsSortedFunc(sorted, byName) {
		slices.SortStableFunc(sorted, byName)
	}
	if err := s.hold(sorted); err != nil {
		return nil, err
	}
	return s, nil
}

// hold builds the indexes. It allocates each entry by itself, so that one that a pin
// replaces is freed.
func (s *snapshot) hold(entries []Entry) error {
	s.entries = make([]atomic.Pointer[Entry], len(entries))
	s.byName, s.byLook = make(map[string]int, len(entries)), map[string]int{}
	s.byDomain, s.byTenantID = make(map[string]int, len(entries)), make(map[string]int, len(entries))
	for i, entry := range entries {
		s.entries[i].Store(&entry)
		if err := s.index(i); err != nil {
			return err
		}
	}
	return nil
}

// cloudCheck remembers clouds that were found good: thousands of entries share
// one, and its CA bundle need not be parsed for each.
type cloudCheck map[Cloud]Cloud

func (c cloudCheck) normal(entry Entry) (Entry, error) {
	good, seen := c[entry.Cloud]
	given := entry.Cloud
	if seen {
		entry.Cloud, _ = CloudNamed(CloudPublic)
	}
	normal, err := entry.normal()
	if err != nil {
		return Entry{}, err
	}
	if seen {
		normal.Cloud = good
	}
	c[given], c[normal.Cloud] = normal.Cloud, normal.Cloud
	return normal, nil
}

func (s *snapshot) addCredential(config CredentialConfig) error {
	normal, err := config.normal()
	if err != nil {
		return err
	}
	if i, taken := s.credential[naming.Fold(normal.Name)]; taken {
		return problems.InvalidArgument("credential name %q collides with %q, which exists.", normal.Name, s.credentials[i].Name)
	}
	s.credential[naming.Fold(normal.Name)] = len(s.credentials)
	s.credentials = append(s.credentials, normal)
	return nil
}

func (s *snapshot) index(i int) error {
	e := s.at(i)
	if err := s.claim(s.byName, naming.Fold(e.Name), i, "tenant name", e.Name); err != nil {
		return err
	}
	if err := s.claimLook(e.Name, i); err != nil {
		return err
	}
	if err := s.claim(s.byTenantID, e.TenantID, i, "tenant ID", e.TenantID); err != nil {
		return err
	}
	for _, domain := range e.Domains {
		if err := s.claim(s.byDomain, naming.Fold(domain), i, "domain", domain); err != nil {
			return err
		}
	}
	for _, ref := range e.Credentials {
		if _, ok := s.credential[naming.Fold(ref.Name)]; !ok {
			return problems.New(problems.CodeUnknownCredential,
				"Tenant "+e.Name+" names the credential "+untrusted.Shown(ref.Name)+", which does not exist.",
				problems.WithHint("Add the credential first, or use the name of one that exists."))
		}
	}
	return nil
}

// claimLook refuses a name that a person reads as that of another tenant.
func (s *snapshot) claimLook(name string, i int) error {
	look, folded := naming.Look(name), naming.Fold(name)
	twin, taken := s.byLook[look]
	if look != folded {
		if other, plain := s.byName[look]; plain {
			twin, taken = other, true
		}
		s.byLook[look] = i
	}
	if !taken {
		return nil
	}
	return problems.InvalidArgument("tenant name %q looks like %q, which is in the directory: its letters are of another alphabet.", name, s.at(twin).Name)
}

func (s *snapshot) claim(index map[string]int, key string, i int, what, shown string) error {
	if other, taken := index[key]; taken {
		return problems.InvalidArgument("%s %q of %s collides with that of %s.",
			what, shown, s.at(i).Name, s.at(other).Name)
	}
	index[key] = i
	return nil
}

func (s *snapshot) find(ref string) (int, bool) {
	key := naming.Fold(ref)
	for _, index := range []map[string]int{s.byName, s.byTenantID, s.byDomain} {
		if i, ok := index[key]; ok {
			return i, true
		}
	}
	return 0, false
}

func (s *snapshot) resolve(ref string) (Entry, error) {
	switch {
	case len(s.entries) == 0:
		return Entry{}, problems.New(problems.CodeDirectoryEmpty, "The tenant directory is empty.")
	case ref == "" && len(s.entries) == 1:
		return s.entry(0), nil
	case ref == "":
		return Entry{}, problems.New(problems.CodeTenantRequired,
			"The directory has several tenants, and none was named.", problems.WithNextTool("list_tenants"))
	}
	if i, ok := s.find(ref); ok {
		return s.entry(i), nil
	}
	return Entry{}, s.unknown(ref)
}

func (s *snapshot) unknown(ref string) error {
	next := problems.WithNextTool("list_tenants")
	if naming.IsGUID(strings.TrimSpace(ref)) {
		return problems.New(problems.CodeUnknownTenant,
			"No tenant in the directory has the ID "+strings.TrimSpace(ref)+
				". If that is a subscription ID: a partner link belongs to an identity in a tenant and never to a subscription.", next)
	}
	message := "No tenant in the directory has the name, domain or ID " + untrusted.Shown(ref) + "."
	near := schemas.Nearest(ref, s.names())
	if called := s.called(ref); len(called) == 1 {
		near = called[0]
	}
	if near != "" {
		return problems.New(problems.CodeUnknownTenant, message, next, problems.WithCommand("Did you mean "+near+"?", "mcp-partner tenants list"))
	}
	return problems.New(problems.CodeUnknownTenant, message, next)
}

func (s *snapshot) called(company string) []string {
	var names []string
	for e := range s.all() {
		if e.Company != "" && naming.Same(e.Company, company) {
			names = append(names, e.Name)
		}
	}
	return names
}

func (s *snapshot) names() []string {
	names := make([]string, 0, len(s.entries)+len(s.byDomain))
	for e := range s.all() {
		names = append(append(names, e.Name), e.Domains...)
	}
	return names
}

func (s *snapshot) config(name string) (CredentialConfig, error) {
	if i, ok := s.credential[naming.Fold(name)]; ok {
		return s.credentials[i], nil
	}
	return CredentialConfig{}, problems.New(problems.CodeUnknownCredential,
		"The directory has no credential "+untrusted.Shown(name)+".")
}

// at is an entry whose slices are the snapshot's: they are only read.
func (s *snapshot) at(i int) Entry { return *s.entries[i].Load() }

// all goes through the entries as at returns them.
func (s *snapshot) all() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := range s.entries {
			if !yield(s.at(i)) {
				return
			}
		}
	}
}

// entry is a copy that the caller may change.
func (s *snapshot) entry(i int) Entry { return s.at(i).clone() }

func (s *snapshot) copies() ([]Entry, []CredentialConfig) {
	entries := make([]Entry, len(s.entries))
	for i := range entries {
		entries[i] = s.entry(i)
	}
	return entries, slices.Clone(s.credentials)
}

func stampAdded(entries []Entry, now time.Time) {
	for i := range entries {
		if entries[i].AddedAt.IsZero() {
			entries[i].AddedAt = now.UTC().Truncate(time.Second)
		}
	}
}

// ResolveAmong is Resolve for somebody who may see a part of the directory: an
// entry that sees does not say yes to is answered exactly as one that does not
// exist, and no suggestion names it. A nil sees says yes to all.
func (d *Directory) ResolveAmong(ref string, sees func(name string) bool) (Entry, error) {
	s, err := d.snapshot()
	if err != nil {
		return Entry{}, err
	}
	if sees == nil {
		return s.resolve(ref)
	}
	if i, ok := s.find(ref); ok && sees(s.at(i).Name) {
		return s.entry(i), nil
	}
	part := s.among(sees)
	if ref != "" && len(part.entries) == 0 {
		return Entry{}, part.unknown(ref) // that the directory is empty would be the operator's concern
	}
	return part.resolve(ref)
}

func (s *snapshot) among(sees func(name string) bool) *snapshot {
	part := &snapshot{credential: s.credential}
	var seen []Entry
	for e := range s.all() {
		if sees(e.Name) {
			seen = append(seen, e)
		}
	}
	_ = part.hold(seen) // what does not collide in the whole does not in a part
	return part
}
