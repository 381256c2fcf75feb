// Package untrusted makes text from elsewhere fit to be shown as data.
package untrusted

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limit is the most runes of untrusted text that an answer carries.
const Limit = 120

// Sanitize makes untrusted text (partner names, tenant names, messages of
// ARM and Entra ID) fit to be shown as data: at most Limit runes, one
// line, no control or format characters (which covers escape sequences and
// right-to-left marks), valid UTF-8. It does not make the text trustworthy.
func Sanitize(text string) string {
	var b strings.Builder
	runes, space := 0, false
	for i := 0; i < len(text) && runes < Limit; {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !printable(r, size):
			continue
		}
		if space {
			b.WriteByte(' ')
			runes, space = runes+1, false
			if runes == Limit {
				break
			}
		}
		b.WriteRune(r)
		runes++
	}
	return strings.TrimSpace(b.String())
}

// printable reports whether a rune may appear in an answer. The tag and
// variation ranges are format characters by category or invisible by purpose.
func printable(r rune, size int) bool {
	if r == utf8.RuneError && size <= 1 {
		return false
	}
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Co, r) &&
		!unicode.Is(unicode.Variation_Selector, r)
}

// Shown quotes what a caller wrote and names what the quotes do not show: spaces
// around it, and characters without ink. Two texts that look the same and are not
// get two different ones.
func Shown(text string) string {
	inner := strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !printable(r, 2) })
	if inner == "" {
		return strconv.Quote("") + unseen(text, " with %s in it")
	}
	before, after, _ := strings.Cut(text, inner)
	return strconv.Quote(Sanitize(text)) + unseen(before, " preceded by %s") + unseen(inner, " with %s in it") + unseen(after, " followed by %s")
}

// unseen describes the first invisible character of a text with the given
// format; "" if there is none.
func unseen(text, format string) string {
	for _, r := range text {
		switch {
		case r == ' ' && !strings.Contains(format, "in it"):
			return fmt.Sprintf(format, "a space")
		case r != ' ' && (unicode.IsSpace(r) || !printable(r, 2)):
			return fmt.Sprintf(format, fmt.Sprintf("U+%04X", r))
		}
	}
	return ""
}
