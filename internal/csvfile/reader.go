// Package csvfile reads the CSV files that people bring: exports of portals,
// spreadsheets and scripts. It streams, so that a file of millions of lines
// takes no more memory than one of ten.
//
// It undoes what has one meaning (byte order marks, UTF-16, line ends of any
// system, "sep=;" and "#TYPE" before the header, composed and decomposed
// letters, invisible characters around a cell) and refuses, with the reason and
// the next step, what is no CSV text at all.
package csvfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding"
	utf "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// maxLinesBeforeHeader bounds the lines that are passed over before a header.
const maxLinesBeforeHeader = 10

var errNoHeader = errors.New("the file is empty or has no header: its first line names the columns, such as name,tenant_id,client_id")

// Reader reads the rows of one file.
type Reader struct {
	csv        *csv.Reader
	header     []string
	headerLine int
	// skipped is how many lines stand before the header.
	skipped int
	// only are the places of the cells that are cleaned; nil means all.
	only []int
	// Separator is what stands between the cells.
	Separator rune
}

// NewReader finds encoding, separator and header. Its errors say what the file
// is instead, in a sentence that begins in lower case and ends without a stop.
func NewReader(r io.Reader) (*Reader, error) {
	text, err := Text(r)
	if err != nil {
		return nil, err
	}
	reader := &Reader{}
	line, err := reader.skipPreamble(text)
	if err != nil {
		return nil, err
	}
	if reader.Separator == 0 {
		reader.Separator = separator(line)
	}
	rows := csv.NewReader(text)
	rows.Comma, rows.FieldsPerRecord, rows.ReuseRecord = reader.Separator, -1, true
	reader.csv = rows
	return reader, reader.readHeader()
}

// Header returns the cells of the header, cleaned as all cells are.
func (r *Reader) Header() []string { return r.header }

// HeaderLine is the line of the file on which the header stands, from 1.
func (r *Reader) HeaderLine() int { return r.headerLine }

// Only says which cells the caller looks at, by their places. The others are not
// cleaned: in a wide file that is most of the work.
func (r *Reader) Only(places ...int) { r.only = slices.Clone(places) }

// Read returns the cells of the next row and the line of the file on which the
// row begins, counted from 1. Empty rows are passed over. The slice is used
// again by the next call. At the end the error is io.EOF.
func (r *Reader) Read() (cells []string, line int, err error) {
	for {
		cells, line, err = r.row()
		if err != nil {
			return nil, line, err
		}
		if filled(cells) > 0 {
			break
		}
	}
	for len(cells) > len(r.header) && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1] // a separator at the end of the line
	}
	if len(r.header) == 1 && len(cells) > 1 {
		return nil, line, NoHeaderAt(r.headerLine)
	}
	if len(cells) != len(r.header) {
		return nil, line, fmt.Errorf("line %d has %d cells, and the header has %d", line, len(cells), len(r.header))
	}
	return cells, line, nil
}

func (r *Reader) row() ([]string, int, error) {
	cells, err := r.csv.Read()
	if err != nil {
		return nil, 0, r.mistake(err)
	}
	at, _ := r.csv.FieldPos(0)
	if err := r.clean(cells); err != nil {
		return nil, 0, fmt.Errorf("line %d: %w", at+r.skipped, err)
	}
	return cells, at + r.skipped, nil
}

