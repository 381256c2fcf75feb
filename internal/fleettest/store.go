package fleettest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
)

// Store is a fleet.Store that lives as long as the test.
type Store struct {
	now func() time.Time

	mu   sync.Mutex
	runs map[string]*kept
}

type kept struct {
	fleet.Run
	rows []fleet.Row
}

var _ fleet.Store = (*Store)(nil)

// NewStore makes an empty store; now is asked for the time.
func NewStore(now func() time.Time) *Store {
	return &Store{now: now, runs: map[string]*kept{}}
}

// CreateRun implements fleet.Store.
func (m *Store) CreateRun(_ context.Context, run fleet.Run, rows []fleet.Row) (fleet.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.runs {
		if other.Caller == run.Caller && other.Kind == run.Kind && other.Live(m.now()) {
			return other.Run, nil
		}
	}
	m.runs[run.ID] = &kept{run, slices.Clone(rows)}
	return run, nil
}

// Run implements fleet.Store.
func (m *Store) Run(_ context.Context, id string) (fleet.Run, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, ok := m.runs[id]
	if !ok {
		return fleet.Run{}, false, nil
	}
	return run.Run, true, nil
}

// Runs implements fleet.Store.
func (m *Store) Runs(_ context.Context, f fleet.RunFilter) ([]fleet.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []fleet.Run
	for _, run := range m.newestFirst() {
		if (f.Kind == "" || f.Kind == run.Kind) && (f.Caller == "" || f.Caller == run.Caller) && (f.Label == "" || f.Label == run.Label) {
			found = append(found, run)
		}
	}
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	return found, nil
}

// newestFirst returns all runs. The caller holds mu.
func (m *Store) newestFirst() []fleet.Run {
	var runs []fleet.Run
	for _, run := range m.runs {
		runs = append(runs, run.Run)
	}
	slices.SortFunc(runs, func(a, b fleet.Run) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return runs
}

// change does something with a run under the lock, if there is one and it fits.
func (m *Store) change(id string, fits func(*kept) bool, do func(*kept)) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, ok := m.runs[id]
	if !ok || !fits(run) {
		return false, nil
	}
	do(run)
	return true, nil
}

func ownedBy(owner string) func(*kept) bool {
	return func(k *kept) bool { return k.State == fleet.RunRunning && k.Owner == owner }
}

// ClaimRun implements fleet.Store.
func (m *Store) ClaimRun(_ context.Context, id, owner string, now, leaseUntil time.Time) (bool, error) {
	return m.change(id, func(k *kept) bool { return k.Resumable(now) }, func(k *kept) {
		k.State, k.Owner, k.LeaseUntil = fleet.RunRunning, owner, leaseUntil
	})
}

// SaveRows implements fleet.Store.
func (m *Store) SaveRows(_ context.Context, id, owner string, leaseUntil time.Time, rows []fleet.Row) (bool, error) {
	return m.change(id, ownedBy(owner), func(k *kept) {
		k.LeaseUntil = leaseUntil
		for _, r := range rows {
			to := &k.rows[r.N]
			to.State, to.Rank, to.Cause, to.Stale, to.Body = r.State, r.Rank, r.Cause, r.Stale, r.Body
		}
	})
}

// EndRun implements fleet.Store.
func (m *Store) EndRun(_ context.Context, id, owner string, state fleet.RunState, at time.Time) (bool, error) {
	return m.change(id, ownedBy(owner), func(k *kept) {
		k.State, k.LeaseUntil = state, at
		if state == fleet.RunFinished {
			k.FinishedAt = at
		}
	})
}

// LabelRun implements fleet.Store.
func (m *Store) LabelRun(_ context.Context, id, label string) (bool, error) {
	return m.change(id, func(*kept) bool { return true }, func(k *kept) { k.Label = label })
}

// PruneRuns implements fleet.Store.
func (m *Store) PruneRuns(_ context.Context, keep fleet.Keeping, now time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	had := len(m.runs)
	runs, rows := map[guard.Caller]int{}, map[guard.Caller]int{}
	for _, run := range m.newestFirst() {
		if run.Label != "" {
			continue
		}
		runs[run.Caller]++
		rows[run.Caller] += run.Rows
		many := runs[run.Caller] > keep.Runs || rows[run.Caller] > keep.Rows && runs[run.Caller] > 1
		if (many || run.CreatedAt.Before(keep.Since)) && !run.Live(now) {
			delete(m.runs, run.ID)
		}
	}
	return had - len(m.runs), nil
}

// copyOf returns the rows of a run as they are now.
func (m *Store) copyOf(id string) []fleet.Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, ok := m.runs[id]
	if !ok {
		return nil
	}
	return slices.Clone(run.rows)
}

// Rows implements fleet.Store.
func (m *Store) Rows(_ context.Context, id string, q fleet.RowQuery) iter.Seq2[fleet.Row, error] {
	rows := slices.DeleteFunc(m.copyOf(id), func(r fleet.Row) bool { return !fits(q, r) })
	slices.SortStableFunc(rows, func(a, b fleet.Row) int { return compare(q.Order, a, b) })
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	return func(yield func(fleet.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func fits(q fleet.RowQuery, r fleet.Row) bool {
	if (r.State == "") != q.Pending {
		return false
	}
	return !q.More || compare(q.Order, r, fleet.Row{Rank: q.AfterRank, N: q.AfterN}) > 0
}

func compare(o fleet.Order, a, b fleet.Row) int {
	switch o {
	case fleet.ByAttention:
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.N, b.N))
	case fleet.ByTarget:
		return cmp.Or(strings.Compare(a.TenantID, b.TenantID), strings.Compare(a.Credential, b.Credential))
	default:
		return cmp.Compare(a.N, b.N)
	}
}

// CountRows implements fleet.Store.
func (m *Store) CountRows(_ context.Context, id string) (map[string]int, int, error) {
	counts, stale := map[string]int{}, 0
	for _, r := range m.copyOf(id) {
		counts[r.State]++
		if r.Stale {
			stale++
		}
	}
	return counts, stale, nil
}

// Causes implements fleet.Store.
func (m *Store) Causes(_ context.Context, id string, limit int) ([]fleet.Group, error) {
	place, groups := map[string]int{}, []fleet.Group(nil)
	for _, r := range m.copyOf(id) {
		if r.Cause == "" {
			continue
		}
		i, ok := place[r.Cause]
		if !ok {
			i = len(groups)
			place[r.Cause] = i
			groups = append(groups, fleet.Group{Cause: r.Cause, First: r})
		}
		groups[i].Count++
	}
	slices.SortStableFunc(groups, func(a, b fleet.Group) int { return cmp.Compare(b.Count, a.Count) })
	return groups[:min(len(groups), limit)], nil
}
