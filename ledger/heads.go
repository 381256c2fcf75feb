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

// walk goes through a record entry by entry, and compares it with heads that were
// kept elsewhere.
type walk struct {
	report Report
	heads  []Head
	// hashes are those of the entries that heads name.
	hashes map[int64]digest
	// before is the last entry, and began the one behind which the record begins.
	before link
	began  int64
	// misplaced words that an entry comes behind a later one.
	misplaced string
	passkeys
}

func newWalk(heads []Head, misplaced string) walk {
	w := walk{heads: heads, hashes: map[int64]digest{}, misplaced: misplaced, passkeys: newPasskeys()}
	for _, head := range heads {
		w.hashes[head.Seq] = digest{}
	}
	return w
}

// beginAt begins behind the entries that were removed.
func (w *walk) beginAt(c *Checkpoint) {
	w.report.Checkpoint, w.before, w.began = c, c.link(), c.Seq
}

// take compares an entry with what is expected behind the one before it. What
// follows a bad entry is compared with what is stored, so that each change is named
// once. The error is that of a body which is withheld or cannot be read.
func (w *walk) take(stored, expected link, body []byte) (entry, error) {
	if w.report.Entries++; w.report.Entries == 1 {
		w.report.First = stored.seq
	}
	e, err := decode[entry](body)
	told := err == nil && stored == expected
	next := w.before.seq + 1
	gap, noticed := e.noticed(next, stored.seq)
	switch {
	case noticed && told:
		w.report.Gaps = append(w.report.Gaps, gap)
	case stored.seq < next:
		w.report.find(stored.seq, w.misplaced, stored.seq)
	case stored.seq > next:
		w.report.missing(next, stored.seq-1, "")
	case stored != expected && stored.hash == expected.hash:
		w.report.find(stored.seq, "entry %d was changed or inserted without the vault's key, with a recomputed chain", stored.seq)
	case stored != expected:
		w.report.find(stored.seq, "entry %d was changed, inserted or moved", stored.seq)
	}
	if told {
		w.report.accept(stored.seq, e)
		w.follow(stored.seq, e)
	}
	if _, named := w.hashes[stored.seq]; named {
		w.hashes[stored.seq] = expected.hash
	}
	w.before, w.report.Last = stored, stored.seq
	return e, err
}

// testify says in the report what heads tell of the record. The first finding ends
// it: what follows differs as well. A head of a pruned entry says nothing where
// another one follows.
func (w *walk) testify(key ed25519.PublicKey) {
	r := &w.report
	before := len(r.Findings)
	for i, head := range w.heads {
		if head.Seq < w.began && i < len(w.heads)-1 {
			continue
		}
		if err := VerifyHead(key, head); err != nil {
			r.find(0, "the head of entry %d is not valid: %s", head.Seq, problems.As(err).Message)
		} else {
			r.compareHead(head, w.began, w.hashes[head.Seq])
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
	last, err := read(ctx, l, (*session).lastPushed)
	if err != nil {
		return err
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
	return l.write(ctx, false, func(w *writing) { w.put(stateHead, pushedHead, encode(head)) })
}

// lastPushed is the head that was pushed last, or the zero Head.
func (s *session) lastPushed() Head {
	head, _ := get[Head](s, stateHead, pushedHead)
	return head
}

// Unpushed returns the first entry that no pushed head vouches for, and its time; 0
// if there is none.
func (l *Ledger) Unpushed(ctx context.Context) (seq int64, since time.Time, err error) {
	head, err := read(ctx, l, (*session).lastPushed)
	if err != nil {
		return 0, time.Time{}, err
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
