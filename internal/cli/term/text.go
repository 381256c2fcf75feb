package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
