package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"mcp-partner/schemas/problems"
)

// ParseHeads reads a file with a head on each line. torn counts lines that are no
// head, such as one that a full disk cut off.
func ParseHeads(text []byte) (heads []Head, torn int) {
	for line := range bytes.Lines(text) {
		head, err := ParseHead(line)
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case err != nil:
			torn++
		default:
			heads = append(heads, head)
		}
	}
	return heads, torn
}

// witness compares a record with heads that were kept elsewhere.
type witness struct {
	heads []Head
	// found are the hashes of entries that heads name.
	found map[int64]digest
}

func newWitness(heads []Head) witness {
	w := witness{heads, map[int64]digest{}}
	for _, head := range heads {
		w.found[head.Seq] = digest{}
	}
	return w
}

// see takes in the hash of an entry.
func (w witness) see(seq int64, hash digest) {
	if _, named := w.found[seq]; named {
		w.found[seq] = hash
	}
}

// testify says in the report what heads tell of a record that begins after entry
// began. The first finding ends it: what follows differs as well. A head of a
// pruned entry says nothing where another one follows.
func (w witness) testify(r *Report, key ed25519.PublicKey, began int64) {
	before := len(r.Findings)
	for i, head := range w.heads {
		if head.Seq < began && i < len(w.heads)-1 {
			continue
		}
		if err := VerifyHead(key, head); err != nil {
			r.find(0, "the head of entry %d is not valid: %s", head.Seq, problems.As(err).Message)
		} else {
			r.compareHead(head, began, w.found[head.Seq])
		}
		if len(r.Findings) > before {
			return
		}
	}
}

// The row that holds the head that was pushed last. No entry names it: without it
// the same head is pushed again.
const (
	stateHead  = "head"
	pushedHead = "pushed"
)

// PushHead calls send with a signed head of now, and remembers it once it was
// taken. Nothing is sent where the record is where the last one says. What is only
// counted so far is recorded before.
func (l *Ledger) PushHead(ctx context.Context, send func(Head) error) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	last, err := l.lastPushed(ctx, db)
	if err != nil {
		return l.problem(err)
	}
	if err := errors.Join(l.tokens.flush(ctx), l.refusals.flush(ctx)); err != nil {
		return err
	}
	head, err := l.Head(ctx)
	if err != nil || last.Seq == head.Seq && last.Hash == head.Hash {
		return err
	}
	if err := send(head); err != nil {
		return err
	}
	return l.write(ctx, false, func(w *writing) error { return w.put(ctx, stateHead, pushedHead, encode(head)) })
}

// lastPushed is the head that was pushed last, or the zero Head.
func (l *Ledger) lastPushed(ctx context.Context, db *opened) (head Head, err error) {
	head, _, err = get[Head](ctx, db, db.Read, stateHead, pushedHead)
	return head, err
}

// Unpushed returns the first entry that no pushed head vouches for, and its time; 0
// if there is none.
func (l *Ledger) Unpushed(ctx context.Context) (seq int64, since time.Time, err error) {
	db, err := l.use(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	head, err := l.lastPushed(ctx, db)
	if err != nil {
		return 0, time.Time{}, l.problem(err)
	}
	events, err := l.List(ctx, Filter{After: head.Seq, Limit: 1})
	if err != nil || len(events) == 0 {
		return 0, time.Time{}, err
	}
	return events[0].Seq, events[0].Time, nil
}

// ofGap says of a head whose entry is missing which accepted loss it belongs to.
func (r *Report) ofGap(seq int64) (note string, ok bool) {
	for _, g := range r.Gaps {
		if g.From <= seq && seq <= g.To && g.AcceptedAt > 0 {
			return fmt.Sprintf("The head of entry %d is of %s, which %s accepted with entry %d.", seq, g, g.Approver, g.AcceptedAt), true
		}
	}
	return "", false
}
