package guardtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp-partner/guard"
)

// maxEvents bounds the record of a Store; the oldest go first.
const maxEvents = 10_000

// Store is a guard.Store that lives as long as the test.
type Store struct {
	now func() time.Time

	mu      sync.Mutex
	seq     int64
	tickets map[string]guard.Ticket
	events  []guard.Event
	// open are the intents without an outcome, by Seq.
	open      map[int64]guard.Event
	freeze    guard.Freeze
	approvers map[string]guard.Approver
	tokens    map[string]guard.Token
	runs      memoryRuns
}

// NewStore makes an empty store; now is asked for the time.
func NewStore(now func() time.Time) *Store {
	return &Store{now: now, tickets: map[string]guard.Ticket{}, open: map[int64]guard.Event{}, approvers: map[string]guard.Approver{}, tokens: map[string]guard.Token{}, runs: newMemoryRuns()}
}

// PutTicket implements Store.
func (m *Store) PutTicket(_ context.Context, ticket guard.Ticket, limit int, asked guard.Event) (guard.Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	taken := 0
	for _, other := range m.tickets {
		if !sameKind(other, ticket) || !other.Counts(m.now()) {
			continue
		}
		if guard.Joins(ticket, other) {
			return other, nil
		}
		taken++
	}
	if taken >= limit {
		return guard.Ticket{}, guard.TooManyTickets(ticket, taken)
	}
	ticket = m.runs.keepPlan(ticket)
	m.tickets[ticket.ID] = ticket
	m.append(asked)
	return ticket, nil
}

// sameKind reports whether two tickets count against the same limit.
func sameKind(a, b guard.Ticket) bool {
	return a.InBand == b.InBand && a.Intent.Caller == b.Intent.Caller
}

// Ticket implements Store.
func (m *Store) Ticket(_ context.Context, id string) (guard.Ticket, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket, ok := m.tickets[id]
	return ticket, ok, nil
}

// Tickets implements Store.
func (m *Store) Tickets(_ context.Context, limit int) ([]guard.Ticket, error) {
	tickets := m.deferred(func(guard.Ticket) bool { return true })
	return tickets[:min(limit, len(tickets))], nil
}

// Waiting implements Store.
func (m *Store) Waiting(context.Context) ([]guard.Ticket, error) {
	return m.deferred(func(t guard.Ticket) bool { return t.Live(m.now()) }), nil
}

// deferred returns tickets that are not in band, newest first.
func (m *Store) deferred(want func(guard.Ticket) bool) (tickets []guard.Ticket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ticket := range m.tickets {
		if !ticket.InBand && want(ticket) {
			tickets = append(tickets, ticket)
		}
	}
	slices.SortFunc(tickets, func(a, b guard.Ticket) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return tickets
}

// DecideTicket implements Store.
func (m *Store) DecideTicket(_ context.Context, id string, decision guard.Decision, event guard.Event) (bool, error) {
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
func (m *Store) SpendTicket(_ context.Context, id string, events ...guard.Event) (bool, int64, error) {
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
func (m *Store) Append(_ context.Context, events ...guard.Event) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.withinRates(events); err != nil {
		return 0, err
	}
	return m.append(events...), nil
}

// Refused implements Store.
func (m *Store) Refused(ctx context.Context, event guard.Event) error {
	_, err := m.Append(ctx, event)
	return err
}

// withinRates refuses events that would exceed a rule's rate.
func (m *Store) withinRates(events []guard.Event) error {
	for _, event := range events {
		if event.AtMost != nil && m.count(event.Rule, event.Time.Add(-event.AtMost.Per)) >= event.AtMost.Count {
			return guard.RateExceeded(event.Rule, *event.AtMost)
		}
	}
	return nil
}

func (m *Store) append(events ...guard.Event) int64 {
	for _, event := range events {
		if len(m.events) == maxEvents {
			m.events = append(m.events[:0:0], m.events[maxEvents/10:]...)
		}
		m.seq++
		event.Seq = m.seq
		m.events = append(m.events, event)
		switch event.Kind {
		case guard.KindIntent:
			m.open[event.Seq] = event
		case guard.KindOutcome:
			delete(m.open, event.Of)
		}
	}
	return m.seq
}

// Unfinished implements Store.
func (m *Store) Unfinished(context.Context) ([]guard.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unfinished(), nil
}

func (m *Store) unfinished() []guard.Event {
	events := slices.Collect(maps.Values(m.open))
	slices.SortFunc(events, func(a, b guard.Event) int { return int(a.Seq - b.Seq) })
	return events
}

// Followed implements Store.
func (m *Store) Followed(_ context.Context, seq int64, tenantID string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.events, func(e guard.Event) bool {
		return e.Kind == guard.KindIntent && e.Seq > seq && e.Intent.Identity.TenantID == tenantID
	}), nil
}

// CountIntents implements Store.
func (m *Store) CountIntents(_ context.Context, rule string, since time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count(rule, since), nil
}

func (m *Store) count(rule string, since time.Time) (count int) {
	for _, event := range m.events {
		if event.Kind == guard.KindIntent && event.Rule == rule && !event.Time.Before(since) {
			count++
		}
	}
	return count
}

// Freeze implements Store.
func (m *Store) Freeze(context.Context) (guard.Freeze, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.freeze, nil
}

// SetFreeze implements Store.
func (m *Store) SetFreeze(_ context.Context, freeze guard.Freeze, event guard.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	freeze.Reads = freeze.Reads || freeze.Writes && m.freeze.Reads
	m.freeze, event.Result = freeze, freeze.Scope()
	m.append(event)
	return nil
}

// Approvers implements Store.
func (m *Store) Approvers(context.Context) ([]guard.Approver, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var approvers []guard.Approver
	for _, approver := range m.approvers {
		approvers = append(approvers, approver)
	}
	slices.SortFunc(approvers, func(a, b guard.Approver) int { return strings.Compare(a.Name, b.Name) })
	return approvers, nil
}

// PutApprover implements Store.
func (m *Store) PutApprover(_ context.Context, approver guard.Approver, event guard.Event) (bool, error) {
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
func (m *Store) RemoveApprover(_ context.Context, name string, event guard.Event) (bool, error) {
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
func (m *Store) Events() []guard.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]guard.Event(nil), m.events...)
}

// sweep drops tickets that have been expired for a while, so that questions
// nobody answers do not add up; a late answer then finds none.
func (m *Store) sweep() {
	limit := m.now().Add(-time.Hour)
	for id, ticket := range m.tickets {
		if ticket.ExpiresAt.Before(limit) {
			delete(m.tickets, id)
		}
	}
}
