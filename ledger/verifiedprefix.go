package ledger

import (
	"bytes"
	"context"
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

// view is one look at the file with the verified prefix. Its owner holds mu.
type view struct {
	*verifiedPrefix
	*session
}

// following runs a function with a view. The prefix is locked first, so that the
// view never shows less than what was read already.
func (l *Ledger) following(ctx context.Context, do func(view)) error {
	if _, err := l.use(ctx); err != nil {
		return err
	}
	l.prefix.mu.Lock()
	defer l.prefix.mu.Unlock()
	return l.snapshot(ctx, func(s *session) { do(view{&l.prefix, s}) })
}

// vouched compares a run and one of its steps with every entry about them.
func (w *writing) vouched(run string, row int) {
	w.l.prefix.mu.Lock()
	defer w.l.prefix.mu.Unlock()
	k := view{&w.l.prefix, w.session}
	if _, ok := k.run(run); !ok {
		k.changed(ref(stateRun, run))
	}
	k.step(stepName(run, row))
}

// unbroken follows the authenticated chain from an entry to the end.
func (w *writing) unbroken(from int64) { view{&verifiedPrefix{}, w.session}.follow(from) }

// run returns the row of a run after a look at every entry since it changed last.
func (k view) run(id string) (state, bool) {
	s, ok := k.one(stateRun, id)
	if !ok {
		return state{}, false
	}
	k.follow(s.seq)
	if k.changes[ref(stateRun, id)] == 0 {
		k.follow(1) // entries about it were pruned: whatever is left may be about it
	}
	k.vouch(s)
	return s, true
}

// step looks at the row of a step as run does. One that is not there must not be
// in the record either.
func (k view) step(name string) {
	if s, ok := k.one(stateStep, name); ok {
		k.follow(s.seq)
		k.vouch(s)
	} else if k.changes[ref(stateStep, name)] != 0 {
		k.changed(ref(stateStep, name))
	}
}

// allSteps does so for all steps of a run that are there.
func (k view) allSteps(run string, there []state) {
	if _, ok := k.run(run); ok {
		oldest := k.at.seq
		for _, s := range there {
			oldest = min(oldest, s.seq)
		}
		k.follow(oldest)
		names := map[string]bool{}
		for _, s := range there {
			names[ref(s.kind, s.name)] = true
			k.vouch(s)
		}
		for name := range k.changes {
			if strings.HasPrefix(name, ref(stateStep, run+"/")) && !names[name] {
				k.changed(name)
			}
		}
	}
	// A step that the record speaks of may be missing also where the entries about it
	// were not followed.
	told := value[int](k.session, `SELECT count(DISTINCT state) FROM events WHERE state > $1 AND state < $2`,
		ref(stateStep, run+"/"), ref(stateStep, run+"0"))
	if told > len(there) {
		k.fail(k.l.corrupt("where the tenants of the run " + run + " stand was changed by another program"))
	}
}

// vouch refuses a row that changed since, or with an entry that is not there.
func (k view) vouch(s state) {
	if name := ref(s.kind, s.name); s.seq < k.changes[name] || s.seq > k.at.seq {
		k.changed(name)
	}
}

func (k view) changed(row string) {
	k.fail(k.l.corrupt("the row " + untrusted.Sanitize(row) + " does not match its last entry"))
}

// follow reads to the end of the record, so that all of it from an entry on is
// known to be what was written.
func (k view) follow(from int64) {
	if k.changes == nil || from < k.first || from > k.first && len(k.changes) > maxChanges {
		k.begin(from)
	}
	fits := k.readOn()
	if !fits {
		// It is no harm where entries were pruned that had not been read.
		k.begin(min(from, k.first))
		fits = k.readOn()
	}
	if !fits || k.at.seq < from {
		k.fail(k.l.corrupt(fmt.Sprintf("entry %d was changed", k.at.seq+1)))
	}
}

func (k view) begin(from int64) {
	k.first, k.changes, k.at = from, map[string]int64{}, k.linkBefore(from)
}

// readOn follows the chain. An entry fits only behind the one that it was written
// behind, so none can be missing but those that an entry says were lost.
func (k view) readOn() (fits bool) {
	for r := range k.entries(`WHERE seq > $1 ORDER BY seq`, k.at.seq) {
		next := k.db.key.next(k.at, r.seq, r.body)
		if r.link != next {
			return false
		}
		k.at = next
		// encode escapes quotes in texts, so this is found in no text; most entries need no decoding.
		if bytes.Contains(r.body, []byte(`"state":"`+stateRun+`/`)) || bytes.Contains(r.body, []byte(`"state":"`+stateStep+`/`)) {
			k.changes[decoded[entry](k.session, r.body).State] = r.seq
		}
	}
	return true
}
