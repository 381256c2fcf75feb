package ledger

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// tampered is the freeze where the row cannot be trusted.
func (l *Ledger) tampered(what string) guard.Freeze {
	return guard.Freeze{Writes: true, Reads: true, By: "mcp-partner",
		Reason: "In the ledger " + l.name + " " + what + ". Verify the ledger, then freeze or unfreeze again."}
}

// Freeze implements guard.Store. A freeze whose row was changed, removed or put
// back in the file, and a record that is shorter than it was, count as a freeze of
// everything. A freeze of reads holds by its file also where there is no record to
// be read. On a server nothing but the record tells of it, so a record that cannot
// be read stops reads too.
func (l *Ledger) Freeze(ctx context.Context) (guard.Freeze, error) {
	seen, err := l.looks.Get(ctx)
	var freeze guard.Freeze
	if err == nil {
		freeze, err = l.recorded(ctx, seen)
	}
	if (err != nil || !freeze.Reads) && l.markedIn(seen) {
		return l.fromMark(), nil
	}
	freeze.Reads = freeze.Reads || err != nil && l.OnServer()
	return freeze, l.problem(err)
}

// recorded is the freeze as the record has it. A new file has its row already: a
// missing one was removed.
func (l *Ledger) recorded(ctx context.Context, seen observation) (guard.Freeze, error) {
	freeze, why, err := current[guard.Freeze](ctx, l, seen, stateFreeze, theFreeze)
	if why != "" {
		return l.tampered(why), nil
	}
	return freeze, err
}

// SetFreeze implements guard.Store. The file of a freeze of reads is there
// before the record says so, and stays until the record says otherwise: if the
// record cannot be written, reads are stopped all the same.
func (l *Ledger) SetFreeze(ctx context.Context, freeze guard.Freeze, event guard.Event) error {
	return l.setFreeze(ctx, freeze, event, func(*writing) {})
}

// LiftFreeze implements guard.Store.
func (l *Ledger) LiftFreeze(ctx context.Context, event guard.Event, may func(guard.StateTx, guard.Freeze) error) error {
	return l.setFreeze(ctx, guard.Freeze{}, event, func(w *writing) { w.fail(may(stateTx{w}, w.freeze())) })
}

func (l *Ledger) setFreeze(ctx context.Context, freeze guard.Freeze, event guard.Event, before func(*writing)) error {
	_, err := l.use(ctx)
	if err != nil && (l.OnServer() || !l.Begun()) {
		return err // there is no record here, and none is begun for a freeze
	}
	if freeze.Reads {
		if err := l.mark(freeze); err != nil {
			return l.problem(err)
		}
	}
	err = l.write(ctx, true, func(w *writing) {
		before(w)
		freeze.Reads = w.readsStop(freeze)
		event.Result = freeze.Scope()
		w.record(stateFreeze, theFreeze, encode(freeze), event)
	})
	switch {
	case err != nil && freeze.Reads && !l.OnServer():
		return l.stoppedAnyway(err)
	case err != nil || freeze.Reads:
		return err
	default:
		return l.problem(l.unmark())
	}
}

// readsStop reports whether a freeze stops reads: because it says so, or
// because they are stopped and it is no release. The write lock is held, so
// that no other freeze comes in between.
func (w *writing) readsStop(freeze guard.Freeze) bool {
	switch {
	case freeze.Reads, !freeze.Writes:
		return freeze.Reads
	case w.l.marked():
		return true
	}
	if freeze.Reads = w.freeze().Reads; freeze.Reads {
		w.fail(w.l.mark(freeze))
	}
	return freeze.Reads
}

// freeze is the freeze as the transaction finds it; one that was tampered with counts
// as pulled.
func (w *writing) freeze() guard.Freeze {
	freeze, genuine := get[guard.Freeze](w.session, stateFreeze, theFreeze)
	switch {
	case w.err != nil:
		return guard.Freeze{}
	case !freeze.Reads && w.l.marked():
		return w.l.fromMark()
	case !genuine:
		return w.l.tampered("the row of the freeze was changed by another program")
	}
	return freeze
}

// markName is the file that stands for a freeze of reads. It holds where the
// ledger cannot be opened or was removed, and where the two disagree: lifting
// a freeze lifts both. A ledger on a server has none: other machines would not see it.
const markName = "ledger.frozen"

// maxMark bounds what is read of it, in bytes.
const maxMark = 4 << 10

func (l *Ledger) markPath() string { return l.o.Dir.File(markName) }

// mark puts the file there, whole.
func (l *Ledger) mark(f guard.Freeze) error {
	if l.OnServer() {
		return nil
	}
	return disk.Replace(l.markPath(), markName+".", 0o600, disk.Whole(encode(f)))
}

// stoppedAnyway says of a freeze of reads that could not be recorded what holds.
func (l *Ledger) stoppedAnyway(err error) error {
	p := *problems.As(l.problem(err))
	p.Message += " Writes and reads are still stopped, by the file " + l.markPath() + "."
	return &p
}

// unmark takes the file away.
func (l *Ledger) unmark() error {
	err := os.Remove(l.markPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// marked reports whether the file is there. What cannot be looked at counts as
// there.
func (l *Ledger) marked() bool {
	_, err := os.Lstat(l.markPath())
	return !l.OnServer() && !errors.Is(err, fs.ErrNotExist)
}

// fromMark is the freeze that the file tells of, as far as it can be read.
func (l *Ledger) fromMark() guard.Freeze {
	freeze := guard.Freeze{Writes: true, Reads: true, By: "mcp-partner", Reason: "The file " + l.markPath() + " says so."}
	file, err := os.Open(l.markPath())
	if err != nil {
		return freeze
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxMark))
	if err != nil {
		return freeze
	}
	told, err := decode[guard.Freeze](body)
	if reason := untrusted.Sanitize(told.Reason); err == nil && reason != "" {
		freeze.Reason, freeze.By, freeze.Since = reason, untrusted.Sanitize(told.By), told.Since
	}
	return freeze
}
