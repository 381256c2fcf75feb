package guard

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxEvents bounds the record of a MemoryStore; the oldest go first.
const maxEvents = 10_000

// MemoryStore is a Store that lives as long as the process: for --simulate and
// for tests.
type MemoryStore struct {
	now func() time.Time

	mu      sync.Mutex
	seq     int64
	tickets map[string]Ticket
	events  []Event
	// open are the intents without an outcome, by Seq.
	open      map[int64]Event
	freeze    Freeze
	approvers map[string]Approver
	tokens    map[string]Token
	runs      memoryRuns
}

// NewMemoryStore makes an empty store; now is asked for the time.
func NewMemoryStore(now func() time.Time) *MemoryStore {
	return &MemoryStore{now: now, tickets: map[string]Ticket{}, open: map[int64]Event{}, approvers: map[string]Approver{}, tokens: map[string]Token{}, runs: newMemoryRuns()}
}

// PutTicket implements Store.
func (m *MemoryStore) PutTicket(_ context.Context, ticket Ticket, limit int, asked Event) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	taken := 0
	for _, other := range m.tickets {
		if !SameKind(other, ticket) || !other.Counts(m.now()) {
			continue
		}
		if Joins(ticket, other) {
			return other, nil
		}
		taken++
	}
	if taken >= limit {
		return Ticket{}, TooManyTickets(ticket, taken)
	}
	ticket = m.runs.keepPlan(ticket)
	m.tickets[ticket.ID] = ticket
	m.append(asked)
	return ticket, nil
}

// Ticket implements Store.
func (m *MemoryStore) Ticket(_ context.Context, id string) (Ticket, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket, ok := m.tickets[id]
	return ticket, ok, nil
}

// Tickets implements Store.
func (m *MemoryStore) Tickets(_ context.Context, limit int) ([]Ticket, error) {
	tickets := m.deferred(func(Ticket) bool { return true })
	return tickets[:min(limit, len(tickets))], nil
}

// Waiting implements Store.
func (m *MemoryStore) Waiting(context.Context) ([]Ticket, error) {
	return m.deferred(func(t Ticket) bool { return t.Live(m.now()) }), nil
}

// deferred returns tickets that are not in band, newest first.
func (m *MemoryStore) deferred(want func(Ticket) bool) (tickets []Ticket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ticket := range m.tickets {
		if !ticket.InBand && want(ticket) {
			tickets = append(tickets, ticket)
		}
	}
	slices.SortFunc(tickets, newestFirst)
	return tickets
}

// DecideTicket implements Store.
func (m *MemoryStore) DecideTicket(_ context.Context, id string, decision Decision, event Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket, ok := m.tickets[id]
	if !ok || ticket.Spent || ticket.Decision != nil {
		return false, nil
	}
	ticket.Decision = &decision
	m.tickets[id] = ticket
	m.append(event)
	return true, nil
}

// SpendTicket implements Store.
func (m *MemoryStore) SpendTicket(_ context.Context, id string, events ...Event) (bool, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket, ok := m.tickets[id]
	if !ok || ticket.Spent {
		return false, 0, nil
	}
	if err := m.withinRates(events); err != nil {
		return false, 0, err
	}
	ticket.Spend(events)
	m.tickets[id] = ticket
	return true, m.append(events...), nil
}

// Append implements Store.
func (m *MemoryStore) Append(_ context.Context, events ...Event) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.withinRates(events); err != nil {
		return 0, err
	}
	return m.append(events...), nil
}

// Refused implements Store.
func (m *MemoryStore) Refused(ctx context.Context, event Event) error {
	_, err := m.Append(ctx, event)
	return err
}

// withinRates refuses events that would exceed a rule's rate.
func (m *MemoryStore) withinRates(events []Event) error {
	for _, event := range events {
		if event.AtMost != nil && m.count(event.Rule, event.Time.Add(-event.AtMost.Per)) >= event.AtMost.Count {
			return RateExceeded(event.Rule, *event.AtMost)
		}
	}
	return nil
}

func (m *MemoryStore) append(events ...Event) int64 {
	for _, event := range events {
		if len(m.events) == maxEvents {
			m.events = append(m.events[:0:0], m.events[maxEvents/10:]...)
		}
		m.seq++
		event.Seq = m.seq
		m.events = append(m.events, event)
		switch event.Kind {
		case KindIntent:
			m.open[event.Seq] = event
		case KindOutcome:
			delete(m.open, event.Of)
		}
	}
	return m.seq
}

// Unfinished implements Store.
func (m *MemoryStore) Unfinished(context.Context) ([]Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unfinished(), nil
}

func (m *MemoryStore) unfinished() []Event {
	events := slices.Collect(maps.Values(m.open))
	slices.SortFunc(events, func(a, b Event) int { return int(a.Seq - b.Seq) })
	return events
}

// Followed implements Store.
func (m *MemoryStore) Followed(_ context.Context, seq int64, tenantID string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.events, func(e Event) bool {
		return e.Kind == KindIntent && e.Seq > seq && e.Intent.Identity.TenantID == tenantID
	}), nil
}

// CountIntents implements Store.
func (m *MemoryStore) CountIntents(_ context.Context, rule string, since time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count(rule, since), nil
}

func (m *MemoryStore) count(rule string, since time.Time) (count int) {
	for _, event := range m.events {
		if event.Kind == KindIntent && event.Rule == rule && !event.Time.Before(since) {
			count++
		}
	}
	return count
}

// Freeze implements Store.
func (m *MemoryStore) Freeze(context.Context) (Freeze, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.freeze, nil
}

// SetFreeze implements Store.
func (m *MemoryStore) SetFreeze(_ context.Context, freeze Freeze, event Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	freeze.Reads = freeze.Reads || freeze.Writes && m.freeze.Reads
	m.freeze, event.Result = freeze, freeze.Scope()
	m.append(event)
	return nil
}

// Approvers implements Store.
func (m *MemoryStore) Approvers(context.Context) ([]Approver, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var approvers []Approver
	for _, approver := range m.approvers {
		approvers = append(approvers, approver)
	}
	slices.SortFunc(approvers, func(a, b Approver) int { return strings.Compare(a.Name, b.Name) })
	return approvers, nil
}

// PutApprover implements Store.
func (m *MemoryStore) PutApprover(_ context.Context, approver Approver, event Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.approvers[approver.Name]; taken {
		return false, nil
	}
	m.approvers[approver.Name] = approver
	m.append(event)
	return true, nil
}

// RemoveApprover implements Store.
func (m *MemoryStore) RemoveApprover(_ context.Context, name string, event Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.approvers[name]; !ok {
		return false, nil
	}
	delete(m.approvers, name)
	m.append(event)
	return true, nil
}

// Events returns a copy of the record, oldest first.
func (m *MemoryStore) Events() []Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Event(nil), m.events...)
}

// sweep drops tickets that have been expired for a while, so that questions
// nobody answers do not add up; a late answer then finds none.
func (m *MemoryStore) sweep() {
	limit := m.now().Add(-time.Hour)
	for id, ticket := range m.tickets {
		if ticket.ExpiresAt.Before(limit) {
			delete(m.tickets, id)
		}
	}
}
