package fleet

import (
	"cmp"
	"context"
	"iter"

	"mcp-partner/internal/pec"
	"mcp-partner/schemas/answers"
)

// ChangeKind says how a row differs between two audits.
type ChangeKind string

// The kinds of changes, in the order in which they matter.
const (
	// NewlyMissing: linked then, and now not.
	NewlyMissing ChangeKind = "newly_missing"
	// NewlyUnknown: told then, and now not. It says nothing about the link.
	NewlyUnknown ChangeKind = "newly_unknown"
	// Changed: another partner ID, or another verdict on the same one.
	Changed     ChangeKind = "changed"
	NewlyLinked ChangeKind = "newly_linked"
	// RolesChanged: the link is as it was, and roles differ.
	RolesChanged ChangeKind = "roles_changed"
	// KnownAgain: unknown then, and now told.
	KnownAgain ChangeKind = "known_again"
	// Gone and Appeared: a row of one of the two alone, because the directory or the
	// selection differs.
	Gone     ChangeKind = "gone"
	Appeared ChangeKind = "new"
)

// ChangeKinds returns all kinds, in their order.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{NewlyMissing, NewlyUnknown, Changed, RolesChanged, NewlyLinked, KnownAgain, Gone, Appeared}
}

// Change is a row that differs. Before or After is nil if the row exists on one
// side only.
type Change struct {
	Kind   ChangeKind        `json:"kind"`
	Before *answers.AuditRow `json:"before,omitempty"`
	After  *answers.AuditRow `json:"after,omitempty"`
	// Roles says what differs in roles, where both audits read them.
	Roles []string `json:"roles,omitempty"`
}

// Row is the later of the two.
func (c Change) Row() *answers.AuditRow { return cmp.Or(c.After, c.Before) }

// Diff goes through what differs between two audits, an earlier and a later
// one, by tenant ID. It keeps the rows of one tenant of each in memory.
func (f *Fleet) Diff(ctx context.Context, before, after string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		nextOld, stopOld := iter.Pull2(byTenant(f.All(ctx, before, ByTarget)))
		defer stopOld()
		nextNew, stopNew := iter.Pull2(byTenant(f.All(ctx, after, ByTarget)))
		defer stopNew()
		old, recent := pulled(nextOld()), pulled(nextNew())
		for old.rows != nil || recent.rows != nil || old.err != nil || recent.err != nil {
			if err := cmp.Or(old.err, recent.err); err != nil {
				yield(Change{}, err)
				return
			}
			order := old.compare(recent)
			for _, change := range differences(old.upTo(order <= 0), recent.upTo(order >= 0)) {
				if !yield(change, nil) {
					return
				}
			}
			if order <= 0 {
				old = pulled(nextOld())
			}
			if order >= 0 {
				recent = pulled(nextNew())
			}
		}
	}
}

// byTenant puts rows that stand beside each other together, a tenant at a time.
func byTenant(rows iter.Seq2[answers.AuditRow, error]) iter.Seq2[[]answers.AuditRow, error] {
	return func(yield func([]answers.AuditRow, error) bool) {
		var group []answers.AuditRow
		for row, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(group) > 0 && group[0].TenantID != row.TenantID {
				if !yield(group, nil) {
					return
				}
				group = nil
			}
			group = append(group, row)
		}
		if len(group) > 0 {
			yield(group, nil)
		}
	}
}

// head is the next tenant of one side; without rows that side has ended.
type head struct {
	rows []answers.AuditRow
	err  error
}

func pulled(rows []answers.AuditRow, err error, _ bool) head { return head{rows, err} }

// upTo are the rows if they take part in this step.
func (h head) upTo(takesPart bool) []answers.AuditRow {
	if !takesPart {
		return nil
	}
	return h.rows
}

// compare orders two heads; a side that has ended comes last.
func (h head) compare(other head) int {
	switch {
	case h.rows == nil:
		return 1
	case other.rows == nil:
		return -1
	}
	return cmp.Compare(h.rows[0].TenantID, other.rows[0].TenantID)
}

// differences compares the rows of a tenant. Those of one credential belong
// together, and of the others those of one identity: its link is the same one,
// whatever opens the tenant now.
func differences(old, recent []answers.AuditRow) (found []Change) {
	after, taken := make([]*answers.AuditRow, len(old)), make([]bool, len(recent))
	for _, same := range []func(a, b answers.AuditRow) bool{sameCredential, sameIdentity} {
		for i := range old {
			for n := range recent {
				if after[i] == nil && !taken[n] && same(old[i], recent[n]) {
					after[i], taken[n] = &recent[n], true
				}
			}
		}
	}
	add := func(before, after *answers.AuditRow) {
		if change := compared(before, after); change.Kind != "" {
			found = append(found, change)
		}
	}
	for i := range old {
		add(&old[i], after[i])
	}
	for n := range recent {
		if !taken[n] {
			add(nil, &recent[n])
		}
	}
	return found
}

func sameCredential(a, b answers.AuditRow) bool { return a.Credential == b.Credential }

func sameIdentity(a, b answers.AuditRow) bool { return a.ObjectID != "" && a.ObjectID == b.ObjectID }

// compared compares one row, of which one side may be missing. An empty kind says
// that nothing differs.
func compared(before, after *answers.AuditRow) Change {
	c := Change{Before: before, After: after}
	switch {
	case before == nil:
		c.Kind = Appeared
	case after == nil:
		c.Kind = Gone
	default:
		c.Kind, c.Roles = kindOf(*before, *after), pec.Differences(before.PECRoles, after.PECRoles)
	}
	if c.Kind == "" && len(c.Roles) > 0 {
		c.Kind = RolesChanged
	}
	return c
}

// kindOf says how a link differs, or "".
func kindOf(before, after answers.AuditRow) ChangeKind {
	switch {
	case before.State == after.State && before.PartnerID == after.PartnerID:
		return ""
	case after.State == answers.RowUnknown:
		return NewlyUnknown
	case before.State == answers.RowUnknown:
		return KnownAgain
	case before.State.Linked() && after.State.Missing():
		return NewlyMissing
	case before.State.Missing() && after.State.Linked():
		return NewlyLinked
	default:
		return Changed
	}
}
