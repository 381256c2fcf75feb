// Package csvcell keeps spreadsheets from running what a cell of a CSV file
// holds. Names of partners and tenants are chosen by others, and a spreadsheet
// takes a cell that begins with one of a few characters for a formula.
package csvcell

import (
	"cmp"
	"encoding/csv"
	"io"
	"iter"
	"regexp"
)

// cellStart matches where a formula can begin: at the start, behind spaces and
// quotes, and behind each character at which a spreadsheet may begin the next
// cell, whatever the separator of the file is.
const cellStart = `(?:^|[;,|\t\r\n])["\s]*`

// formula is every character that begins a formula, in full width as well, and
// the quote itself, so that Unquote has one answer.
const formula = `['=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]`

// Quoter quotes cells. Its patterns are compiled once, when a file is written
// or read, because most processes write none.
type Quoter struct{ quote, unquote *regexp.Regexp }

// New compiles the patterns.
func New() *Quoter {
	return &Quoter{
		quote:   regexp.MustCompile(`(` + cellStart + `)(` + formula + `)`),
		unquote: regexp.MustCompile(`(` + cellStart + `)'(` + formula + `)`),
	}
}

// Quote returns the cell with a single quote before everything that could
// begin a formula. Unquote(Quote(cell)) is cell.
func (q *Quoter) Quote(cell string) string {
	if quoted := q.quote.ReplaceAllString(cell, "$1'$2"); quoted != cell {
		return quoted
	}
	if startsWithControl(cell) {
		return "'" + cell
	}
	return cell
}

// Unquote takes the quotes of Quote out again.
func (q *Quoter) Unquote(cell string) string {
	if plain := q.unquote.ReplaceAllString(cell, "$1$2"); plain != cell {
		return plain
	}
	if len(cell) > 1 && cell[0] == '\'' && startsWithControl(cell[1:]) {
		return cell[1:]
	}
	return cell
}

// startsWithControl reports a first character that spreadsheets drop before
// they look for a formula.
func startsWithControl(cell string) bool {
	return cell != "" && (cell[0] == '\t' || cell[0] == '\r')
}

// Write writes a header and the cells of rows, as RFC 4180 has it, with CRLF. It ends
// with the first row that fails.
func Write[R any](w io.Writer, header []string, rows iter.Seq2[R, error], cells func(R) []string) error {
	writer := csv.NewWriter(w)
	writer.UseCRLF = true
	err := writer.Write(header)
	for row, failed := range rows {
		if err = cmp.Or(err, failed); err != nil {
			return err
		}
		err = writer.Write(cells(row))
	}
	writer.Flush()
	return cmp.Or(err, writer.Error())
}
