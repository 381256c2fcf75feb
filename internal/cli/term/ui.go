// Package term is the terminal: streams, prompts, prompts without echo, tables,
// progress and the escaping of text that could act on it.
package term

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"mcp-partner/internal/exit"
)

// Style is how a piece of text is shown on a terminal.
type Style string

const (
	Plain Style = ""
	Bold  Style = "1"
	Dim   Style = "2"
	Good  Style = "32"
	Warn  Style = "33"
	Bad   Style = "31"
)

// UI writes for a reader. Every text goes through escape before it is coloured,
// so that no data can colour, move or hide anything.
type UI struct {
	Out   io.Writer
	Color bool
	// Width is where lines are broken; 0 breaks none.
	Width int
	// Tables says how long and how wide tables may be.
	Tables TableOptions
	Err    error
}

func (s *Streams) UI() *UI { return &UI{Out: s.Out, Color: s.Color, Width: s.OutWidth} }

func (u *UI) Paint(s Style, text string) string {
	text = Escape(text)
	if !u.Color || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (u *UI) Write(text string) {
	if u.Err == nil {
		_, u.Err = io.WriteString(u.Out, text)
	}
}

// Line writes one line of text in a style.
func (u *UI) Line(s Style, text string) {
	indent := len(text) - len(strings.TrimLeft(text, " "))
	u.Write(u.paintWrapped(s, text, indent) + "\n")
}

func (u *UI) paintWrapped(s Style, text string, indent int) string {
	lines := strings.Split(Wrap(Escape(text), u.Width, indent), "\n")
	for i, line := range lines {
		lines[i] = u.Paint(s, line)
	}
	return strings.Join(lines, "\n")
}

// Linef is line with a format whose arguments are data.
func (u *UI) Linef(s Style, format string, args ...any) { u.Line(s, fmt.Sprintf(format, args...)) }

// Say writes one line in a style, as the whole output of a command.
func (s *Streams) Say(style Style, format string, args ...any) error {
	u := s.UI()
	u.Linef(style, format, args...)
	return u.Err
}

// Answer prints a value as JSON for a program, or writes it for a person.
func (s *Streams) Answer(asJSON bool, value any, write func(*UI)) error {
	if asJSON {
		return s.PrintJSON(value)
	}
	u := s.UI()
	write(u)
	return u.Err
}

// Blank writes an empty line.
func (u *UI) Blank() { u.Write("\n") }

// fieldWidth is the column in which the values of fields begin.
const fieldWidth = 12

// Field writes a label and a value, unless the value is empty.
func (u *UI) Field(label, value string) { u.StyledField(label, Plain, value) }

func (u *UI) StyledField(label string, s Style, value string) {
	if value == "" {
		return
	}
	gap := strings.Repeat(" ", max(1, fieldWidth-columns(label)))
	indent := 2 + columns(label) + len(gap)
	padded := u.paintWrapped(s, strings.Repeat(" ", indent)+value, indent)
	u.Write("  " + u.Paint(Dim, label) + gap + strings.Replace(padded, strings.Repeat(" ", indent), "", 1) + "\n")
}

// Entry writes a mark, a name, and a text that continues under the name.
func (u *UI) Entry(s Style, mark, name, text string) {
	margin := strings.Repeat(" ", columns(Escape(mark+"  "+name+": ")))
	wrapped := strings.TrimPrefix(u.paintWrapped(Plain, margin+text, columns(mark)+2), margin)
	u.Write(u.Paint(s, mark) + "  " + u.Paint(Bold, name) + ": " + wrapped + "\n")
}

// columns is how wide a text is on a terminal: East Asian wide characters take
// two columns. What colours the text takes none.
func columns(text string) int {
	n, colour := 0, false
	for _, r := range text {
		if r == '\x1b' || colour {
			colour = r != 'm'
			continue
		}
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

// PrintJSON writes a value as JSON: on one line for a program, indented and
// with everything unusual escaped for a person at a terminal.
func (s *Streams) PrintJSON(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.PrintRawJSON(text)
}

func (s *Streams) PrintRawJSON(text []byte) error {
	if s.OutTTY {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return err
		}
		text = []byte(EscapeJSON(indented.String()))
	}
	_, err := s.Out.Write(append(text, '\n'))
	return err
}

// PrintJSONList prints an object with one list, as PrintJSON would; a program gets
// each item as soon as it is there, and the list is never in memory as a whole.
func (s *Streams) PrintJSONList(name string, each func(print func(item any)) error) error {
	if s.OutTTY {
		list := []any{}
		err := each(func(item any) { list = append(list, item) })
		return errors.Join(err, s.PrintJSON(map[string]any{name: list}))
	}
	out := bufio.NewWriter(s.Out)
	separator := fmt.Sprintf("{%q:[", name)
	var failure error
	err := each(func(item any) {
		text, err := json.Marshal(item)
		failure = cmp.Or(failure, err)
		fmt.Fprintf(out, "%s%s", separator, text)
		separator = ","
	})
	if separator != "," {
		fmt.Fprint(out, separator)
	}
	fmt.Fprintln(out, "]}")
	return cmp.Or(err, failure, out.Flush())
}

// EscapeJSON escapes inside of JSON, where only strings can hold such runes.
func EscapeJSON(text string) string {
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

// PrintLine writes a value as JSON on one line, on a terminal too: it is read
// by programs.
func (s *Streams) PrintLine(value any) error {
	return json.NewEncoder(s.Out).Encode(value)
}

// Report writes an error: what is wrong, what to do, and the command that does it.
func Report(to io.Writer, width int, end *exit.Error) {
	if end.Message == "" {
		return
	}
	fmt.Fprintln(to, Wrap("mcp-partner: "+Escape(strings.TrimPrefix(end.Message, "mcp-partner ")), width, 2))
	for _, detail := range end.Details {
		fmt.Fprintln(to, Wrap("  "+Escape(detail), width, 4))
	}
	if end.Next != "" {
		fmt.Fprintln(to, Wrap("Next: "+Escape(end.Next), width, 2))
	}
	if end.Command != "" {
		fmt.Fprintf(to, "Run: %s\n", Escape(end.Command))
	}
}

// Escape makes a text harmless for a terminal: control and format characters,
// among them escape sequences and right-to-left marks, are shown as escapes.
// Untrusted texts were sanitized before; this covers everything else, such as
// file names.
func Escape(text string) string {
	if !strings.ContainsFunc(text, hostile) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if hostile(r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hostile(r rune) bool {
	return !unicode.IsPrint(r) && !(unicode.IsGraphic(r) && !unicode.Is(unicode.Zl, r) && !unicode.Is(unicode.Zp, r))
}

// Wrap breaks a line between words so that it fits into a width; what follows is
// indented. A word that is longer stays whole. A width of 0 breaks nothing.
func Wrap(line string, width, indent int) string {
	if width <= indent || columns(line) <= width {
		return line
	}
	margin := line[:len(line)-len(strings.TrimLeft(line, " "))]
	var b strings.Builder
	b.WriteString(margin)
	at, first := len(margin), true
	for word := range strings.FieldsSeq(line) {
		n := columns(word)
		switch {
		case first:
		case at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at, first = at+n, false
	}
	return b.String()
}

// WrapItems breaks the lines of a list.
func WrapItems(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wrapItem(line, width)
	}
	return strings.Join(lines, "\n")
}

// wrapItem breaks a line of a list; what has two columns continues in the second.
func wrapItem(line string, width int) string {
	if columns(line) <= width || strings.HasPrefix(line, "mcp-partner ") {
		return line // a command is for copying
	}
	name, text, two := strings.Cut(strings.TrimLeft(line, " "), "  ")
	if text = strings.TrimLeft(text, " "); !two || name == "" {
		return Wrap(line, width, 4)
	}
	indent := len(line) - len(text)
	margin := strings.Repeat(" ", indent)
	return line[:indent] + strings.TrimPrefix(Wrap(margin+text, width, indent), margin)
}

// Reflow fits paragraphs into a width. Indented lines, such as lists, are only
// broken.
func Reflow(text string, width int) string {
	var lines []string
	paragraph := ""
	end := func() {
		if paragraph != "" {
			lines = append(lines, Wrap(paragraph, width, 0))
		}
		paragraph = ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			end()
			lines = append(lines, "")
		case strings.TrimLeft(line, " \t") != line:
			end()
			lines = append(lines, wrapItem(strings.TrimPrefix(line, "\t"), width))
		default:
			paragraph = strings.TrimSpace(paragraph + " " + line)
		}
	}
	end()
	return strings.Join(lines, "\n")
}
