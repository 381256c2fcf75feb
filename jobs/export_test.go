package jobs

import (
	"context"
	"errors"
)

// Round is what the queue does in a minute: a look at what is due, the jobs that it
// puts into the queue, and a look at what they began.
func (w *Work) Round(ctx context.Context) error {
	err := w.tick(ctx, w.audit)
	return errors.Join(err, w.watch(ctx))
}
