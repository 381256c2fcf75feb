package ledger

import (
	"context"

	"mcp-partner/guard"
)

func decodeApprover(name string, text []byte) (guard.Approver, error) {
	a, err := decode[guard.Approver](text)
	a.Name = name
	return a, err
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
		return w.record(ctx, stateApprover, approver.Name, encode(approver), event)
	})
	return added && err == nil, err
}

// RemoveApprover implements guard.Store.
func (l *Ledger) RemoveApprover(ctx context.Context, name string, event guard.Event) (bool, error) {
	return l.removeRow(ctx, stateApprover, name, event)
}
