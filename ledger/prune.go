package ledger

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"
	"time"

	"mcp-partner/guard"
)

// Checkpoint says, signed, that all entries up to Head.Seq were removed on
// purpose, and how the chains go on. Head.Count is how many are left.
type Checkpoint struct {
	Head
	// Before is the time that the entries were older than, RFC 3339 in UTC.
	Before string `json:"before"`
	// Removed is how many entries were removed.
	Removed int64 `json:"removed"`
}

func (c Checkpoint) message() []byte {
	c.Signature = nil
	return signed(tagPruned, c)
}

// link returns where the chains continue.
func (c Checkpoint) link() link { return link{c.Seq, c.Hash, c.MAC} }

// lastCheckpoint returns the newest one; ok is false if nothing was pruned yet. Of one
// that cannot be read it returns the number.
func (s *session) lastCheckpoint() (c Checkpoint, ok bool) {
	var seq int64
	if ok = s.row([]any{&seq, content{&c}}, `SELECT seq, body FROM checkpoints ORDER BY seq DESC LIMIT 1`); !ok {
		c.Seq = seq
	}
	return c, ok
}

// start returns the link before the first entry.
func (s *session) start() link {
	if c, ok := s.lastCheckpoint(); ok {
		return c.link()
	}
	return s.db.key.genesis(s.db.id)
}

// Prune removes the entries that are older than before, and the tickets that
// ended by then, and leaves a signed checkpoint from which the chains continue.
// It stops at the first intent without an outcome, and at the start of a run
// that can still continue, whose entries alone say what it has done. It leaves
// a tampered record unchanged, because pruning would remove the evidence. With
// nothing to remove it returns the zero Checkpoint. An error beside a
// checkpoint says that the entries are removed and that the file could not be
// compacted, so that traces of them may be in it. Backups and exports keep what
// they have.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (made Checkpoint, err error) {
	key, err := l.signingKey(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	err = l.write(ctx, true, func(w *writing) {
		if cut := w.cut(before); cut > 0 {
			w.unbroken(1)
			made = w.prune(cut, before, key)
		}
	})
	if err != nil || made.Seq == 0 {
		return Checkpoint{}, err
	}
	db, err := l.use(ctx)
	if err != nil {
		return made, err
	}
	return made, l.problem(db.Compact(ctx)) // nothing stays in the file of what was removed
}

// cut returns the last entry to be removed, 0 if there is none: all before it
// are older too, so that what is left is one piece.
func (w *writing) cut(before time.Time) int64 {
	cut := value[int64](w.session, `SELECT coalesce(max(seq), 0) FROM events
		WHERE seq < coalesce((SELECT min(seq) FROM events WHERE time >= $1), 9223372036854775807)
			AND seq < coalesce((SELECT min(seq) `+w.db.unfinished()+`), 9223372036854775807)`, formatTime(before))
	if first := w.firstOfOpenRuns(); cut > 0 && first <= cut {
		return value[int64](w.session, `SELECT coalesce(max(seq), 0) FROM events WHERE seq < $1`, first)
	}
	return cut
}

// firstOfOpenRuns returns the first entry about a run that may still begin
// tenants, or a number beyond every entry.
func (w *writing) firstOfOpenRuns() int64 {
	first := int64(math.MaxInt64)
	for _, r := range w.runs() {
		if !r.Ended(w.l.o.Now()) {
			first = min(first, value[int64](w.session, `SELECT coalesce(min(seq), 9223372036854775807) FROM events WHERE state = $1`, ref(stateRun, r.ID)))
		}
	}
	return first
}

func (w *writing) prune(cut int64, before time.Time, key ed25519.PrivateKey) Checkpoint {
	c := Checkpoint{Before: before.UTC().Format(time.RFC3339)}
	at := w.linkBefore(cut + 1)
	outlive := slices.Collect(w.states(`WHERE seq <= $1`, cut)) // while the entries about them are there
	c.Removed = w.deleteOld(cut, before)
	c.Head = w.l.newHead(w.db.id, at, value[int64](w.session, `SELECT count(*) FROM events`), key)
	c.Signature = ed25519.Sign(key, c.message())
	w.exec(`INSERT INTO checkpoints (seq, body) VALUES ($1, $2)`, c.Seq, string(encode(c)))
	w.add(newEntry(guard.Event{Time: w.l.o.Now(), Kind: KindPrune,
		Detail: fmt.Sprintf("All entries up to %d, older than %s, were removed: %d.", c.Seq, c.Before, c.Removed)}, w.l.o.Program))
	for _, s := range outlive { // as of the entry about the pruning
		if value[bool](w.session, `SELECT EXISTS (SELECT 1 FROM states WHERE kind = $1 AND name = $2)`, s.kind, s.name) {
			w.put(s.kind, s.name, s.body)
		}
	}
	return c
}

// deleteOld removes entries, and the tickets and tokens that changed last with
// them and are too old to be used. It returns how many entries.
func (w *writing) deleteOld(cut int64, before time.Time) int64 {
	removed := w.exec(`DELETE FROM events WHERE seq <= $1`, cut)
	w.exec(`DELETE FROM states WHERE kind IN ('ticket', 'token') AND seq <= $1 AND expires < $2`,
		cut, min(formatTime(before), formatTime(w.l.o.Now())))
	w.deleteRuns(cut, before)
	return removed
}
