package ledger

import (
	"context"
	"fmt"

	"mcp-partner/guard"
	"mcp-partner/schemas"
)

// KindGapAccepted says that an approver answers for entries that are missing.
const KindGapAccepted guard.EventKind = "gap_accepted"

// Gap is a run of entries that were lost: an older file was put back, or the
// newest entries were deleted. The entry of kind rollback that noticed it is
// made by the ledger itself. A gap is a finding until an approver accepts it.
type Gap struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// NoticedAt is the entry that recorded the loss.
	NoticedAt int64 `json:"noticed_at"`
	// AcceptedAt is the entry with which an approver accepted the loss, 0 while
	// nobody has. Approver and Reason are what that entry holds.
	AcceptedAt int64  `json:"accepted_at,omitempty"`
	Approver   string `json:"approver,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// String names the missing entries.
func (g Gap) String() string {
	if g.From == g.To {
		return fmt.Sprintf("entry %d", g.From)
	}
	return fmt.Sprintf("entries %d to %d", g.From, g.To)
}

// noticed returns the gap before an entry that recorded one, if it is exactly
// the gap between that entry and the one expected next.
func (e entry) noticed(next, seq int64) (Gap, bool) {
	genuine := e.Kind == string(KindRollback) && e.MissingFrom == next && e.MissingTo == seq-1
	return Gap{From: next, To: seq - 1, NoticedAt: seq}, genuine && seq > next
}

// accept marks the gap that an entry accepts.
func (r *Report) accept(seq int64, e entry) {
	if e.Kind != string(KindGapAccepted) {
		return
	}
	for i := range r.Gaps {
		if g := &r.Gaps[i]; g.From == e.MissingFrom && g.To == e.MissingTo {
			g.AcceptedAt, g.Approver, g.Reason = seq, plain(e.Approver), plain(e.Detail)
		}
	}
}

// findGaps makes a finding of every gap that nobody has accepted.
func (r *Report) findGaps() {
	for _, g := range r.Gaps {
		if g.AcceptedAt == 0 {
			r.missing(g.From, g.To, fmt.Sprintf(": an older ledger was restored or the newest entries were deleted, noticed with entry %d", g.NoticedAt))
		}
	}
}

// AcceptGap records that the approver named in the event answers for a gap.
// The problem is CodeInvalidArgument where the record has no such gap, or where
// it is accepted already.
func (l *Ledger) AcceptGap(ctx context.Context, from, to int64, event guard.Event) error {
	report, err := l.Verify(ctx, nil)
	if err != nil {
		return err
	}
	for _, g := range report.Gaps {
		if g.From != from || g.To != to {
			continue
		}
		if g.AcceptedAt > 0 {
			return schemas.NewProblem(schemas.CodeInvalidArgument, fmt.Sprintf("The loss of %s was accepted with entry %d.", g, g.AcceptedAt))
		}
		return l.write(ctx, true, func(w *writing) error {
			e := newEntry(event, l.o.Program)
			e.MissingFrom, e.MissingTo = from, to
			return w.add(ctx, e)
		})
	}
	return schemas.NewProblem(schemas.CodeInvalidArgument, fmt.Sprintf("The ledger has no gap from entry %d to entry %d.", from, to),
		schemas.WithCommand("List every gap.", "mcp-partner ledger verify"))
}
