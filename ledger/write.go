package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
)

// maxBody bounds an entry, in bytes; a line of an export holds one.
const maxBody = 1 << 20

// writing is one transaction that writes. Number and links of an entry are
// computed in it, from the last row, so several processes make one chain.
type writing struct {
	*sql.Tx
	l    *Ledger
	db   *opened
	tail link
	// place is where the record is, as the server says.
	place string
	// changed says that there is something to commit.
	changed bool
	// lost is how many entries an older file lacks, and voided says that one was
	// noticed here.
	lost   int64
	voided bool
}

// write runs a function in a transaction that holds the file's write lock. An
// error of the function undoes everything. The changes are on the disk when
// write returns without error, and in the vault's counter if firm is set.
func (l *Ledger) write(ctx context.Context, firm bool, change func(*writing) error) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	if err := l.writeTo(ctx, db, change); err != nil {
		return l.problem(err)
	}
	if !firm {
		return nil
	}
	if err := l.counter.flush(ctx); err != nil {
		return l.keysProblem(err)
	}
	return nil
}

func (l *Ledger) writeTo(ctx context.Context, db *opened, change func(*writing) error) error {
	tx, place, err := db.BeginAt(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	w := &writing{Tx: tx, l: l, db: db, place: place}
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := change(w); err != nil {
		return err
	}
	if !w.changed {
		l.counter.saw(w.tail, place)
		return nil
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	l.counter.saw(w.tail, place)
	if w.voided && l.o.RolledBack != nil {
		l.o.RolledBack(w.lost)
	}
	return nil
}

// begin finds the end of the record, and whether it is behind what is known.
func (w *writing) begin(ctx context.Context) (err error) {
	if w.tail, err = tail(ctx, w.Tx, w.db); err != nil {
		return err
	}
	why, err := w.replaced(ctx)
	if err != nil {
		return err
	}
	had, seen := w.tail.seq, w.l.counter.knows(0)
	switch {
	case had < seen:
		why = fmt.Sprintf("The file ends with entry %d and the vault remembers entry %d: an older ledger was restored.", had, seen)
	case why != "":
		why = fmt.Sprintf("The ledger ends with entry %d in another database than before (%s): entries may be lost.", had, why)
	default:
		return nil
	}
	return w.rolledBack(ctx, max(had, seen), why)
}

// add puts an entry at the end of the record.
func (w *writing) add(ctx context.Context, e entry) error { return w.addAt(ctx, w.tail.seq+1, e) }

func (w *writing) addAt(ctx context.Context, seq int64, e entry) error {
	body := e.encode()
	if len(body) > maxBody {
		return problems.New(problems.CodeInvalidArgument, "The entry is longer than 1 MiB.")
	}
	next := w.db.key.next(w.tail, seq, body)
	w.changed = true
	_, err := w.ExecContext(ctx, `INSERT INTO events (seq, body, hash, mac) VALUES ($1, $2, $3, $4)`,
		seq, string(body), next.hash[:], next.mac[:])
	if err == nil {
		w.tail = next
	}
	return err
}

// events appends events; the last one names the row that changes with them.
func (w *writing) events(ctx context.Context, state string, gone bool, events ...guard.Event) error {
	for i, event := range events {
		if err := w.admits(ctx, event); err != nil {
			return err
		}
		e := newEntry(event, w.l.o.Program)
		if i == len(events)-1 {
			e.State, e.Gone = state, gone
		}
		if err := w.add(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// rolledBack marks that the file is an older one: tickets that were spent and
// tokens that were used or revoked since would be good again in it, so all are
// voided. Numbers go on after the lost ones.
func (w *writing) rolledBack(ctx context.Context, seen int64, why string) error {
	had, now := w.tail.seq, w.l.o.Now()
	voided, err := rowsOf[guard.Ticket](ctx, w.db, w.Tx, `WHERE kind = 'ticket' AND spent = 0`)
	if err != nil {
		return err
	}
	tokens, err := w.openTokens(ctx)
	if err != nil {
		return err
	}
	open := 0
	for _, t := range voided {
		if t.Live(now) {
			open++
		}
	}
	w.lost, w.voided = seen-had, true
	e := newEntry(guard.Event{Time: now, Kind: KindRollback, Detail: fmt.Sprintf(
		"%s Voided: %s and %s. Freeze, users and schedules are as they were at entry %d.",
		why, phrase.Count(open, "open ticket"), phrase.Count(len(tokens), "invocation token"), had)}, w.l.o.Program)
	if w.lost > 0 {
		e.MissingFrom, e.MissingTo = had+1, seen
	}
	if err := w.addAt(ctx, seen+1, e); err != nil {
		return err
	}
	for _, t := range voided {
		t.Spent = true
		if err := w.put(ctx, stateTicket, t.ID, encodeTicket(t)); err != nil {
			return err
		}
	}
	if err := w.voidRuns(ctx); err != nil {
		return err
	}
	if w.place != "" {
		if err := w.put(ctx, stateServer, theServer, []byte(w.place)); err != nil {
			return err
		}
	}
	return w.voidTokens(ctx, tokens)
}

// compareCounter notices at the opening that the vault remembers more entries
// than the file has, or that the record is on another server. The vault is asked
// first: entries may be added meanwhile, which only makes the file longer.
func (l *Ledger) compareCounter(ctx context.Context, db *opened) error {
	remembered, err := l.o.Keys.Counter(ctx)
	if err != nil {
		return l.keysProblem(err)
	}
	seen := l.counter.remembers(remembered)
	if !l.OnServer() {
		last, err := tail(ctx, db.Write, db)
		if err != nil || last.seq >= seen {
			l.counter.knows(last.seq)
			return err
		}
	}
	voided := false
	err = l.writeTo(ctx, db, func(w *writing) error { voided = w.voided; return nil })
	if err != nil || !voided {
		return err
	}
	if err := l.counter.flush(ctx); err != nil {
		return l.keysProblem(err)
	}
	return nil
}
