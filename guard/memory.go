package guard

import (
	"context"
	"sync"
	"time"
)

// maxEvents bounds the record of a MemoryStore; the oldest go first.
const maxEvents = 10_000

// MemoryStore is a Store that lives as long as the process: for --simulate,
// for tests, and until a durable one is configured.
type MemoryStore struct {
	now func() time.Time

	mu      sync.Mutex
	tickets map[string]Ticket
	events  []Event
}

// NewMemoryStore makes an empty store; now is asked for the time.
func NewMemoryStore(now func() time.Time) *MemoryStore {
	return &MemoryStore{now: now, tickets: map[string]Ticket{}}
}

// PutTicket implements Store.
func (m *MemoryStore) PutTicket(_ context.Context, ticket Ticket) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	pending := 0
	for _, other := range m.tickets {
		if other.InBand != ticket.InBand || other.Intent.Caller != ticket.Intent.Caller || !other.live(m.now()) {
			continue
		}
		if !ticket.InBand && other.Binding == ticket.Binding && other.Intent.Before == ticket.Intent.Before {
			return other, nil
		}
		pending++
	}
	if pending >= ticket.limit() {
		return Ticket{}, tooManyPending(pending)
	}
	m.tickets[ticket.ID] = ticket
	return ticket, nil
}

// Ticket implements Store.
func (m *MemoryStore) Ticket(_ context.Context, id string) (Ticket, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket, ok := m.tickets[id]
	return ticket, ok, nil
}

// SpendTicket implements Store.
func (m *MemoryStore) SpendTicket(_ context.Context, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ticket, ok := m.tickets[id]
	if !ok || ticket.Spent {
		return false, nil
	}
	ticket.Spent = true
	m.tickets[id] = ticket
	return true, nil
}

// Append implements Store.
func (m *MemoryStore) Append(_ context.Context, event Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == maxEvents {
		m.events = append(m.events[:0:0], m.events[maxEvents/10:]...)
	}
	m.events = append(m.events, event)
	return nil
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
