package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/guard"
	"mcp-partner/internal/phrase"
	"mcp-partner/schemas/problems"
)

// maxBody bounds an entry, in bytes; a line of an export holds one.
const maxBody = 1 << 20

// writing is one transaction that writes. Number and links of an entry are
// computed in it, from the last row, so several processes make one chain.
type writing struct {
	*session
	tail link
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
func (l *Ledger) write(ctx context.Context, firm bool, change func(*writing)) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	if err := l.writeTo(ctx, db, change); err != nil {
		return l.problem(err)
	}
	if firm {
		return l.flush(ctx)
	}
	return nil
}

// written is write for a function that returns something: the zero value after a
// failure.
func written[T any](ctx context.Context, l *Ledger, firm bool, change func(*writing) T) (made T, err error) {
	err = l.write(ctx, firm, func(w *writing) { made = change(w) })
	if err != nil {
		made = *new(T)
	}
	return made, err
}

// flush brings the vault's counter to the end of the record.
func (l *Ledger) flush(ctx context.Context) error {
	if err := l.counter.flush(ctx); err != nil {
		return l.keysProblem(err)
	}
	return nil
}

func (l *Ledger) writeTo(ctx context.Context, db *opened, change func(*writing)) error {
	var w *writing
	err := l.change(ctx, db, func(s *session) bool {
		w = &writing{session: s, tail: s.tail()}
		if w.begin(); w.err == nil {
			change(w)
		}
		return w.changed
	})
	if err != nil {
		return err
	}
	l.counter.learn(func(k *known) { k.seen, k.last, k.place = w.tail.seq, w.tail, w.place })
	if w.voided && l.o.RolledBack != nil {
		l.o.RolledBack(w.lost)
	}
	return nil
}

// begin finds out whether the end of the record is behind what is known.
func (w *writing) begin() {
	why := w.replaced()
	had, seen := w.tail.seq, w.l.counter.get().seen
	switch {
	case w.err != nil:
		return
	case had < seen:
		why = fmt.Sprintf("The file ends with entry %d and the vault remembers entry %d: an older ledger was restored.", had, seen)
	case why != "":
		why = fmt.Sprintf("The ledger ends with entry %d in another database than before (%s): entries may be lost.", had, why)
	default:
		return
	}
	w.rolledBack(max(had, seen), why)
}

// add puts an entry at the end of the record.
func (w *writing) add(e entry) { w.addAt(w.tail.seq+1, e) }

func (w *writing) addAt(seq int64, e entry) {
	body := e.encode()
	if len(body) > maxBody {
		w.fail(problems.New(problems.CodeInvalidArgument, "The entry is longer than 1 MiB."))
	}
	next := w.db.key.next(w.tail, seq, body)
	w.exec(`INSERT INTO events (seq, body, hash, mac) VALUES ($1, $2, $3, $4)`, seq, string(body), next.hash[:], next.mac[:])
	w.tail, w.changed = next, true
}

// events appends events; the last one names the row that changes with them.
func (w *writing) events(state string, gone bool, events ...guard.Event) {
	for i, event := range events {
		w.admits(event)
		e := newEntry(event, w.l.o.Program)
		if i == len(events)-1 {
			e.State, e.Gone = state, gone
		}
		w.add(e)
		if event.Kind == guard.KindUser && w.l.o.Announces {
			w.enqueue(OutboxPerson, strconv.FormatInt(w.tail.seq, 10))
		}
	}
}

// rolledBack marks that the file is an older one: tickets that were spent and
// tokens that were used or revoked since would be good again in it, so all are
// voided. Numbers go on after the lost ones.
func (w *writing) rolledBack(seen int64, why string) {
	had, now := w.tail.seq, w.l.o.Now()
	voided, tokens := rowsOf[guard.Ticket](w.session, `WHERE kind = 'ticket' AND spent = 0`), w.openTokens()
	open := 0
	for _, t := range voided {
		if t.Live(now) {
			open++
		}
	}
	w.lost, w.voided = seen-had, true
	e := newEntry(guard.Event{Time: now, Kind: KindRollback, Detail: fmt.Sprintf(
		"%s Voided: %s and %s. Sign-ins and consents have ended. Freeze, users and schedules are as they were at entry %d.",
		why, phrase.Count(open, "open ticket"), phrase.Count(len(tokens), "invocation token"), had)}, w.l.o.Program)
	if w.lost > 0 {
		e.MissingFrom, e.MissingTo = had+1, seen
	}
	w.addAt(seen+1, e)
	for _, t := range voided {
		t.Spent = true
		w.put(stateTicket, t.ID, encodeTicket(t))
	}
	w.voidRuns()
	if w.place != "" {
		w.put(stateServer, theServer, []byte(w.place))
	}
	for _, t := range tokens {
		t.RevokedAt = now
		w.put(stateToken, t.ID, encodeToken(t))
	}
	w.exec(`DELETE FROM states WHERE kind IN ('session', 'once', 'family')`)
}

// compareCounter notices at the opening that the vault remembers more entries
// than the file has, or that the record is on another server. The vault is asked
// first: entries may be added meanwhile, which only makes the file longer.
func (l *Ledger) compareCounter(ctx context.Context, db *opened) error {
	remembered, err := l.o.Keys.Counter(ctx)
	if err != nil {
		return l.keysProblem(err)
	}
	seen := l.counter.learn(func(k *known) { k.kept = remembered }).seen
	if !l.OnServer() {
		s := &session{ctx: ctx, l: l, db: db, q: db.Write}
		if last := s.tail(); s.err != nil || last.seq >= seen {
			l.counter.learn(func(k *known) { k.seen = last.seq })
			return s.err
		}
	}
	voided := false
	err = l.writeTo(ctx, db, func(w *writing) { voided = w.voided })
	if err != nil || !voided {
		return err
	}
	return l.flush(ctx)
}

// The row that says on which server the record was when it was written last.
const (
	stateServer = "server"
	theServer   = "all"
)

// replaced says why the record may have lost entries that no counter knows, or "".
func (w *writing) replaced() string {
	known := w.l.counter.get()
	if why := w.forked(known.last); why != "" || w.place == "" || w.place == known.place {
		return why
	}
	row, ok := w.one(stateServer, theServer)
	if !ok {
		return "the row that says where the record is was removed or changed"
	}
	why, merged, err := comparePlaces(row.body, []byte(w.place))
	if w.fail(err); why == "" && merged != nil {
		w.put(stateServer, theServer, merged)
	}
	return why
}

// comparePlaces says what two places both tell, and not alike. A server that says
// less than before is no other one; merged is both where it says more.
func comparePlaces(before, after []byte) (why string, merged []byte, err error) {
	var was, is map[string]string
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return "", nil, errDamaged
	}
	var differ []string
	more := false
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if was[name] != "" && is[name] != "" && was[name] != is[name] {
			differ = append(differ, fmt.Sprintf("its %s was %s and is %s", name, was[name], is[name]))
		}
		if was[name] == "" && is[name] != "" {
			was[name], more = is[name], true
		}
	}
	if more {
		merged = encode(was)
	}
	return strings.Join(differ, ", "), merged, nil
}

// forked says that an entry which this process wrote or read last is another one
// now: a server that never had the lost entries gave their numbers again.
func (w *writing) forked(known link) string {
	at := w.tail
	if known.seq == 0 || at.seq < known.seq {
		return "" // the counter tells
	}
	if at.seq > known.seq {
		at = w.linkBefore(known.seq + 1)
	}
	if at == known || at.seq > known.seq { // pruned since
		return ""
	}
	return fmt.Sprintf("entry %d is not the one that was there", known.seq)
}
