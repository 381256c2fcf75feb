package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// style is how a piece of text is shown on a terminal.
type style string

const (
	plain style = ""
	bold  style = "1"
	dim   style = "2"
	good  style = "32"
	warn  style = "33"
	bad   style = "31"
)

// ui writes for a reader. Every text goes through escape before it is coloured,
// so that no data can colour, move or hide anything.
type ui struct {
	out   io.Writer
	color bool
	err   error
}

func (s *Streams) ui() *ui { return &ui{out: s.Out, color: s.Color} }

func (u *ui) paint(s style, text string) string {
	text = escape(text)
	if !u.color || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (u *ui) write(text string) {
	if u.err == nil {
		_, u.err = io.WriteString(u.out, text)
	}
}

// line writes one line of text in a style.
func (u *ui) line(s style, text string) { u.write(u.paint(s, text) + "\n") }

// linef is line with a format whose arguments are data.
func (u *ui) linef(s style, format string, args ...any) { u.line(s, fmt.Sprintf(format, args...)) }

// blank writes an empty line.
func (u *ui) blank() { u.write("\n") }

// fieldWidth is the column in which the values of fields begin.
const fieldWidth = 12

// field writes a label and a value, unless the value is empty.
func (u *ui) field(label, value string) { u.styledField(label, plain, value) }

func (u *ui) styledField(label string, s style, value string) {
	if value == "" {
		return
	}
	u.write("  " + u.paint(dim, label) + strings.Repeat(" ", max(1, fieldWidth-columns(label))) + u.paint(s, value) + "\n")
}

// table writes rows under a header. A column that is empty in all rows is left
// out.
func (u *ui) table(header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range rows {
		widen(widths, row)
	}
	u.head(header, widths)
	for _, row := range rows {
		u.row(plain, row, widths)
	}
}

// longTable is a table, with an empty line before it, of rows that are gone
// through twice instead of kept: first for the widths. Rows that came in between
// may stand out. Without a row nothing is written.
func (u *ui) longTable(header []string, rows iter.Seq2[[]string, error]) error {
	widths, found := make([]int, len(header)), false
	for row, err := range rows {
		if err != nil {
			return err
		}
		widen(widths, row)
		found = true
	}
	if !found {
		return nil
	}
	u.blank()
	u.head(header, widths)
	for row, err := range rows {
		if err != nil {
			return err
		}
		u.row(plain, row, widths)
	}
	return nil
}

func widen(widths []int, row []string) {
	for i, cell := range row {
		widths[i] = max(widths[i], columns(escape(cell)))
	}
}

// head writes the names of the columns that are not empty.
func (u *ui) head(header []string, widths []int) {
	for i, name := range header {
		if widths[i] > 0 {
			widths[i] = max(widths[i], columns(name))
		}
	}
	u.row(dim, header, widths)
}

func (u *ui) row(s style, cells []string, widths []int) {
	var b strings.Builder
	pending := "  "
	for i, cell := range cells {
		if widths[i] == 0 {
			continue
		}
		b.WriteString(pending + u.paint(s, cell))
		pending = strings.Repeat(" ", max(1, widths[i]-columns(escape(cell))+2))
	}
	u.write(strings.TrimRight(b.String(), " ") + "\n")
}

// columns is how wide a text is on a terminal: East Asian wide characters take
// two columns.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r < utf8.RuneSelf {
			continue
		}
		if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// printJSON writes a value as JSON: on one line for a program, indented and
// with everything unusual escaped for a person at a terminal.
func (s *Streams) printJSON(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.printRawJSON(text)
}

func (s *Streams) printRawJSON(text []byte) error {
	if s.OutTTY {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return err
		}
		text = []byte(escapeJSON(indented.String()))
	}
	_, err := s.Out.Write(append(text, '\n'))
	return err
}

// escapeJSON escapes inside of JSON, where only strings can hold such runes.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || !hostile(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xD800+(r>>10), 0xDC00+(r&0x3FF))
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
