package tenantimport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"mcp-partner/internal/csvcell"
	"mcp-partner/internal/exit"
	"mcp-partner/schemas"
	"mcp-partner/tenants"
)

// Columns are the columns of a list of tenants, in the order of an
// export.
func Columns() []string {
	return []string{
		"name", "tenant_id", "credential", "client_id", "domains", "expected_partner_id", "labels", "owner", "external_id", "note",
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

// maxCSV bounds an import, in bytes.
const maxCSV = 16 << 20

// table is a file that was read.
type table struct {
	columns []column
	rows    []numbered
}

// leftOut are the columns that mean nothing here.
func (t *table) leftOut() []string {
	var names []string
	for _, c := range t.columns {
		if c.field == "" && strings.TrimSpace(c.written) != "" {
			names = append(names, schemas.Sanitize(strings.TrimSpace(c.written)))
		}
	}
	return names
}

// foreign reports whether a field comes from a column of somebody else's.
func (t *table) foreign(field string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool { return c.foreign && c.field == field })
}

// decodeCSV reads a list of tenants: UTF-8 or UTF-16, with commas, semicolons or
// tabs, any line ends. Its errors name the line.
func decodeCSV(data []byte, maps columnMap) (*table, error) {
	text, err := csvText(data)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma = separator(text)
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: its first line names the columns, such as name,tenant_id,client_id")
	}
	if err != nil {
		return nil, csvMistake(err)
	}
	columns, err := columnsOf(header, maps)
	if err != nil {
		return nil, err
	}
	rows, err := rowsOf(reader, columns)
	return &table{columns, rows}, err
}

func rowsOf(reader *csv.Reader, columns []column) ([]numbered, error) {
	var rows []numbered
	quoter := csvcell.New()
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, csvMistake(err)
		}
		at, _ := reader.FieldPos(0)
		if len(record) != len(columns) {
			return nil, fmt.Errorf("line %d: it has %d cells, and the header has %d", at, len(record), len(columns))
		}
		row := numbered{Row{}, at}
		for i, c := range columns {
			if c.field != "" {
				row.Row[c.field] = strings.TrimSpace(quoter.Unquote(record[i]))
			}
		}
		if strings.Join(record, "") != "" {
			rows = append(rows, row)
		}
	}
}

// csvMistake never passes the parser's text on, which may quote a cell.
func csvMistake(err error) error {
	var mistake *csv.ParseError
	if errors.As(err, &mistake) {
		return fmt.Errorf("line %d: a quote is missing or in the wrong place", mistake.Line)
	}
	return errors.New("it cannot be read as CSV")
}

// EncodeCSV writes rows that decodeCSV reads back, with CRLF as RFC 4180 has
// it.
func EncodeCSV(rows []Row) ([]byte, error) { return EncodeColumns(Columns(), rows) }

// EncodeColumns writes some columns of rows.
func EncodeColumns(columns []string, rows []Row) ([]byte, error) {
	var b bytes.Buffer
	writer := csv.NewWriter(&b)
	writer.UseCRLF = true
	quoter := csvcell.New()
	err := writer.Write(columns)
	for _, row := range rows {
		record := make([]string, len(columns))
		for i, name := range columns {
			record[i] = quoter.Quote(row[name])
		}
		err = errors.Join(err, writer.Write(record))
	}
	writer.Flush()
	return b.Bytes(), errors.Join(err, writer.Error())
}

// ListSeparators stand between several values of one cell.
const ListSeparators = ";|"

// cellList splits a cell that holds several values.
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
	var credentials []string
	for _, ref := range entry.Credentials {
		credentials = append(credentials, ref.Name)
	}
	row := Row{
		"name": entry.Name, "tenant_id": entry.TenantID, "credential": strings.Join(credentials, ";"), "client_id": credential.ClientID,
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

func (o *Request) ReadTable() (*table, error) {
	maps, err := columnMapOf(o.Maps)
	if err != nil {
		return nil, err
	}
	data, err := readCSV(o.File)
	if err != nil {
		return nil, err
	}
	file, err := decodeCSV(data, maps)
	if err != nil {
		return nil, exit.Refused("correct the file; nothing was changed", "%s: %s", o.File, err)
	}
	return file, nil
}

func readCSV(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, exit.Usage("give the path of a CSV file", "%s is no file that can be read", path)
	}
	if info.Size() > maxCSV {
		return nil, exit.Usage("split it", "%s is larger than %d MiB", path, maxCSV>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Usage("give the path of a CSV file", "%s cannot be read", path)
	}
	return data, nil
}
