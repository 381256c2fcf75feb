package tenants

import (
	"context"
	"reflect"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// Change is one entry before and after.
type Change struct {
	Before, After Entry
}

// Diff is what a bulk change would do. It is shown to a person before Apply.
type Diff struct {
	Added     []Entry
	Changed   []Change
	Unchanged []Entry
}

// Empty reports whether the change would change nothing.
func (d Diff) Empty() bool { return len(d.Added) == 0 && len(d.Changed) == 0 }

// Plan works out what adding or replacing these entries would do; entries are
// matched by name. It writes nothing. Pins and times of addition of existing
// entries are kept where tenant and credential stay the same. The result as a
// whole is checked, and a collision is refused with the problem that Add would
// give. The credentials that entries name must exist.
func (d *Directory) Plan(entries []Entry) (Diff, error) {
	s, err := d.snapshot()
	if err != nil {
		return Diff{}, err
	}
	next, err := edited(s, func(work *draft) error { return work.upsert(entries) })
	if err != nil {
		return Diff{}, err
	}
	var diff Diff
	for _, entry := range entries {
		after := next.at(next.byName[naming.Fold(entry.Name)])
		i, existed := s.byName[naming.Fold(entry.Name)]
		switch {
		case !existed:
			diff.Added = append(diff.Added, after)
		case reflect.DeepEqual(settled(s.entry(i)), settled(after)):
			diff.Unchanged = append(diff.Unchanged, after)
		default:
			diff.Changed = append(diff.Changed, Change{s.entry(i), after})
		}
	}
	return diff, nil
}

// Apply makes the change that Plan worked out and adds credentials, in one write. If an entry that
// it changes is no longer as the difference showed it, or one that it adds
// exists by now, it returns a CodeStateMoved problem and changes nothing.
func (d *Directory) Apply(ctx context.Context, diff Diff, credentials ...CredentialConfig) error {
	if diff.Empty() && len(credentials) == 0 {
		return nil
	}
	return d.change(ctx, func(work *draft) error {
		work.credentials = append(work.credentials, credentials...)
		entries := append([]Entry(nil), diff.Added...)
		stampAdded(entries, d.now())
		for _, entry := range diff.Added {
			if _, exists := work.byName[naming.Fold(entry.Name)]; exists {
				return moved(entry.Name)
			}
		}
		for _, change := range diff.Changed {
			i, exists := work.byName[naming.Fold(change.Before.Name)]
			if !exists || !reflect.DeepEqual(settled(work.entries[i]), settled(change.Before)) {
				return moved(change.Before.Name)
			}
			entries = append(entries, change.After)
		}
		return work.upsert(entries)
	})
}

func moved(name string) error {
	return problems.New(problems.CodeStateMoved,
		"Tenant "+name+" changed in the directory since the difference was shown; nothing was written.",
		problems.WithHint("Check the difference again."))
}

// upsert adds or replaces entries by name. The same name twice is refused: the
// last one winning would hide a mistake in the list.
func (d *draft) upsert(entries []Entry) error {
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		key := naming.Fold(entry.Name)
		if seen[key] {
			return problems.InvalidArgument("tenant name %q is in the list twice.", untrusted.Sanitize(entry.Name))
		}
		seen[key] = true
		i, exists := d.byName[key]
		if !exists {
			d.entries = append(d.entries, entry.clone())
			continue
		}
		d.entries[i] = inherit(d.entries[i], entry.clone())
	}
	return nil
}

// inherit keeps what only the server learns.
func inherit(old, entry Entry) Entry {
	entry.AddedAt = old.AddedAt
	if !naming.Same(old.TenantID, entry.TenantID) {
		return entry
	}
	for i, ref := range entry.Credentials {
		for _, known := range old.Credentials {
			if ref.PinnedObjectID == "" && naming.Same(known.Name, ref.Name) {
				entry.Credentials[i].PinnedObjectID = known.PinnedObjectID
			}
		}
	}
	return entry
}

// settled makes empty and absent lists the same.
func settled(e Entry) Entry {
	if len(e.Domains) == 0 {
		e.Domains = nil
	}
	if len(e.Labels) == 0 {
		e.Labels = nil
	}
	e.AddedAt = e.AddedAt.UTC().Round(0)
	return e
}
