package tenants

import (
	"context"
	"fmt"
	"slices"

	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// Add adds an entry, together with credentials that are new. Problems:
// CodeInvalidArgument for a name, ID or domain that is malformed or collides,
// CodeUnknownCredential for a reference to nothing.
func (d *Directory) Add(ctx context.Context, entry Entry, credentials ...CredentialConfig) error {
	return d.change(ctx, func(work *draft) error {
		work.entries = append(work.entries, entry)
		stampAdded(work.entries[len(work.entries)-1:], d.now())
		work.credentials = append(work.credentials, credentials...)
		return nil
	})
}

// Set replaces the entry of that name; the new one may have another name. The
// time of addition is kept.
func (d *Directory) Set(ctx context.Context, name string, entry Entry) error {
	return d.Edit(ctx, name, func(now *Entry) error {
		entry.AddedAt = now.AddedAt
		*now = entry
		return nil
	})
}

// Edit changes the entry of that name in place, as it is at the moment of the
// change. An error of edit changes nothing.
func (d *Directory) Edit(ctx context.Context, name string, edit func(*Entry) error) error {
	return d.change(ctx, func(work *draft) error {
		i, err := work.position(name)
		if err != nil {
			return err
		}
		return edit(&work.entries[i])
	})
}

// Remove moves an entry to the archive, so that what was linked there stays
// known. The reason is kept with it. Credentials stay.
func (d *Directory) Remove(ctx context.Context, name, reason string) (Entry, error) {
	var removed Entry
	err := d.change(ctx, func(work *draft) error {
		i, err := work.position(name)
		if err != nil {
			return err
		}
		removed = work.entries[i]
		work.entries = slices.Delete(work.entries, i, i+1)
		work.archived = slices.Concat(work.archived, []ArchivedEntry{{removed, d.now().UTC(), reason}})
		return nil
	})
	return removed, err
}

// AddCredential adds a credential that no tenant uses yet.
func (d *Directory) AddCredential(ctx context.Context, config CredentialConfig) error {
	return d.change(ctx, func(work *draft) error {
		work.credentials = append(work.credentials, config)
		return nil
	})
}

// SetCredential replaces the credential of the same name in every tenant that
// uses it. Pinned object IDs stay: another application has another object ID,
// and the pin is what notices.
func (d *Directory) SetCredential(ctx context.Context, config CredentialConfig) error {
	return d.change(ctx, func(work *draft) error {
		if _, err := work.config(config.Name); err != nil {
			return err
		}
		work.credentials[work.credential[naming.Fold(config.Name)]] = config
		return nil
	})
}

// Revise replaces a credential that is still what it was; one that somebody has
// changed meanwhile stays.
func (d *Directory) Revise(ctx context.Context, before, after CredentialConfig) error {
	if now, err := d.Credential(before.Name); err != nil || now != before {
		return err
	}
	return d.change(ctx, func(work *draft) error {
		if now, err := work.config(before.Name); err != nil || now != before {
			return err
		}
		work.credentials[work.credential[naming.Fold(before.Name)]] = after
		return nil
	})
}

// RemoveCredential takes a credential out. It returns a CodeInvalidArgument
// problem that names a tenant which still uses it.
func (d *Directory) RemoveCredential(ctx context.Context, name string) error {
	return d.change(ctx, func(work *draft) error {
		if _, err := work.config(name); err != nil {
			return err
		}
		for _, e := range work.entries {
			if slices.ContainsFunc(e.Credentials, func(ref CredentialRef) bool { return naming.Same(ref.Name, name) }) {
				return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("credential %q is in use by tenant %s.", untrusted.Sanitize(name), e.Name),
					problems.WithHint("Remove the tenant or give it another credential first."))
			}
		}
		i := work.credential[naming.Fold(name)]
		work.credentials = slices.Delete(work.credentials, i, i+1)
		return nil
	})
}
