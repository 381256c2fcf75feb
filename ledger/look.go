package ledger

import (
	"context"
	"sync"

	"mcp-partner/guard"
	"mcp-partner/internal/database"
)

// observation is what one look found of all that may change between two calls.
type observation struct {
	db *opened
	// revision changes with everything that is committed, by this process or
	// another one.
	revision revision
	// marked says that the file of a freeze of reads is there.
	marked bool
}

// look asks once for everything. Calls that come meanwhile share the next look.
func (l *Ledger) look(ctx context.Context) (seen observation, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Patience)
	defer cancel()
	seen.marked = l.marked()
	if seen.db, err = l.use(ctx); err != nil {
		return seen, err
	}
	seen.revision, err = seen.db.Revision(ctx)
	if now := seen.revision.Connection; err == nil && now != l.lookedBy {
		if l.lookedBy > 0 {
			err = l.compareCounter(ctx, seen.db)
		}
		if err == nil {
			l.lookedBy = now
		}
	}
	return seen, l.problem(err)
}

// markedIn looks at the mark again where the call went away before its look.
func (l *Ledger) markedIn(seen observation) bool {
	return seen.marked || seen.db == nil && l.marked()
}

type revision = database.Revision

// maxRecentTokens bounds how many tokens are kept in memory.
const maxRecentTokens = 1000

// recent keeps what was read last of the freeze and of tokens, for as long as
// nothing is committed: every call asks for them, and hardly any finds a change.
type recent struct {
	mu     sync.Mutex
	at     revision
	freeze *guard.Freeze
	tokens map[string]guard.Token
}

// turnTo forgets what was read of another revision. The caller holds mu.
func (r *recent) turnTo(at revision) {
	if r.at != at || r.tokens == nil {
		r.at, r.freeze, r.tokens = at, nil, map[string]guard.Token{}
	}
}

func (r *recent) freezeAt(at revision) (guard.Freeze, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnTo(at)
	if r.freeze == nil {
		return guard.Freeze{}, false
	}
	return *r.freeze, true
}

// keepFreeze is given the revision from before the reading, which may have seen
// more.
func (r *recent) keepFreeze(at revision, freeze guard.Freeze) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == at {
		r.freeze = &freeze
	}
}

func (r *recent) tokenAt(at revision, id string) (guard.Token, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnTo(at)
	t, ok := r.tokens[id]
	return t, ok
}

func (r *recent) keepToken(at revision, t guard.Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == at && len(r.tokens) < maxRecentTokens {
		r.tokens[t.ID] = t
	}
}
