package ledger

import (
	"context"
	"errors"
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
func (l *Ledger) PutTicket(ctx context.Context, ticket guard.Ticket, limit int, asked guard.Event) (stored guard.Ticket, err error) {
	err = l.write(ctx, false, func(w *writing) error {
		joined, err := w.joins(ctx, ticket, limit)
		if err != nil || joined.ID != "" {
			stored = joined
			return err
		}
		stored = ticket
		if _, taken, err := w.db.one(ctx, w.Tx, stateTicket, ticket.ID); err != nil || taken {
			return errors.Join(err, errTaken)
		}
		if ticket.Plan != nil {
			if err := w.dropPlans(ctx); err != nil {
				return err
			}
			if err := w.put(ctx, statePlan, ticket.ID, ticket.Plan.Body); err != nil {
				return err
			}
		}
		if l.o.Announces && !ticket.InBand {
			if err := w.enqueue(ctx, OutboxApproval, ticket.ID); err != nil {
				return err
			}
		}
		return w.record(ctx, stateTicket, ticket.ID, encodeTicket(ticket), asked)
	})
	if err != nil {
		return guard.Ticket{}, err
	}
	return stored, nil
}

// errTaken cannot happen with IDs of 72 random bits.
var errTaken = problems.New(problems.CodeInternal, "A new approval has the ID of an older one.")

// joins returns the live ticket that asks the same, if there is one, and
// refuses where as many as limit count.
func (w *writing) joins(ctx context.Context, ticket guard.Ticket, limit int) (joined guard.Ticket, err error) {
	taken, now := 0, w.l.o.Now()
	clause, since := `WHERE kind = 'ticket' AND spent = 0 AND caller = $1 AND in_band = 0 AND expires > $2`, now
	if ticket.InBand {
		clause, since = w.db.Index("states_asked")+` WHERE kind = 'ticket' AND caller = $1 AND in_band = 1 AND created > $2`, now.Add(-guard.AskedWithin)
	}
	err = w.db.each(ctx, w.Tx, func(s state) error {
		other, err := decode[guard.Ticket](s.body)
		switch {
		case err != nil || !other.Counts(now):
			return err
		case guard.Joins(ticket, other):
			joined = other
			return errStop
		}
		taken++
		return nil
	}, clause, string(ticket.Intent.Caller), formatTime(since))
	if err == nil && joined.ID == "" && taken >= limit {
		err = guard.TooManyTickets(ticket, taken)
	}
	return joined, err
}

// dropPlans removes the plans of questions in the client that were declined or
// not answered: they can open no run.
func (w *writing) dropPlans(ctx context.Context) error {
	_, err := w.ExecContext(ctx, `DELETE FROM states WHERE kind = 'plan' AND EXISTS (SELECT 1 FROM states t
		WHERE t.kind = 'ticket' AND t.name = states.name AND t.in_band = 1 AND (t.body ->> 'declined' IS NOT NULL OR t.spent = 0 AND t.expires < $1))`,
		formatTime(w.l.o.Now()))
	return err
}

// Ticket implements guard.Store. A ticket whose row was changed in the file, or
// put back from an older copy, is not there.
func (l *Ledger) Ticket(ctx context.Context, id string) (t guard.Ticket, ok bool, err error) {
	t, err = read(ctx, l, func(db *opened) (guard.Ticket, error) {
		t, ok, err = get[guard.Ticket](ctx, db, db.Read, stateTicket, id)
		return t, err
	})
	return t, ok, err
}

// Tickets implements guard.Store.
func (l *Ledger) Tickets(ctx context.Context, limit int) ([]guard.Ticket, error) {
	return read(ctx, l, func(db *opened) (found []guard.Ticket, err error) {
		err = db.each(ctx, db.Read, func(s state) error {
			if len(found) == limit {
				return errStop
			}
			t, err := decode[guard.Ticket](s.body)
			found = append(found, t)
			return err
		}, db.Index("states_waiting")+` WHERE kind = 'ticket' AND in_band = 0 ORDER BY created DESC`)
		return found, err
	})
}

// Waiting implements guard.Store.
func (l *Ledger) Waiting(ctx context.Context) ([]guard.Ticket, error) {
	return read(ctx, l, func(db *opened) ([]guard.Ticket, error) {
		now := l.o.Now()
		found, err := rowsOf[guard.Ticket](ctx, db, db.Read, db.Index("states_open")+` WHERE kind = 'ticket' AND spent = 0 AND in_band = 0
			AND expires > $1 ORDER BY created DESC`, formatTime(now))
		return slices.DeleteFunc(found, func(t guard.Ticket) bool { return !t.Live(now) }), err
	})
}

// DecideTicket implements guard.Store.
func (l *Ledger) DecideTicket(ctx context.Context, id string, decision guard.Decision, event guard.Event) (bool, error) {
	decided, _, err := l.changeTicket(ctx, id, func(t *guard.Ticket) bool {
		if t.Decision != nil {
			return false
		}
		t.Decision = &decision
		return true
	}, event)
	return decided, err
}

// SpendTicket implements guard.Store.
func (l *Ledger) SpendTicket(ctx context.Context, id string, events ...guard.Event) (bool, int64, error) {
	return l.changeTicket(ctx, id, func(t *guard.Ticket) bool { t.Spend(events); return true }, events...)
}

// changeTicket changes a ticket that is not spent, with its events, if change
// says so. It is in the vault's counter before the caller may act on it, so
// that an older file cannot bring the ticket back.
func (l *Ledger) changeTicket(ctx context.Context, id string, change func(*guard.Ticket) bool, events ...guard.Event) (changed bool, last int64, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		t, ok, err := intact[guard.Ticket](ctx, w, stateTicket, id)
		if err != nil || !ok || t.Spent || !change(&t) {
			return err
		}
		err = w.record(ctx, stateTicket, id, encodeTicket(t), events...)
		changed, last = true, w.tail.seq
		return err
	})
	if err != nil {
		return false, 0, err
	}
	return changed, last, nil
}
