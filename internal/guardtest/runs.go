package guardtest

import (
	"context"
	"maps"
	"slices"
	"time"

	"mcp-partner/guard"
)

// memoryRuns are the plans and runs of a Store.
type memoryRuns struct {
	plans    map[string][]byte
	runs     []guard.Run
	progress map[string]map[int]guard.Progress
}

func newMemoryRuns() memoryRuns {
	return memoryRuns{plans: map[string][]byte{}, progress: map[string]map[int]guard.Progress{}}
}

// keepPlan takes the body out of a ticket.
func (r *memoryRuns) keepPlan(t guard.Ticket) guard.Ticket {
	if t.Plan != nil {
		head := *t.Plan
		r.plans[t.ID], head.Body = head.Body, nil
		t.Plan = &head
	}
	return t
}

func (r *memoryRuns) find(id string) int {
	return slices.IndexFunc(r.runs, func(run guard.Run) bool { return run.ID == id })
}

// Plan implements RunStore.
func (m *Store) Plan(_ context.Context, id string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.runs.plans[id]
	return body, ok, nil
}

// OpenRun implements RunStore.
func (m *Store) OpenRun(_ context.Context, run guard.Run, body []byte, events ...guard.Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if run.Approval != "" {
		ticket, ok := m.tickets[run.Approval]
		if !ok || ticket.Spent {
			return false, nil
		}
		ticket.Spent = true
		m.tickets[run.Approval] = ticket
	} else {
		m.runs.plans[run.Plan] = body
	}
	m.runs.runs = append(m.runs.runs, run)
	m.append(events...)
	return true, nil
}

// OpenedRun implements RunStore.
func (m *Store) OpenedRun(_ context.Context, id string) (guard.Run, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.runs.find(id); i >= 0 {
		return m.runs.runs[i], true, nil
	}
	return guard.Run{}, false, nil
}

// OpenedRuns implements RunStore.
func (m *Store) OpenedRuns(_ context.Context, open bool, limit int) ([]guard.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	runs := slices.Clone(m.runs.runs)
	if open {
		return slices.DeleteFunc(runs, func(r guard.Run) bool { return !r.EndedAt.IsZero() }), nil
	}
	slices.Reverse(runs)
	return runs[:min(limit, len(runs))], nil
}

// CloseRun implements RunStore.
func (m *Store) CloseRun(_ context.Context, id string, at time.Time, event guard.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.runs.find(id); i >= 0 && m.runs.runs[i].EndedAt.IsZero() {
		m.runs.runs[i].EndedAt = at
		m.append(event)
	}
	return nil
}

// Progress implements RunStore.
func (m *Store) Progress(_ context.Context, run string) (map[int]guard.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.runs.progress[run]), nil
}

// Advance implements RunStore.
func (m *Store) Advance(_ context.Context, run string, next guard.Progress, gate guard.Gate, events ...guard.Event) (guard.Advanced, guard.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.runs.progress[run][next.Row]
	switch {
	case now.Revision != next.Revision-1:
		return guard.AdvancedStale, now, nil
	case gate.TenantID != "" && m.writing(gate):
		return guard.AdvancedBusy, now, nil
	case gate.Count > 0 && m.count(gate.Rule, gate.Since) >= gate.Count:
		return guard.AdvancedOver, now, nil
	}
	last := m.append(events...)
	if len(events) > 0 && events[len(events)-1].Kind == guard.KindIntent {
		next.Intent = last
	}
	if m.runs.progress[run] == nil {
		m.runs.progress[run] = map[int]guard.Progress{}
	}
	m.runs.progress[run][next.Row] = next
	return guard.AdvancedYes, next, nil
}

// writing reports whether a write to the link has no outcome yet.
func (m *Store) writing(gate guard.Gate) bool {
	for _, e := range m.open {
		if e.Intent.Identity.TenantID == gate.TenantID && e.Intent.Identity.ObjectID == gate.ObjectID {
			return true
		}
	}
	return false
}
