package ledger

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"

	"mcp-partner/guard"
	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/problems"
)

// maxLine bounds a line of an export, in bytes.
const maxLine = 4 << 20

// VerifyExport checks a JSONL export with signed heads and the public key
// alone: that nothing up to the last head's entry was changed, removed, inserted or
// cut off. Entries behind it are linked to it and vouched for by nobody; the
// report's Attested says where that begins. The error is a problem and says
// that the input is no export at all, or that a head is not genuine.
func VerifyExport(r io.Reader, heads []Head, key ed25519.PublicKey) (Report, error) {
	for _, head := range heads {
		if err := VerifyHead(key, head); err != nil {
			return Report{}, err
		}
	}
	a := &auditor{walk: newWalk(heads, "entry %d is in the wrong place"), key: key}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		if err := a.line(n, lines.Bytes()); err != nil {
			return Report{}, err
		}
		if a.stopped {
			return a.report, nil
		}
	}
	if err := lines.Err(); err != nil {
		return Report{}, problems.InvalidArgument("The export cannot be read: a line is too long, or reading failed.")
	}
	if a.report.Ledger == "" {
		return Report{}, errNoExport
	}
	a.report.findGaps()
	a.testify(key)
	return a.report, nil
}

var errNoExport = problems.InvalidArgument("The input is not an export of ledger export --format jsonl.")

// auditor follows the plain chain through an export.
type auditor struct {
	walk
	key     ed25519.PublicKey
	stopped bool
}

func (a *auditor) line(n int, text []byte) error {
	if n == 1 {
		return a.header(text)
	}
	var line exportLine
	if !exact(text, &line) || (line.Event == nil) == (line.Withheld == nil) {
		// A line with more in it than is checked could tell two stories.
		a.report.find(a.before.seq+1, "line %d is not part of an export", n)
		a.stopped = true
		return nil
	}
	a.entry(line)
	return nil
}

// exact decodes a line, and reports whether it is byte for byte what an export
// writes for the value.
func exact(text []byte, value any) bool {
	if json.Unmarshal(text, value) != nil {
		return false
	}
	again, err := json.Marshal(value)
	return err == nil && bytes.Equal(again, text)
}

func (a *auditor) header(text []byte) error {
	var header exportHeader
	if !exact(text, &header) || header.Format != ExportFormat || header.Ledger == "" {
		return errNoExport
	}
	a.report.Ledger, a.before.hash = header.Ledger, genesisHash(header.Ledger)
	c := header.Checkpoint
	if c == nil {
		return nil
	}
	if c.Ledger != header.Ledger || !fits(a.key, c.message(), c.Signature) {
		a.report.find(c.Seq, "the checkpoint of the removed entries up to %d was not signed with this key", c.Seq)
	}
	a.beginAt(c)
	return nil
}

// entry follows the plain chain alone: the key of the other one is in the vault.
func (a *auditor) entry(line exportLine) {
	body := line.Withheld
	if body == nil {
		body = new(bodyDigest(line.Event))
	} else {
		a.report.Withheld++
	}
	expected := link{line.Seq, nextHash(line.Seq, a.before.hash, *body), line.MAC}
	_, _ = a.take(link{line.Seq, line.Hash, line.MAC}, expected, line.Event)
}

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
	genuine := e.Kind == KindRollback && e.MissingFrom == next && e.MissingTo == seq-1
	return Gap{From: next, To: seq - 1, NoticedAt: seq}, genuine && seq > next
}

// accept marks the gap that an entry accepts, and notes a loss of unknown size.
func (r *Report) accept(seq int64, e entry) {
	if e.Kind == KindRollback && e.MissingTo == 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Entry %d noticed another database than before. Only heads that were kept elsewhere show whether entries were lost.", seq))
	}
	if e.Kind != KindGapAccepted {
		return
	}
	for i := range r.Gaps {
		if g := &r.Gaps[i]; g.From == e.MissingFrom && g.To == e.MissingTo {
			g.AcceptedAt, g.Approver, g.Reason = seq, untrusted.Sanitize(e.Approver), untrusted.Sanitize(e.Detail)
		}
	}
}

// findGaps makes a finding of every gap that was not accepted.
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
			return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("The loss of %s was accepted with entry %d.", g, g.AcceptedAt))
		}
		return l.write(ctx, true, func(w *writing) {
			e := newEntry(event, l.o.Program)
			e.MissingFrom, e.MissingTo = from, to
			w.add(e)
		})
	}
	return problems.New(problems.CodeInvalidArgument, fmt.Sprintf("The ledger has no gap from entry %d to entry %d.", from, to),
		problems.WithCommand("List every gap.", "mcp-partner ledger verify"))
}
