package tenantimport

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
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
	"mcp-partner/internal/phrase"
	"mcp-partner/internal/untrusted"
	"mcp-partner/internal/xslices"
	"mcp-partner/schemas"
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

// EncodeColumns writes some columns of rows, which decodeCSV reads back.
func EncodeColumns(columns []string, rows []Row) ([]byte, error) {
	var b bytes.Buffer
	quoter := csvcell.New()
	err := csvcell.Write(&b, columns, xslices.Rows(rows), func(row Row) []string {
		return xslices.Map(columns, func(name string) string { return quoter.Quote(row[name]) })
	})
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

// company is the column of what a customer is called. New names are made of it.
const company = "company"

// squeezed is a header in the form in which headers are compared: without case,
// spaces, byte order marks and separators.
func squeezed(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, header)
}

//go:embed headers.txt
var headers string

// foreignColumns are columns of somebody else's lists, squeezed, and what they are here;
// empty is left out.
func foreignColumns() map[string]string {
	known := map[string]string{}
	for line := range strings.Lines(headers) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for _, header := range words[1:] {
				known[header] = strings.TrimPrefix(words[0], "-")
			}
		}
	}
	return known
}

// column is what a column of a file stands for. Without a field it is left out.
type column struct {
	written, field string
	// foreign is true for one of somebody else's file: an empty cell clears
	// nothing there.
	foreign bool
	// mapped is true where --map says what the column is.
	mapped bool
}

// columnMap is --map: columns by squeezed headers, with the headers as given.
type columnMap map[string]column

// columnMapOf reads COLUMN=FIELD. A header may have a = in it, a field has none.
func columnMapOf(given []string) (columnMap, error) {
	maps := columnMap{}
	for _, text := range given {
		i := strings.LastIndex(text, "=")
		if i < 0 || squeezed(text[:i]) == "" {
			return nil, exit.Usage("give --map \"COLUMN=FIELD\", or \"COLUMN=\" to leave a column out", "--map %q is not COLUMN=FIELD", untrusted.Sanitize(text))
		}
		header, field := text[:i], strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text[i+1:])), "-", "_")
		if field != "" && !slices.Contains(Columns(), field) {
			return nil, exit.Usage("the fields are "+strings.Join(Columns(), ","), "--map %q: there is no field %q", untrusted.Sanitize(text), untrusted.Sanitize(field))
		}
		if _, twice := maps[squeezed(header)]; twice {
			return nil, exit.Usage("give each column once", "--map names the column %q twice", untrusted.Sanitize(header))
		}
		maps[squeezed(header)] = column{written: header, field: field, mapped: true}
	}
	return maps, nil
}

// columnsOf says what each column of a header is. Columns that nobody knows are
// left out of files that are somebody else's, and a mistake in one of ours.
func columnsOf(header []string, maps columnMap) ([]column, error) {
	columns := make([]column, len(header))
	var unknown []string
	open := len(maps) > 0
	seen := map[string]bool{}
	for i, written := range header {
		c, known := meaning(written, maps)
		columns[i] = c
		seen[squeezed(written)] = true
		open = open || c.foreign
		if !known && squeezed(written) != "" {
			unknown = append(unknown, written)
		}
	}
	for key, m := range maps {
		if !seen[key] {
			return nil, fmt.Errorf("there is no column %q, which --map names", untrusted.Sanitize(m.written))
		}
	}
	if len(unknown) > 0 && (!open || !named(columns)) {
		return nil, newUnknownColumns(unknown, columns)
	}
	return columns, checkColumns(columns)
}

func meaning(written string, maps columnMap) (c column, known bool) {
	key := squeezed(written)
	if c, ok := maps[key]; ok {
		return column{written: written, field: c.field, mapped: true}, true
	}
	for _, field := range Columns() {
		if squeezed(field) == key {
			return column{written: written, field: field}, true
		}
	}
	field, ok := foreignColumns()[key]
	return column{written: written, field: field, foreign: ok}, ok
}

