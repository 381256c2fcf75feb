package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"mcp-partner/guard"
)

type approverBody struct {
	Salt      []byte `json:"salt"`
	Time      uint32 `json:"time"`
	Memory    uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
	PublicKey []byte `json:"public_key"`
	Added     string `json:"added"`
}

func encodeApprover(a guard.Approver) ([]byte, error) {
	return json.Marshal(approverBody{a.Salt, a.Time, a.Memory, a.Threads, a.PublicKey, formatTime(a.AddedAt)})
}

func decodeApprover(name string, text []byte) (guard.Approver, error) {
	var b approverBody
	times := unmarshal(text, &b)
	return guard.Approver{
		Name: name, Salt: b.Salt, Time: b.Time, Memory: b.Memory, Threads: b.Threads,
		PublicKey: b.PublicKey, AddedAt: times.parse(b.Added),
	}, times.failure
}

// Approvers implements guard.Store. One whose row was changed in the file is
// not there.
func (l *Ledger) Approvers(ctx context.Context) ([]guard.Approver, error) {
	db, err := l.use(ctx)
	if err != nil {
		return nil, err
	}
	var found []guard.Approver
	err = db.each(ctx, db.read, func(s state) (bool, error) {
		a, err := decodeApprover(s.name, s.body)
		found = append(found, a)
		return true, err
	}, `WHERE kind = 'approver' ORDER BY name`)
	return found, l.problem(err)
}

// PutApprover implements guard.Store.
func (l *Ledger) PutApprover(ctx context.Context, approver guard.Approver, event guard.Event) (added bool, err error) {
	body, err := encodeApprover(approver)
	if err != nil {
		return false, l.problem(err)
	}
	err = l.write(ctx, true, func(w *writing) error {
		_, taken, err := w.db.one(ctx, w.Tx, stateApprover, approver.Name)
		if err != nil || taken {
			return err
		}
		added = true
		return errors.Join(
			w.events(ctx, ref(stateApprover, approver.Name), false, event),
			w.put(ctx, stateApprover, approver.Name, body))
	})
	return added && err == nil, err
}

// RemoveApprover implements guard.Store.
func (l *Ledger) RemoveApprover(ctx context.Context, name string, event guard.Event) (removed bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		_, there, err := w.db.one(ctx, w.Tx, stateApprover, name)
		if err != nil || !there {
			return err
		}
		removed = true
		return errors.Join(
			w.events(ctx, ref(stateApprover, name), true, event),
			w.remove(ctx, stateApprover, name))
	})
	return removed && err == nil, err
}

type freezeBody struct {
	Writes bool   `json:"writes"`
	Reads  bool   `json:"reads"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
	Since  string `json:"since"`
}

func encodeFreeze(f guard.Freeze) ([]byte, error) {
	return json.Marshal(freezeBody{f.Writes, f.Reads, f.Reason, f.By, formatTime(f.Since)})
}

func decodeFreeze(text []byte) (guard.Freeze, error) {
	var b freezeBody
	times := unmarshal(text, &b)
	return guard.Freeze{Writes: b.Writes, Reads: b.Reads, Reason: b.Reason, By: b.By, Since: times.parse(b.Since)}, times.failure
}

// tampered is the brake when nobody can tell what it said.
func (l *Ledger) tampered(what string) guard.Freeze {
	return guard.Freeze{Writes: true, Reads: true, By: "mcp-partner",
		Reason: "In the ledger " + l.path + " " + what + ". Run: mcp-partner ledger verify. Then freeze or unfreeze anew."}
}

// Freeze implements guard.Store. A brake whose row was changed, removed or put
// back in the file, and a record that is shorter than it was, count as a brake
// that is pulled. A freeze of reads holds by its file also where there is no
// record to be read.
func (l *Ledger) Freeze(ctx context.Context) (guard.Freeze, error) {
	f, err := l.recorded(ctx)
	if (err != nil || !f.Reads) && l.marked() {
		return l.fromMark(), nil
	}
	return f, err
}

// recorded is the brake as the record has it.
func (l *Ledger) recorded(ctx context.Context) (guard.Freeze, error) {
	db, info, err := l.useAsSeen(ctx)
	if err != nil {
		return guard.Freeze{}, err
	}
	at, settled := l.footprint(info) // before the reading, which may see more
	if f, ok := l.glance.recall(at); settled && ok {
		return f, nil
	}
	f, err := l.brake(ctx, db)
	if err == nil && settled {
		l.glance.keep(at, f)
	}
	return f, l.problem(err)
}

// freezeQuery asks for the end of the record and for the brake's row, which a
// new file has already: a missing one was removed.
const freezeQuery = `SELECT ` + lastEntry + `, ` + stateColumns + `
	FROM states WHERE kind = 'freeze' AND name = 'all'`

func (l *Ledger) brake(ctx context.Context, db *database) (guard.Freeze, error) {
	seen := l.counter.knows(0) // before the query, which may see more
	s, last, there, err := withEnd(ctx, db.freeze)
	switch {
	case err != nil:
		return guard.Freeze{}, err
	case there && last < seen:
		return l.tampered("entries are missing at the end"), nil
	case !there || !db.genuine(s):
		return l.tampered("the row of the freeze was changed by something else than mcp-partner"), nil
	}
	return decodeFreeze(s.body)
}

// SetFreeze implements guard.Store. The file of a freeze of reads is there
// before the record says so, and stays until the record says otherwise: if the
// record cannot be written, reads are stopped all the same.
func (l *Ledger) SetFreeze(ctx context.Context, freeze guard.Freeze, event guard.Event) error {
	_, err := l.use(ctx)
	if there := l.exists(); err != nil && !there {
		return err // there is no record here, and none is begun for a brake
	}
	if freeze.Reads {
		if err := l.mark(freeze); err != nil {
			return l.problem(err)
		}
	}
	err = l.write(ctx, true, func(w *writing) error {
		if freeze.Reads, err = w.readsStop(ctx, freeze); err != nil {
			return err
		}
		body, err := encodeFreeze(freeze)
		if err != nil {
			return err
		}
		event.Result = freeze.Scope()
		return errors.Join(
			w.events(ctx, ref(stateFreeze, theFreeze), false, event),
			w.put(ctx, stateFreeze, theFreeze, body))
	})
	switch {
	case err != nil && freeze.Reads:
		return l.stoppedAnyway(err)
	case err != nil || freeze.Reads:
		return err
	default:
		return l.problem(l.unmark())
	}
}

// readsStop reports whether a freeze stops reads: because it says so, or because
// they are stopped and it is no release. The write lock is held, so that nobody
// else's freeze comes in between.
func (w *writing) readsStop(ctx context.Context, freeze guard.Freeze) (bool, error) {
	switch {
	case freeze.Reads, !freeze.Writes:
		return freeze.Reads, nil
	case w.l.marked():
		return true, nil
	}
	s, genuine, err := w.db.one(ctx, w.Tx, stateFreeze, theFreeze)
	if err != nil {
		return false, err
	}
	if now, err := decodeFreeze(s.body); genuine && !now.Reads {
		return false, err
	}
	freeze.Reads = true // also where the brake was tampered with, which counts as pulled
	return true, w.l.mark(freeze)
}

// exists reports whether there is a file of a ledger, usable or not.
func (l *Ledger) exists() bool {
	_, err := os.Lstat(l.path)
	return err == nil
}
