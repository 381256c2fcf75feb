package ledger

import (
	"context"
	"slices"

	"mcp-partner/guard"
	"mcp-partner/schemas/problems"
)

// encodeTicket writes the times of a ticket in their fixed width: SQL compares them.
func encodeTicket(t guard.Ticket) []byte {
	return encode(struct {
		guard.Ticket
		Created guard.Stamp `json:"created"`
		Expires guard.Stamp `json:"expires"`
	}{t, guard.Stamp{Time: t.CreatedAt}, guard.Stamp{Time: t.ExpiresAt}})
}

// PutTicket implements guard.Store.
func (l *Ledger) PutTicket(ctx context.Context, ticket guard.Ticket, limit int, asked guard.Event) (guard.Ticket, error) {
	return written(ctx, l, false, func(w *writing) guard.Ticket {
		if open := w.joins(ticket, limit); open.ID != "" {
			return open
		}
		w.unused(stateTicket, ticket.ID)
		if ticket.Plan != nil {
			w.dropPlans()
			w.put(statePlan, ticket.ID, ticket.Plan.Body)
		}
		if l.o.Announces && !ticket.InBand {
			w.enqueue(OutboxApproval, ticket.ID)
		}
		w.record(stateTicket, ticket.ID, encodeTicket(ticket), asked)
		return ticket
	})
}

// unused refuses an ID that is taken, which cannot happen with 72 random bits.
func (w *writing) unused(kind, id string) {
	if _, taken := w.one(kind, id); taken {
		w.fail(problems.New(problems.CodeInternal, "A new approval has the ID of an older one."))
	}
}

// joins returns the live ticket that asks the same, if there is one, and
// refuses where as many as limit count.
func (w *writing) joins(ticket guard.Ticket, limit int) guard.Ticket {
	taken, now := 0, w.l.o.Now()
	clause, since := `WHERE kind = 'ticket' AND spent = 0 AND caller = $1 AND in_band = 0 AND expires > $2`, now
	if ticket.InBand {
		clause, since = w.db.Index("states_asked")+` WHERE kind = 'ticket' AND caller = $1 AND in_band = 1 AND created > $2`, now.Add(-guard.AskedWithin)
	}
	for s := range w.states(clause, string(ticket.Intent.Caller), formatTime(since)) {
		switch other := decoded[guard.Ticket](w.session, s.body); {
		case !other.Counts(now):
		case guard.Joins(ticket, other):
			return other
		default:
			taken++
		}
	}
	if taken >= limit {
		w.fail(guard.TooManyTickets(ticket, taken))
	}
	return guard.Ticket{}
}

// dropPlans removes the plans of questions in the client that were declined or
// not answered: they can open no run.
func (w *writing) dropPlans() {
	w.exec(`DELETE FROM states WHERE kind = 'plan' AND EXISTS (SELECT 1 FROM states t
		WHERE t.kind = 'ticket' AND t.name = states.name AND t.in_band = 1 AND (t.body ->> 'declined' IS NOT NULL OR t.spent = 0 AND t.expires < $1))`,
		formatTime(w.l.o.Now()))
}

// Ticket implements guard.Store. A ticket whose row was changed in the file, or
// put back from an older copy, is not there.
func (l *Ledger) Ticket(ctx context.Context, id string) (t guard.Ticket, ok bool, err error) {
	t, err = read(ctx, l, func(s *session) guard.Ticket {
		t, ok = get[guard.Ticket](s, stateTicket, id)
		return t
	})
	return t, ok, err
}

// Tickets implements guard.Store.
func (l *Ledger) Tickets(ctx context.Context, limit int) ([]guard.Ticket, error) {
	return read(ctx, l, func(s *session) (found []guard.Ticket) {
		for one := range s.states(s.db.Index("states_waiting") + ` WHERE kind = 'ticket' AND in_band = 0 ORDER BY created DESC`) {
			if len(found) == limit {
				break
			}
			found = append(found, decoded[guard.Ticket](s, one.body))
		}
		return found
	})
}

// Waiting implements guard.Store.
func (l *Ledger) Waiting(ctx context.Context) ([]guard.Ticket, error) {
	return read(ctx, l, func(s *session) []guard.Ticket {
		now := l.o.Now()
		found := rowsOf[guard.Ticket](s, s.db.Index("states_open")+` WHERE kind = 'ticket' AND spent = 0 AND in_band = 0
			AND expires > $1 ORDER BY created DESC`, formatTime(now))
		return slices.DeleteFunc(found, func(t guard.Ticket) bool { return !t.Live(now) })
	})
}

// DecideTicket implements guard.Store.
func (l *Ledger) DecideTicket(ctx context.Context, id string, decision guard.Decision, event guard.Event, with func(guard.StateTx, guard.Ticket) error) (bool, error) {
	last, err := l.changeTicket(ctx, id, func(w *writing, t *guard.Ticket) bool {
		if with != nil && t.Decision == nil {
			w.fail(with(stateTx{w}, *t))
		}
		return t.Decide(decision)
	}, event)
	return last > 0, err
}

// SpendTicket implements guard.Store.
func (l *Ledger) SpendTicket(ctx context.Context, id string, events ...guard.Event) (bool, int64, error) {
	last, err := l.changeTicket(ctx, id, func(_ *writing, t *guard.Ticket) bool { t.Spend(events); return true }, events...)
	return last > 0, last, err
}

// changeTicket changes a ticket that is not spent, with its events, if change
// says so; else last is 0. It is in the vault's counter before the caller may act on it, so
// that an older file cannot bring the ticket back.
func (l *Ledger) changeTicket(ctx context.Context, id string, change func(*writing, *guard.Ticket) bool, events ...guard.Event) (last int64, err error) {
	return written(ctx, l, true, func(w *writing) int64 {
		t, ok := intact[guard.Ticket](w, stateTicket, id)
		if !ok || t.Spent || !change(w, &t) {
			return 0
		}
		w.record(stateTicket, id, encodeTicket(t), events...)
		return w.tail.seq
	})
}
