package ledger

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"mcp-partner/guard"
	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas/problems"
)

// Format is a form of export.
type Format string

// The formats. FormatJSONL can be verified (VerifyExport); FormatCSV is for
// spreadsheets.
const (
	FormatJSONL Format = "jsonl"
	FormatCSV   Format = "csv"
)

// ExportFormat names the form of the lines of an export.
const ExportFormat = "mcp-partner-ledger-export/1"

// exportHeader is the first line of an export: where its chain begins.
type exportHeader struct {
	Format     string      `json:"format"`
	Ledger     string      `json:"ledger"`
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
}

// exportLine is one entry of an export: whole, or only as the digest of its
// body where the filter left it out. The digest says nothing of the content.
type exportLine struct {
	Seq int64 `json:"seq"`
	// Event is the canonical body, byte for byte.
	Event    json.RawMessage `json:"event,omitempty"`
	Withheld *digest         `json:"withheld,omitempty"`
	Hash     digest          `json:"hash"`
	MAC      digest          `json:"mac"`
}

// Export writes the entries that a filter selects. JSONL holds a line for
// every entry, so that the chain can be followed: entries that the filter left
// out are only numbers. CSV holds the selected ones.
func (l *Ledger) Export(ctx context.Context, w io.Writer, format Format, f Filter) error {
	f.NewestFirst = false
	return l.snapshot(ctx, func(s *session) { // one state of the file for header and lines
		switch format {
		case FormatJSONL:
			s.exportLines(w, f)
		case FormatCSV:
			s.exportCSV(w, f)
		default:
			s.fail(problems.InvalidArgument("There is no export format of that name: use jsonl or csv."))
		}
	})
}

// wrote keeps a failure to write the export, which is none of the ledger.
func (s *session) wrote(err error) {
	if _, unreadable := errors.AsType[*json.MarshalerError](err); unreadable {
		s.fail(errDamaged)
	} else if err != nil {
		s.fail(problems.New(problems.CodeVaultUnavailable, "The export cannot be written completely.",
			problems.WithHint("Check the disk, then export again.")))
	}
}

func (s *session) exportLines(to io.Writer, f Filter) {
	buffered := bufio.NewWriter(to)
	out := json.NewEncoder(buffered)
	header := exportHeader{Format: ExportFormat, Ledger: s.db.id}
	if c, ok := s.lastCheckpoint(); ok {
		header.Checkpoint = &c
	}
	s.wrote(out.Encode(header))
	type choice struct {
		row
		selected, aboutGap bool
	}
	condition, args := f.where()
	shown := 0
	for r := range rows(s, func(r *choice) []any {
		return []any{&r.seq, &r.body, &r.hash, &r.mac, &r.selected, &r.aboutGap}
	}, `SELECT seq, body, hash, mac, (`+condition+`), kind IN ('rollback', 'gap_accepted') FROM events ORDER BY seq`, args...) {
		selected := r.selected && (f.Limit <= 0 || shown < f.Limit)
		if selected {
			shown++
		}
		// These entries say which numbers are missing, and who accepted it.
		s.wrote(out.Encode(r.line(selected || r.aboutGap)))
	}
	s.wrote(buffered.Flush())
}

// line returns an entry as an export shows it.
func (r row) line(whole bool) exportLine {
	line := exportLine{Seq: r.seq, Hash: r.hash, MAC: r.mac}
	if whole {
		line.Event = r.body
	} else {
		line.Withheld = new(bodyDigest(r.body))
	}
	return line
}

// column is one column of the CSV form.
type column struct {
	name  string
	value func(seq int64, e entry) string
}

func columns() []column {
	return []column{
		{"seq", func(seq int64, _ entry) string { return strconv.FormatInt(seq, 10) }},
		{"time", func(_ int64, e entry) string { return e.Time.Format(time.RFC3339Nano) }},
		{"kind", func(_ int64, e entry) string { return string(e.Kind) }},
		{"caller", func(_ int64, e entry) string { return string(e.Caller) }},
		{"tool", func(_ int64, e entry) string { return e.Tool }},
		{"tenant", func(_ int64, e entry) string { return e.Tenant }},
		{"tenant_id", func(_ int64, e entry) string { return e.TenantID }},
		{"object_id", func(_ int64, e entry) string { return e.ObjectID }},
		{"cloud", func(_ int64, e entry) string { return e.Cloud }},
		{"credential", func(_ int64, e entry) string { return e.Credential }},
		{"state_before", func(_ int64, e entry) string { return string(e.Before.State) }},
		{"partner_id_before", func(_ int64, e entry) string { return string(e.Before.PartnerID) }},
		{"partner_id", func(_ int64, e entry) string { return string(e.PartnerID) }},
		{"expected_partner_id", func(_ int64, e entry) string { return string(e.Expected) }},
		{"reason", func(_ int64, e entry) string { return e.Reason }},
		{"argument_digest", func(_ int64, e entry) string { return e.Digest }},
		{"of", func(_ int64, e entry) string { return positive(e.Of) }},
		{"approval", func(_ int64, e entry) string { return e.Approval }},
		{"approver", func(_ int64, e entry) string { return e.Approver }},
		{"same_user", func(_ int64, e entry) string { return strconv.FormatBool(e.SameUser) }},
		{"rule", func(_ int64, e entry) string { return e.Rule }},
		{"result", func(_ int64, e entry) string { return e.Result }},
		{"detail", func(_ int64, e entry) string { return e.Detail }},
		{"state_after", func(_ int64, e entry) string { return string(e.After.State) }},
		{"partner_id_after", func(_ int64, e entry) string { return string(e.After.PartnerID) }},
		{"arm_request_id", func(_ int64, e entry) string { return e.ARMRequestID }},
		{"correlation_id", func(_ int64, e entry) string { return e.CorrelationID }},
		{"program", func(_ int64, e entry) string { return e.Program }},
	}
}

func positive(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (s *session) exportCSV(to io.Writer, f Filter) {
	table, out, quoter := columns(), csv.NewWriter(to), csvcell.New()
	cells := xslices.Map(table, func(c column) string { return c.name })
	s.wrote(out.Write(cells))
	condition, args := f.where()
	for r := range s.entries(`WHERE `+condition+` ORDER BY seq`+limit(f.Limit), args...) {
		e := decoded[entry](s, r.body)
		if s.err != nil {
			break
		}
		for i, c := range table {
			cells[i] = quoter.Quote(c.value(r.seq, e))
		}
		s.wrote(out.Write(cells))
	}
	out.Flush()
	s.wrote(out.Error())
}

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
