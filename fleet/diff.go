package fleet

import (
	"cmp"
	"context"
	"iter"

	"mcp-partner/schemas"
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
	// KnownAgain: unknown then, and now told.
	KnownAgain ChangeKind = "known_again"
	// Gone and Appeared: a row of one of the two alone, because the directory or the
	// selection differs.
	Gone     ChangeKind = "gone"
	Appeared ChangeKind = "new"
)

// ChangeKinds returns all kinds, in their order.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{NewlyMissing, NewlyUnknown, Changed, NewlyLinked, KnownAgain, Gone, Appeared}
}

// Change is a row that differs. Before or After is nil where there is none.
type Change struct {
	Kind   ChangeKind        `json:"kind"`
	Before *schemas.AuditRow `json:"before,omitempty"`
	After  *schemas.AuditRow `json:"after,omitempty"`
}

// Row is the later of the two.
func (c Change) Row() *schemas.AuditRow { return cmp.Or(c.After, c.Before) }

// Diff goes through what differs between two audits, an earlier and a later
// one, by tenant ID and credential. It keeps one row of each in memory.
func (f *Fleet) Diff(ctx context.Context, before, after string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		nextOld, stopOld := iter.Pull2(f.All(ctx, before, ByTarget))
		defer stopOld()
		nextNew, stopNew := iter.Pull2(f.All(ctx, after, ByTarget))
		defer stopNew()
		old, recent := pulled(nextOld()), pulled(nextNew())
		for old.row != nil || recent.row != nil || old.err != nil || recent.err != nil {
			if err := cmp.Or(old.err, recent.err); err != nil {
				yield(Change{}, err)
				return
			}
			order := old.compare(recent)
			change := compared(old.upTo(order <= 0), recent.upTo(order >= 0))
			if change.Kind != "" && !yield(change, nil) {
				return
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

// head is the next row of one side; without a row that side has ended.
type head struct {
	row *schemas.AuditRow
	err error
}

func pulled(row schemas.AuditRow, err error, ok bool) head {
	if !ok || err != nil {
		return head{err: err}
	}
	return head{row: &row}
}

// upTo is the row if it takes part in this step.
func (h head) upTo(takesPart bool) *schemas.AuditRow {
	if !takesPart {
		return nil
	}
	return h.row
}

// compare orders two heads; a side that has ended comes last.
func (h head) compare(other head) int {
	switch {
	case h.row == nil:
		return 1
	case other.row == nil:
		return -1
	}
	return cmp.Or(cmp.Compare(h.row.TenantID, other.row.TenantID), cmp.Compare(h.row.Credential, other.row.Credential))
}

// compared judges one row, of which one side may be missing. An empty kind says
// that nothing differs.
func compared(before, after *schemas.AuditRow) Change {
	c := Change{Before: before, After: after}
	switch {
	case before == nil:
		c.Kind = Appeared
	case after == nil:
		c.Kind = Gone
	case before.State == schemas.RowUnknown && after.State == schemas.RowUnknown:
	case after.State == schemas.RowUnknown:
		c.Kind = NewlyUnknown
	case before.State == schemas.RowUnknown:
		c.Kind = KnownAgain
	case before.State.Linked() && after.State.Missing():
		c.Kind = NewlyMissing
	case before.State.Missing() && after.State.Linked():
		c.Kind = NewlyLinked
	case before.State != after.State || before.PartnerID != after.PartnerID:
		c.Kind = Changed
	}
	return c
}