func (r *Reader) clean(cells []string) (err error) {
	for i := range cells {
		if r.only != nil && !slices.Contains(r.only, i) {
			continue
		}
		if cells[i], err = clean(cells[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) mistake(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &parse) && (errors.Is(err, csv.ErrQuote) || errors.Is(err, csv.ErrBareQuote)):
		return fmt.Errorf("line %d: a quotation mark is inside a cell or never closed; write a cell that contains one \"like \"\"this\"\"\"", parse.StartLine+r.skipped)
	case errors.As(err, &parse):
		return fmt.Errorf("line %d cannot be read", parse.Line+r.skipped)
	}
	return readError(err)
}

// skipPreamble passes over what programs write before a header: "sep=;",
// "#TYPE ..." and lines of separators alone. It returns the header's line,
// which stays unread.
func (r *Reader) skipPreamble(text *bufio.Reader) (string, error) {
	for range maxLinesBeforeHeader {
		line, more := peekLine(text)
		sep, isSep := sepLine(line)
		switch {
		case isSep:
			r.Separator = sep
		case strings.HasPrefix(strings.TrimPrefix(line, `"`), "#TYPE"):
		case strings.Trim(line, "\",;\t| ") == "" && line != "":
		case line == "" && more:
		default:
			return line, nil
		}
		if _, err := text.ReadString('\n'); err != nil {
			break
		}
		r.skipped++
	}
	return "", errNoHeader
}

func sepLine(line string) (rune, bool) {
	line = strings.Trim(line, `" `)
	if len(line) < 4 || !strings.EqualFold(line[:4], "sep=") {
		return 0, false
	}
	switch value := strings.TrimRight(line[4:], `"`); value {
	case ",", ";", "\t", "|":
		return rune(value[0]), true
	case "":
		return '\t', line[4:] == "" // a tab that was trimmed
	}
	return 0, false
}

// peekLine returns the next line without its end, or as much of it as is looked
// at, and whether there is anything more.
func peekLine(text *bufio.Reader) (string, bool) {
	start, _ := text.Peek(sniffed / 2) // an error shows when the rows are read
	line, _, _ := strings.Cut(string(start), "\n")
	return strings.TrimSuffix(line, "\r"), len(start) > 0
}

// separator is the one that stands most often outside of quotes in the header.
// Spreadsheets write semicolons where the comma is the decimal sign, and tabs
// into Unicode text.
func separator(header string) rune {
	counts, quoted := map[rune]int{}, false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := ','
	for _, c := range ";\t|" {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func (r *Reader) readHeader() error {
	cells, line, err := r.row()
	if errors.Is(err, io.EOF) {
		return errNoHeader
	}
	if err != nil {
		return err
	}
	if filled(cells) == 1 && len(cells) > 1 {
		return NoHeaderAt(line)
	}
	for len(cells) > 1 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	r.header, r.headerLine = slices.Clone(cells), line
	return nil
}

// NoHeaderAt says that a line with one cell stands where the header should.
func NoHeaderAt(line int) error {
	return fmt.Errorf("line %d does not look like a header: only one cell has text; delete the lines above the column names", line)
}

func filled(cells []string) (n int) {
	for _, cell := range cells {
		if cell != "" {
			n++
		}
	}
	return n
}

// clean drops spaces and invisible characters around a cell and composes its
// letters, so that one text has one spelling.
func clean(cell string) (string, error) {
	if isPlain(cell) {
		return strings.TrimSpace(cell), nil
	}
	if strings.ContainsAny(cell, "\x00\ufffd") {
		return "", ErrEncoding
	}
	return norm.NFC.String(strings.TrimFunc(cell, Invisible)), nil
}

// isPlain reports a cell of printable ASCII, which most are.
func isPlain(cell string) bool {
	for i := range len(cell) {
		if c := cell[i]; c >= 0x80 || c == 0 {
			return false
		}
	}
	return true
}

// Invisible reports characters that show nothing: spaces of every kind, byte
// order marks, zero-width and other format characters.
func Invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zs, r)
}

// sniffed is how much of a file is looked at before it is read, in bytes.
const sniffed = 64 << 10

// ErrEncoding is about bytes that are no text in UTF-8 or UTF-16.
var ErrEncoding = errors.New(`the file is neither UTF-8 nor UTF-16: save it as "CSV UTF-8"`)

func signatures() []struct{ prefix, is string } {
	return []struct{ prefix, is string }{
		{"PK\x03\x04", `an Excel workbook (.xlsx) or another ZIP file: open it and save the sheet as "CSV UTF-8"`},
		{"\xd0\xcf\x11\xe0", `an Excel workbook of the older format (.xls): open it and save the sheet as "CSV UTF-8"`},
		{"\x1f\x8b", "compressed with gzip: unpack it first"},
		{"%PDF", "a PDF document: export the list as CSV"},
		{"{\\rtf", "a rich text document: save it as plain text"},
		{"<!DOCTYPE", "an HTML page: the download probably returned a sign-in page"},
		{"<html", "an HTML page: the download probably returned a sign-in page"},
		{"<?xml", "an XML document: export the list as CSV"},
	}
}

// Text returns the text of a file as UTF-8 with LF or CRLF line ends.
func Text(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, sniffed)
	start, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	for _, s := range signatures() {
		if bytes.HasPrefix(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), []byte(s.prefix)) {
			return nil, fmt.Errorf("the file is %s", s.is)
		}
	}
	text := bufio.NewReaderSize(transform.NewReader(in, decoder(start)), sniffed)
	decoded, err := text.Peek(sniffed / 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, readError(err)
	}
	if bytes.IndexByte(decoded, '\n') >= 0 {
		return text, nil
	}
	return bufio.NewReaderSize(transform.NewReader(text, runes.Map(lineEnd)), sniffed), nil
}

// lineEnd replaces the line ends of old Macs (CR) and of Unicode (U+0085, U+2028,
// U+2029). They are taken where a file has no LF; elsewhere they are part of a cell.
func lineEnd(r rune) rune {
	if strings.ContainsRune("\r\u0085\u2028\u2029", r) {
		return '\n'
	}
	return r
}

// decoder goes by the byte order mark, and without one by where the zero bytes
// of UTF-16 are. A character of UTF-16 that cannot be decoded becomes U+FFFD,
// which the reader of rows refuses.
func decoder(start []byte) transform.Transformer {
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), zerosAt(start, 1):
		return utf.UTF16(utf.LittleEndian, utf.UseBOM).NewDecoder()
	case bytes.HasPrefix(start, []byte{0xfe, 0xff}), zerosAt(start, 0):
		return utf.UTF16(utf.BigEndian, utf.UseBOM).NewDecoder()
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		return transform.Chain(utf.UTF8BOM.NewDecoder(), encoding.UTF8Validator)
	}
	return encoding.UTF8Validator
}

// zerosAt reports text in UTF-16 without a byte order mark: the first eight
// characters of a header are ASCII, so every second byte is zero.
func zerosAt(start []byte, offset int) bool {
	if len(start) < 16 {
		return false
	}
	for i := range 16 {
		if (start[i] == 0) != (i%2 == offset) {
			return false
		}
	}
	return true
}

func readError(err error) error {
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		return ErrEncoding
	}
	return fmt.Errorf("the file cannot be read: %w", err)
}
