package fleet

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/guard"
)

// MemoryStore is a Store that lives as long as the process: for --simulate, for
// a state directory without a vault, and for tests.
type MemoryStore struct {
	now func() time.Time

	mu   sync.Mutex
	runs map[string]*kept
}

type kept struct {
	Run
	rows []Row
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore makes an empty store; now is asked for the time.
func NewMemoryStore(now func() time.Time) *MemoryStore {
	return &MemoryStore{now: now, runs: map[string]*kept{}}
}

// CreateRun implements Store.
func (m *MemoryStore) CreateRun(_ context.Context, run Run, rows []Row) (Run, error) {
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

// Run implements Store.
func (m *MemoryStore) Run(_ context.Context, id string) (Run, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, ok := m.runs[id]
	if !ok {
		return Run{}, false, nil
	}
	return run.Run, true, nil
}

// Runs implements Store.
func (m *MemoryStore) Runs(_ context.Context, f RunFilter) ([]Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Run
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
func (m *MemoryStore) newestFirst() []Run {
	var runs []Run
	for _, run := range m.runs {
		runs = append(runs, run.Run)
	}
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return runs
}

// change does something with a run under the lock, if there is one and it fits.
func (m *MemoryStore) change(id string, fits func(*kept) bool, do func(*kept)) (bool, error) {
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
	return func(k *kept) bool { return k.State == RunRunning && k.Owner == owner }
}

// ClaimRun implements Store.
func (m *MemoryStore) ClaimRun(_ context.Context, id, owner string, now, leaseUntil time.Time) (bool, error) {
	return m.change(id, func(k *kept) bool { return k.Resumable(now) }, func(k *kept) {
		k.State, k.Owner, k.LeaseUntil = RunRunning, owner, leaseUntil
	})
}

// SaveRows implements Store.
func (m *MemoryStore) SaveRows(_ context.Context, id, owner string, leaseUntil time.Time, rows []Row) (bool, error) {
	return m.change(id, ownedBy(owner), func(k *kept) {
		k.LeaseUntil = leaseUntil
		for _, r := range rows {
			to := &k.rows[r.N]
			to.State, to.Rank, to.Cause, to.Stale, to.Body = r.State, r.Rank, r.Cause, r.Stale, r.Body
		}
	})
}

// EndRun implements Store.
func (m *MemoryStore) EndRun(_ context.Context, id, owner string, state RunState, at time.Time) (bool, error) {
	return m.change(id, ownedBy(owner), func(k *kept) {
		k.State, k.LeaseUntil = state, at
		if state == RunFinished {
			k.FinishedAt = at
		}
	})
}

// LabelRun implements Store.
func (m *MemoryStore) LabelRun(_ context.Context, id, label string) (bool, error) {
	return m.change(id, func(*kept) bool { return true }, func(k *kept) { k.Label = label })
}

// PruneRuns implements Store.
func (m *MemoryStore) PruneRuns(_ context.Context, keep Keeping, now time.Time) (int, error) {
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
func (m *MemoryStore) copyOf(id string) []Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	run, ok := m.runs[id]
	if !ok {
		return nil
	}
	return slices.Clone(run.rows)
}

// Rows implements Store.
func (m *MemoryStore) Rows(_ context.Context, id string, q RowQuery) iter.Seq2[Row, error] {
	rows := slices.DeleteFunc(m.copyOf(id), func(r Row) bool { return !q.fits(r) })
	slices.SortStableFunc(rows, q.Order.compare)
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	return func(yield func(Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (q RowQuery) fits(r Row) bool {
	if (r.State == "") != q.Pending {
		return false
	}
	return !q.More || q.Order.compare(r, Row{Rank: q.AfterRank, N: q.AfterN}) > 0
}

func (o Order) compare(a, b Row) int {
	switch o {
	case ByAttention:
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.N, b.N))
	case ByTarget:
		return cmp.Or(strings.Compare(a.TenantID, b.TenantID), strings.Compare(a.Credential, b.Credential))
	default:
		return cmp.Compare(a.N, b.N)
	}
}

// CountRows implements Store.
func (m *MemoryStore) CountRows(_ context.Context, id string) (map[string]int, int, error) {
	counts, stale := map[string]int{}, 0
	for _, r := range m.copyOf(id) {
		counts[r.State]++
		if r.Stale {
			stale++
		}
	}
	return counts, stale, nil
}

// Causes implements Store.
func (m *MemoryStore) Causes(_ context.Context, id string, limit int) ([]Group, error) {
	place, groups := map[string]int{}, []Group(nil)
	for _, r := range m.copyOf(id) {
		if r.Cause == "" {
			continue
		}
		i, ok := place[r.Cause]
		if !ok {
			i = len(groups)
			place[r.Cause] = i
			groups = append(groups, Group{Cause: r.Cause, First: r})
		}
		groups[i].Count++
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(b.Count, a.Count) })
	return groups[:min(len(groups), limit)], nil
}
