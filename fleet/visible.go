package fleet

import "context"

// Within returns nil if every tenant of a run is one that somebody sees, and
// else UnknownRun: what a caller was given may have become less since the run
// began, and totals would tell of the rest.
func (f *Fleet) Within(ctx context.Context, id string, sees func(tenant string) bool) error {
	for _, pending := range []bool{false, true} {
		for row, err := range f.opts.Store.Rows(ctx, id, RowQuery{Pending: pending}) {
			if err != nil {
				return err
			}
			if !sees(row.Tenant) {
				return UnknownRun()
			}
		}
	}
	return nil
}
