package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"mcp-partner/internal/untrusted"
)

// verifiedPrefix is what this process has read of the authenticated chain and found to be
// what was written, without a gap up to the last entry read. With it the rows of
// runs are compared with everything that was recorded about them, at the cost of
// the entries that came since the last look.
type verifiedPrefix struct {
	mu sync.Mutex
	// first is the entry at which the reading began, at the link that it came to.
	first int64
	at    link
	// changes is the last entry with which each row of a run changed.
	changes map[string]int64
}

// maxChanges is how many rows are kept in memory before older ones are dropped.
const maxChanges = 100_000

// errBroken means that an entry does not fit the chain.
var errBroken = errors.New("the chain is broken")

// view is one look at the file with the verified prefix. Its owner holds mu.
type view struct {
	*verifiedPrefix
	l  *Ledger
	db *opened
	q  querier
}

// following runs a function with a view. The prefix is locked first, so that the
// view never shows less than what was read already.
func (l *Ledger) following(ctx context.Context, do func(view) error) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	l.prefix.mu.Lock()
	defer l.prefix.mu.Unlock()
	tx, err := db.Snapshot(ctx)
	if err != nil {
		return l.problem(err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	return l.problem(do(view{&l.prefix, l, db, tx}))
}

// vouched compares a run and one of its steps with every entry about them.
func (w *writing) vouched(ctx context.Context, run string, row int) error {
	w.l.prefix.mu.Lock()
	defer w.l.prefix.mu.Unlock()
	k := view{&w.l.prefix, w.l, w.db, w.Tx}
	_, ok, err := k.run(ctx, run)
	if err == nil && !ok {
		err = k.changed(ref(stateRun, run))
	}
	if err != nil {
		return err
	}
	return k.step(ctx, stepName(run, row))
}

// unbroken follows the authenticated chain from an entry to the end.
func (w *writing) unbroken(ctx context.Context, from int64) error {
	return view{&verifiedPrefix{}, w.l, w.db, w.Tx}.follow(ctx, from)
}

// run returns the row of a run after a look at every entry since it changed last.
func (k view) run(ctx context.Context, id string) (state, bool, error) {
	s, ok, err := k.db.one(ctx, k.q, stateRun, id)
	if err != nil || !ok {
		return state{}, false, err
	}
	if err := k.follow(ctx, s.seq); err != nil {
		return state{}, false, err
	}
	if k.changes[ref(stateRun, id)] == 0 {
		// Entries about it were pruned: whatever is left may be about it.
		if err := k.follow(ctx, 1); err != nil {
			return state{}, false, err
		}
	}
	return s, true, k.vouch(s)
}

// step looks at the row of a step as run does. One that is not there must not be
// in the record either.
func (k view) step(ctx context.Context, name string) error {
	s, ok, err := k.db.one(ctx, k.q, stateStep, name)
	switch {
	case err != nil:
		return err
	case ok:
		return errors.Join(k.follow(ctx, s.seq), k.vouch(s))
	case k.changes[ref(stateStep, name)] != 0:
		return k.changed(ref(stateStep, name))
	default:
		return nil
	}
}

// allSteps does so for all steps of a run that are there.
func (k view) allSteps(ctx context.Context, run string, there []state) error {
	_, ok, err := k.run(ctx, run)
	if err != nil || !ok {
		return errors.Join(err, k.counted(ctx, run, len(there)))
	}
	oldest := k.at.seq
	for _, s := range there {
		oldest = min(oldest, s.seq)
	}
	if err := k.follow(ctx, oldest); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, s := range there {
		names[ref(s.kind, s.name)] = true
		if err := k.vouch(s); err != nil {
			return err
		}
	}
	for name := range k.changes {
		if strings.HasPrefix(name, ref(stateStep, run+"/")) && !names[name] {
			return k.changed(name)
		}
	}
	return k.counted(ctx, run, len(there))
}

// counted finds a step that the record speaks of and that is not there, also
// where the entries about it were not followed.
func (k view) counted(ctx context.Context, run string, there int) error {
	var told int
	err := k.q.QueryRowContext(ctx, `SELECT count(DISTINCT state) FROM events WHERE state > $1 AND state < $2`,
		ref(stateStep, run+"/"), ref(stateStep, run+"0")).Scan(&told)
	if err == nil && told > there {
		err = k.l.corrupt("where the tenants of the run " + run + " stand was changed by another program")
	}
	return err
}

// vouch refuses a row that changed since, or with an entry that is not there.
func (k view) vouch(s state) error {
	if name := ref(s.kind, s.name); s.seq < k.changes[name] || s.seq > k.at.seq {
		return k.changed(name)
	}
	return nil
}

func (k view) changed(row string) error {
	return k.l.corrupt("the row " + untrusted.Sanitize(row) + " does not match its last entry")
}

// follow reads to the end of the record, so that all of it from an entry on is
// known to be what was written.
func (k view) follow(ctx context.Context, from int64) error {
	if k.changes == nil || from < k.first || from > k.first && len(k.changes) > maxChanges {
		if err := k.begin(ctx, from); err != nil {
			return err
		}
	}
	err := k.readOn(ctx)
	if errors.Is(err, errBroken) {
		// It is no harm where entries were pruned that had not been read.
		if err = k.begin(ctx, min(from, k.first)); err == nil {
			err = k.readOn(ctx)
		}
	}
	if errors.Is(err, errBroken) || err == nil && k.at.seq < from {
		return k.l.corrupt(fmt.Sprintf("entry %d was changed", k.at.seq+1))
	}
	return err
}

func (k view) begin(ctx context.Context, from int64) (err error) {
	k.first, k.changes = from, map[string]int64{}
	k.at, err = linkBefore(ctx, k.q, k.db, from)
	return err
}

// readOn follows the chain. An entry fits only behind the one that it was written
// behind, so none can be missing but those that an entry says were lost.
func (k view) readOn(ctx context.Context) error {
	return each(ctx, k.q, func(r row) error {
		next := k.db.key.next(k.at, r.seq, r.body)
		if !bytes.Equal(r.mac, next.mac[:]) || !bytes.Equal(r.hash, next.hash[:]) {
			return errBroken
		}
		k.at = next
		// encode escapes quotes in texts, so this is found in no text; most entries need no decoding.
		if !bytes.Contains(r.body, []byte(`"state":"`+stateRun+`/`)) && !bytes.Contains(r.body, []byte(`"state":"`+stateStep+`/`)) {
			return nil
		}
		e, err := decode[entry](r.body)
		k.changes[e.State] = r.seq
		return err
	}, `SELECT seq, body, hash, mac FROM events WHERE seq > $1 ORDER BY seq`, k.at.seq)
}
