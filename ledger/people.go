package ledger

import (
	"context"

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

func encodeApprover(a guard.Approver) []byte {
	return encode(approverBody{a.Salt, a.Time, a.Memory, a.Threads, a.PublicKey, formatTime(a.AddedAt)})
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
	found, err := rowsOf(ctx, db, db.Read, decodeApprover, `WHERE kind = 'approver' ORDER BY name`)
	return found, l.problem(err)
}

// PutApprover implements guard.Store.
func (l *Ledger) PutApprover(ctx context.Context, approver guard.Approver, event guard.Event) (added bool, err error) {
	err = l.write(ctx, true, func(w *writing) error {
		_, taken, err := w.db.one(ctx, w.Tx, stateApprover, approver.Name)
		if err != nil || taken {
			return err
		}
		added = true
		return w.record(ctx, stateApprover, approver.Name, encodeApprover(approver), event)
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
		if err := w.events(ctx, ref(stateApprover, name), true, event); err != nil {
			return err
		}
		return w.remove(ctx, stateApprover, name)
	})
	return removed && err == nil, err
}
