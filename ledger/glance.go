package ledger

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"mcp-partner/guard"
)

// How long the file must have been left alone before a look at its times can
// stand for reading it: more than a kernel rounds to, or for a time without a
// fraction, more than the coarsest file system does.
const (
	settled       = 100 * time.Millisecond
	coarseSettled = 3 * time.Second
)

// settles reports whether a change from now on would leave another time.
func settles(at, now time.Time) bool {
	if at.Nanosecond() == 0 {
		return now.Sub(at) >= coarseSettled
	}
	return now.Sub(at) >= settled
}

// footprint is what the file system says of the database and its log. Each
// commit writes to one of them, so as long as both are the same nothing was
// committed. That is only true of times that lie well before the look: two
// changes of one moment can leave the same time.
type footprint struct{ database, log trace }

type trace struct {
	size int64
	at   time.Time
	file fs.FileInfo
}

func (t trace) same(u trace) bool {
	return t.size == u.size && t.at.Equal(u.at) && (t.file == nil) == (u.file == nil) && (t.file == nil || os.SameFile(t.file, u.file))
}

// footprint is what the files are now, of which the database's was looked at
// already; ok is false where times cannot be relied on.
func (l *Ledger) footprint(database fs.FileInfo) (f footprint, ok bool) {
	if !timesTell {
		return footprint{}, false
	}
	now := time.Now()
	f.database = traceOf(database)
	if log, err := os.Lstat(l.path + "-wal"); err == nil {
		f.log = traceOf(log) // none is a trace as well: then the other one has changed
	}
	return f, settles(f.database.at, now) && (f.log.file == nil || settles(f.log.at, now))
}

func traceOf(info fs.FileInfo) trace { return trace{info.Size(), info.ModTime(), info} }

// glance keeps what was read last of the brake and of tokens, for as long as the
// file is what it was: every call asks for them, and hardly any finds a change.
type glance struct {
	mu     sync.Mutex
	at     footprint
	brake  *guard.Freeze
	tokens map[string]guard.Token
}

// fresh forgets what was read of another state of the file. The caller holds mu.
func (g *glance) fresh(at footprint) {
	if !g.at.database.same(at.database) || !g.at.log.same(at.log) || g.tokens == nil {
		g.at, g.brake, g.tokens = at, nil, map[string]guard.Token{}
	}
}

func (g *glance) recall(at footprint) (guard.Freeze, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fresh(at)
	if g.brake == nil {
		return guard.Freeze{}, false
	}
	return *g.brake, true
}

// keep is given the footprint from before the reading.
func (g *glance) keep(at footprint, freeze guard.Freeze) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fresh(at)
	g.brake = &freeze
}

// maxKeptTokens bounds how many tokens are kept.
const maxKeptTokens = 1000

func (g *glance) recallToken(at footprint, id string) (guard.Token, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fresh(at)
	t, ok := g.tokens[id]
	return t, ok
}

func (g *glance) keepToken(at footprint, t guard.Token) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fresh(at); len(g.tokens) < maxKeptTokens {
		g.tokens[t.ID] = t
	}
}
