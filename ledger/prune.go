package ledger

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
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
func (c Checkpoint) link() (link, error) {
	at := link{seq: c.Seq}
	hash, failure := hex.DecodeString(c.Hash)
	mac, err := hex.DecodeString(c.MAC)
	if failure != nil || err != nil || len(hash) != len(at.hash) || len(mac) != len(at.mac) {
		return link{}, errDamaged
	}
	copy(at.hash[:], hash)
	copy(at.mac[:], mac)
	return at, nil
}

// lastCheckpoint returns the newest one; ok is false if nothing was pruned yet.
func lastCheckpoint(ctx context.Context, q querier) (c Checkpoint, ok bool, err error) {
	var body []byte
	err = q.QueryRowContext(ctx, `SELECT body FROM checkpoints ORDER BY seq DESC LIMIT 1`).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return Checkpoint{}, false, nil
	}
	if err == nil {
		c, err = decode[Checkpoint](body)
	}
	return c, err == nil, err
}

// start returns the link before the first entry.
func start(ctx context.Context, q querier, db *opened) (link, error) {
	c, ok, err := lastCheckpoint(ctx, q)
	if err != nil {
		return link{}, err
	}
	if !ok {
		return db.key.genesis(db.id), nil
	}
	return c.link()
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
	err = l.write(ctx, true, func(w *writing) error {
		cut, err := w.cut(ctx, before)
		if err != nil || cut == 0 {
			return err
		}
		if err := w.unbroken(ctx, 1); err != nil {
			return err
		}
		made, err = w.prune(ctx, cut, before, key)
		return err
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
func (w *writing) cut(ctx context.Context, before time.Time) (cut int64, err error) {
	err = w.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM events
		WHERE seq < coalesce((SELECT min(seq) FROM events WHERE time >= $1), 9223372036854775807)
			AND seq < coalesce((SELECT min(seq) `+w.db.unfinished()+`), 9223372036854775807)`,
		formatTime(before)).Scan(&cut)
	if err != nil || cut == 0 {
		return 0, err
	}
	first, err := w.firstOfOpenRuns(ctx)
	if err != nil || first > cut {
		return cut, err
	}
	err = w.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM events WHERE seq < $1`, first).Scan(&cut)
	return cut, err
}

// firstOfOpenRuns returns the first entry about a run that may still begin
// tenants, or a number beyond every entry.
func (w *writing) firstOfOpenRuns(ctx context.Context) (first int64, err error) {
	runs, err := w.db.runs(ctx, w.Tx)
	if err != nil {
		return 0, err
	}
	first = math.MaxInt64
	for _, r := range runs {
		if r.Ended(w.l.o.Now()) {
			continue
		}
		var opened int64
		err := w.QueryRowContext(ctx, `SELECT coalesce(min(seq), 9223372036854775807) FROM events WHERE state = $1`, ref(stateRun, r.ID)).Scan(&opened)
		if err != nil {
			return 0, err
		}
		first = min(first, opened)
	}
	return first, nil
}

func (w *writing) prune(ctx context.Context, cut int64, before time.Time, key ed25519.PrivateKey) (Checkpoint, error) {
	c := Checkpoint{Before: before.UTC().Format(time.RFC3339)}
	at, err := linkBefore(ctx, w.Tx, w.db, cut+1)
	if err != nil {
		return Checkpoint{}, err
	}
	outlive, err := w.outlive(ctx, cut) // while the entries about them are there
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Removed, err = w.deleteOld(ctx, cut, before); err != nil {
		return Checkpoint{}, err
	}
	if err := w.QueryRowContext(ctx, `SELECT count(*) FROM events`).Scan(&c.Count); err != nil {
		return Checkpoint{}, err
	}
	c.Head = w.l.newHead(w.db.id, at, c.Count, key)
	c.Signature = ed25519.Sign(key, c.message())
	if err := w.keep(ctx, c); err != nil {
		return Checkpoint{}, err
	}
	return c, w.renew(ctx, outlive)
}

// outlive returns the genuine rows that changed last with entries up to cut.
func (w *writing) outlive(ctx context.Context, cut int64) (rows []state, err error) {
	err = w.db.each(ctx, w.Tx, func(s state) error {
		rows = append(rows, s)
		return nil
	}, `WHERE seq <= $1`, cut)
	return rows, err
}

// renew writes rows that are still there as of the entry about the pruning.
func (w *writing) renew(ctx context.Context, rows []state) error {
	for _, s := range rows {
		var there bool
		err := w.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM states WHERE kind = $1 AND name = $2)`, s.kind, s.name).Scan(&there)
		if err == nil && there {
			err = w.put(ctx, s.kind, s.name, s.body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keep stores a checkpoint and says so in the record.
func (w *writing) keep(ctx context.Context, c Checkpoint) error {
	if _, err := w.ExecContext(ctx, `INSERT INTO checkpoints (seq, body) VALUES ($1, $2)`, c.Seq, string(encode(c))); err != nil {
		return err
	}
	return w.add(ctx, newEntry(guard.Event{Time: w.l.o.Now(), Kind: KindPrune,
		Detail: fmt.Sprintf("All entries up to %d, older than %s, were removed: %d.", c.Seq, c.Before, c.Removed)}, w.l.o.Program))
}

// deleteOld removes entries, and the tickets and tokens that changed last with
// them and are too old to be used.
func (w *writing) deleteOld(ctx context.Context, cut int64, before time.Time) (int64, error) {
	result, err := w.ExecContext(ctx, `DELETE FROM events WHERE seq <= $1`, cut)
	if err != nil {
		return 0, err
	}
	if _, err := w.ExecContext(ctx, `DELETE FROM states WHERE kind IN ('ticket', 'token') AND seq <= $1 AND expires < $2`,
		cut, min(formatTime(before), formatTime(w.l.o.Now()))); err != nil {
		return 0, err
	}
	if err := w.deleteRuns(ctx, cut, before); err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
