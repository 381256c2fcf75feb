package tenantimport

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/csvfile"
	"mcp-partner/internal/exit"
	"mcp-partner/internal/naming"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/tenants"
)

// Columns are the columns of a list of tenants, in the order of an
// export.
func Columns() []string {
	return []string{
		"name", company, "tenant_id", "credential", "client_id", "domains", "expected_partner_id", "labels", "owner", "external_id", "note",
		"cloud", "arm_endpoint", "arm_audience", "authority", "ca_file", "skip_instance_discovery",
		"kind", "expires", "assertion", "home_tenant", "identity",
	}
}

// Row is one row by its column names. A column that the file does not
// have is missing.
type Row map[string]string

// numbered is a row with the line of the file that it begins on.
type numbered struct {
	Row
	line int
}

// maxCSV is room for 250 000 tenants, in bytes.
const maxCSV = 64 << 20

type table struct {
	columns []column
	rows    []numbered
}

func (t *table) leftOut() []string {
	var names []string
	for _, c := range t.columns {
		if c.field == "" && strings.TrimSpace(c.written) != "" {
			names = append(names, untrusted.Sanitize(strings.TrimSpace(c.written)))
		}
	}
	return names
}

func (t *table) foreign(field string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool { return c.foreign && c.field == field })
}

// decodeCSV reads a list of tenants in the forms that csvfile reads. Its errors
// name the line.
func decodeCSV(from io.Reader, maps columnMap) (*table, error) {
	reader, err := csvfile.NewReader(from)
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(reader.Header(), maps)
	if err != nil {
		return nil, cmp.Or(noHeader(reader), fmt.Errorf("line %d: %w", reader.HeaderLine(), err))
	}
	rows, err := rowsOf(reader, columns)
	if err != nil {
		return nil, err
	}
	file := &table{columns, rows}
	return file, file.checkNames()
}

// noHeader says what the first line is instead, if it is plainly something else: a
// customer, or a title above the table.
func noHeader(reader *csvfile.Reader) error {
	line := reader.HeaderLine()
	if slices.ContainsFunc(reader.Header(), naming.IsGUID) {
		return fmt.Errorf("line %d does not look like a header: it has a tenant ID; add a line with the names of the columns above it, such as company,tenant_id", line)
	}
	if len(reader.Header()) > 1 {
		return nil
	}
	below, _, err := reader.Read()
	if errors.Is(err, io.EOF) || err == nil && !strings.ContainsAny(below[0], ";\t|") {
		return nil
	}
	return cmp.Or(err, csvfile.NoHeaderAt(line))
}

func rowsOf(reader *csvfile.Reader, columns []column) ([]numbered, error) {
	var rows []numbered
	quoter := csvcell.New()
	for {
		cells, line, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row := numbered{Row{}, line}
		for i, c := range columns {
			if c.field != "" {
				row.Row[c.field] = strings.TrimSpace(quoter.Unquote(cells[i]))
			}
		}
		rows = append(rows, row)
	}
}

// checkNames finds a column of company names that is called as the short names
// of this program are. One line says so, in place of a mistake in every row.
func (t *table) checkNames() error {
	at := slices.IndexFunc(t.columns, func(c column) bool { return c.field == "name" && !c.mapped })
	if at < 0 || slices.ContainsFunc(t.columns, func(c column) bool { return c.field == company }) {
		return nil
	}
	for _, row := range t.rows {
		if name := row.Row["name"]; strings.ContainsFunc(name, unicode.IsSpace) {
			return fmt.Errorf("line %d: the column %q holds names with spaces, such as %q: --map \"%s=company\" takes them as company names",
				row.line, untrusted.Sanitize(t.columns[at].written), untrusted.Sanitize(name), untrusted.Sanitize(t.columns[at].written))
		}
	}
	return nil
}

// EncodeColumns writes some columns of rows, which decodeCSV reads back, with CRLF
// as RFC 4180 has it.
func EncodeColumns(columns []string, rows []Row) ([]byte, error) {
	var b bytes.Buffer
	writer := csv.NewWriter(&b)
	writer.UseCRLF = true
	quoter := csvcell.New()
	records := [][]string{columns}
	for _, row := range rows {
		records = append(records, xslices.Map(columns, func(name string) string { return quoter.Quote(row[name]) }))
	}
	err := writer.WriteAll(records)
	return b.Bytes(), err
}

// ListSeparators stand between several values of one cell.
const ListSeparators = ";|"

func cellList(cell string) []string {
	var items []string
	for _, item := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(ListSeparators, r) }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// RowOf is an entry as a row. Microsoft's clouds need their name alone.
func RowOf(entry tenants.Entry, credential tenants.CredentialConfig) Row {
	credentials := xslices.Map(entry.Credentials, func(ref tenants.CredentialRef) string { return ref.Name })
	row := Row{
		"name": entry.Name, company: entry.Company, "tenant_id": entry.TenantID, "credential": strings.Join(credentials, ";"), "client_id": credential.ClientID,
		"domains": strings.Join(entry.Domains, ";"), "expected_partner_id": entry.ExpectedPartnerID, "labels": strings.Join(entry.Labels, ";"),
		"owner": entry.Owner, "external_id": entry.ExternalID, "note": entry.Note, "cloud": entry.Cloud.Name,
	}
	row.setCredential(credential)
	if entry.Cloud.Name == tenants.CloudCustom {
		row["arm_endpoint"], row["arm_audience"], row["authority"] = entry.Cloud.ARMEndpoint, entry.Cloud.ARMAudience, entry.Cloud.Authority
		row["skip_instance_discovery"] = strconv.FormatBool(entry.Cloud.SkipInstanceDiscovery)
	}
	return row
}

// ReadTable reads the file. It refuses a file with a mistake, by its line, and one with
// columns that are not known, with the command that reads it.
func (o *Request) ReadTable() (*table, error) {
	maps, err := columnMapOf(o.Maps)
	if err != nil {
		return nil, err
	}
	in := io.NopCloser(o.In)
	if o.File != "-" {
		if in, err = os.Open(o.File); err != nil {
			return nil, exit.Usage("give the path of a CSV file, or - for standard input", "%s is not a file that can be read", o.File)
		}
	}
	defer in.Close()
	file, err := decodeCSV(http.MaxBytesReader(nil, in, maxCSV), maps)
	var unknown *unknownColumns
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, exit.Usage("split it", "%s is larger than %d MiB", o.source(), maxCSV>>20)
	case errors.As(err, &unknown):
		return nil, unknown.refusal(o, err)
	case err != nil:
		return nil, exit.Refused("correct the file; nothing was changed", "%s: %s", o.source(), err)
	}
	return file, nil
}

// source names what is read, for messages.
func (o *Request) source() string {
	if o.File == "-" {
		return "standard input"
	}
	return o.File
}
