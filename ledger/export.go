package ledger

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"mcp-partner/internal/csvcell"
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