func checkColumns(columns []column) error {
	first := map[string]string{}
	for _, c := range columns {
		if c.field == "" {
			continue
		}
		if other, twice := first[c.field]; twice && squeezed(other) == squeezed(c.written) {
			return fmt.Errorf("column %s appears twice", c.field)
		} else if twice {
			return fmt.Errorf("the columns %q and %q are both %s: leave one out with --map \"%s=\"",
				untrusted.Sanitize(other), untrusted.Sanitize(c.written), c.field, untrusted.Sanitize(c.written))
		}
		first[c.field] = c.written
	}
	if !named(columns) {
		return fmt.Errorf("there is no column name, and no company or domains to make names of")
	}
	return nil
}

func named(columns []column) bool {
	return slices.ContainsFunc(columns, func(c column) bool { return c.field == "name" || c.field == company || c.field == "domains" })
}

type unknownColumns struct {
	// maps say for each of them, as --map does, which field it seems to be.
	maps    []string
	message string
}

// Error implements error.
func (u *unknownColumns) Error() string { return u.message }

// fieldToName is the placeholder in a command for a field that a person has to
// name.
const fieldToName = "FIELD"

// newUnknownColumns takes for each column the nearest field that no other one is.
// A column without one is left out, unless there is nothing yet to make names of.
func newUnknownColumns(unknown []string, columns []column) *unknownColumns {
	free := slices.DeleteFunc(Columns(), func(field string) bool {
		return slices.ContainsFunc(columns, func(c column) bool { return c.field == field })
	})
	other := map[bool]string{true: "", false: fieldToName}[named(columns)]
	var mappings, quoted, near []string
	for _, written := range unknown {
		shown := untrusted.Sanitize(strings.TrimSpace(written))
		quoted = append(quoted, strconv.Quote(shown))
		field := nearestField(shown, free)
		if field == "" {
			mappings = append(mappings, shown+"="+other)
			continue
		}
		free = slices.DeleteFunc(free, func(f string) bool { return f == field })
		mappings, near = append(mappings, shown+"="+field), append(near, field)
	}
	message := "the column " + quoted[0] + " is not known"
	if len(quoted) > 1 {
		message = "the columns " + strings.Join(quoted, ", ") + " are not known"
	}
	if len(near) > 0 {
		message += ": did you mean " + strings.Join(near, ", ") + "?"
	}
	return &unknownColumns{mappings, message}
}

func nearestField(header string, free []string) string {
	if near := schemas.Nearest(strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(header)), free); near != "" {
		return near
	}
	known, key := foreignColumns(), squeezed(header)
	for _, other := range slices.Sorted(maps.Keys(known)) {
		short, long := key, other
		if len(short) > len(long) {
			short, long = long, short
		}
		if len(short) >= len("kunde") && strings.HasPrefix(long, short) && slices.Contains(free, known[other]) {
			return known[other]
		}
	}
	return ""
}

func (u *unknownColumns) refusal(o *Request, err error) error {
	next := "run the command, which leaves out every COLUMN= that has no field"
	if slices.ContainsFunc(u.maps, func(m string) bool { return strings.HasSuffix(m, "="+fieldToName) }) {
		next = "write a field for each " + fieldToName + ", or nothing to leave the column out; the fields are " + strings.Join(Columns(), ", ")
	}
	return &exit.Error{Code: exit.CodeRefused, Message: fmt.Sprintf("%s: %s", o.source(), err), Next: next, Command: o.command(o.Credential.Name, u.maps)}
}

// command is the import again, with a credential and more columns mapped.
func (o *Request) command(credential string, maps []string) string {
	command := "mcp-partner tenants import " + phrase.ShellWord(o.File)
	for _, m := range slices.Concat(o.Maps, maps) {
		command += " --map " + phrase.ShellWord(m)
	}
	if credential != "" {
		command += " --credential " + phrase.ShellWord(credential)
	}
	if o.Resolve {
		command += " --resolve-domains"
	}
	if o.ExpectedPartner != "" {
		command += " --expect-partner " + o.ExpectedPartner
	}
	return command
}
