package ledger

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
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
	Withheld string          `json:"withheld,omitempty"`
	Hash     string          `json:"hash"`
	MAC      string          `json:"mac"`
}

// Export writes the entries that a filter selects. JSONL holds a line for
// every entry, so that the chain can be followed: entries that the filter left
// out are only numbers. CSV holds the selected ones.
func (l *Ledger) Export(ctx context.Context, w io.Writer, format Format, f Filter) error {
	db, err := l.use(ctx)
	if err != nil {
		return err
	}
	f.NewestFirst = false
	to := &destination{to: w}
	switch format {
	case FormatJSONL:
		err = l.exportLines(ctx, db, to, f)
	case FormatCSV:
		err = l.exportCSV(ctx, db, to, f)
	default:
		err = invalid("There is no export format of that name: use jsonl or csv.")
	}
	if to.failure != nil {
		return problems.New(problems.CodeVaultUnavailable, "The export cannot be written completely.",
			problems.WithHint("Check the disk, then export again."))
	}
	return l.problem(err)
}

// destination tells a failure to write the export from one of the ledger.
type destination struct {
	to      io.Writer
	failure error
}

func (d *destination) Write(p []byte) (int, error) {
	n, err := d.to.Write(p)
	d.failure = err
	return n, err
}

func (l *Ledger) exportLines(ctx context.Context, db *opened, to io.Writer, f Filter) error {
	tx, err := db.Snapshot(ctx) // one state of the file for header and lines
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	buffered := bufio.NewWriter(to)
	out := json.NewEncoder(buffered)
	header := exportHeader{Format: ExportFormat, Ledger: db.id}
	if c, ok, err := lastCheckpoint(ctx, tx); err != nil {
		return err
	} else if ok {
		header.Checkpoint = &c
	}
	if err := out.Encode(header); err != nil {
		return err
	}
	if err := exportEntries(ctx, tx, out, f); err != nil {
		return err
	}
	return buffered.Flush()
}

func exportEntries(ctx context.Context, q querier, out *json.Encoder, f Filter) error {
	condition, args := f.where()
	shown := 0
	return query(ctx, q, func(scan scanner) error {
		var r row
		var selected, aboutGap bool
		if err := scan(&r.seq, &r.body, &r.hash, &r.mac, &selected, &aboutGap); err != nil {
			return err
		}
		selected = selected && (f.Limit <= 0 || shown < f.Limit)
		if selected {
			shown++
		}
		// These entries say which numbers are missing, and who accepted it.
		return out.Encode(r.line(selected || aboutGap))
	}, `SELECT seq, body, hash, mac, (`+condition+`), kind IN ('rollback', 'gap_accepted') FROM events ORDER BY seq`, args...)
}

// line returns an entry as an export shows it.
func (r row) line(whole bool) exportLine {
	line := exportLine{Seq: r.seq, Hash: hex.EncodeToString(r.hash), MAC: hex.EncodeToString(r.mac)}
	if whole {
		line.Event = r.body
		return line
	}
	d := bodyDigest(r.body)
	line.Withheld = hex.EncodeToString(d[:])
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

func (l *Ledger) exportCSV(ctx context.Context, db *opened, to io.Writer, f Filter) error {
	table, out, quoter := columns(), csv.NewWriter(to), csvcell.New()
	cells := xslices.Map(table, func(c column) string { return c.name })
	if err := out.Write(cells); err != nil {
		return err
	}
	condition, args := f.where()
	err := each(ctx, db.Read, func(r row) error {
		e, err := decode[entry](r.body)
		if err != nil {
			return err
		}
		for i, c := range table {
			cells[i] = quoter.Quote(c.value(r.seq, e))
		}
		return out.Write(cells)
	}, `SELECT seq, body, hash, mac FROM events WHERE `+condition+` ORDER BY seq`+limit(f.Limit), args...)
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}
