package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxRunes bounds the work of one query. The tool takes 1000 runes; folding
// may lengthen a text, for example a ligature.
const maxRunes = 1200

// maxTokens is where reading stops: two hundred words are a long request, and
// in scripts without spaces a token is one rune.
const maxTokens = 400

type kind uint8

const (
	word   kind = iota // letters of a script that sets spaces
	glyph              // one rune of a script that does not, or of Hangul
	number             // ASCII digits
	arrow              // -> and the like
	slot               // an entity that was taken out
)

// token is one unit of a folded text.
type token struct {
	text       string
	kind       kind
	start, end int // bytes in the folded text
	// breaks is set when a clause ends after the token, ends when a sentence does,
	// and asked when that is with a question mark.
	breaks, ends, asked bool
}

// fold makes texts comparable: compatibility forms, case, accents, and letters
// that have no decomposition.
func fold(text string) string { return foldAll(clip(text)) }

// foldAll folds a text of any length.
func foldAll(text string) string {
	if isPlain(text) {
		return strings.ToLower(text)
	}
	text = tellApart(strings.ToLower(norm.NFKC.String(text)))
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range norm.NFD.String(text) {
		if r < 0x300 || r > 0x36f {
			writeLetter(&b, r)
		}
	}
	return norm.NFC.String(b.String())
}

// isPlain reports whether a text is ASCII, where only the case can differ.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// tellApart keeps the accents that tell a wish from something else: without
// them the German "change" is "other", and the French "link" is "linked".
func tellApart(text string) string {
	text = strings.ReplaceAll(text, "änder", "aender")
	if !strings.Contains(text, "é") {
		return text
	}
	var b strings.Builder
	letters := 0
	for i, r := range text {
		if !unicode.IsLetter(r) {
			letters = 0
		}
		letters++
		next, _ := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
		if r == 'é' && letters >= leastMended && !unicode.IsLetter(next) {
			b.WriteString("ee")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func clip(text string) string {
	text = strings.ToValidUTF8(text, " ")
	for i, n := 0, 0; i < len(text); n++ {
		if n == maxRunes {
			return text[:i]
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return text
}

func writeLetter(b *strings.Builder, r rune) {
	switch r {
	case 'ß':
		b.WriteString("ss")
	case 'ł':
		b.WriteByte('l')
	case 'ø':
		b.WriteByte('o')
	case 'æ':
		b.WriteString("ae")
	case 'œ':
		b.WriteString("oe")
	case 'ı':
		b.WriteByte('i')
	case '\u200b', '\u200c', '\u200d', '\ufeff', '\u00ad':
	default:
		b.WriteRune(r)
	}
}

// tokenise cuts a folded text. Every glyph is a token of its own, so that a
// term of such a script is a phrase of glyphs like any other phrase.
func tokenise(text string) []token { return appendTokens(nil, text) }

func appendTokens(out []token, text string) []token {
	for i := 0; i < len(text) && len(out) < maxTokens; {
		if size := arrowAt(text[i:]); size > 0 {
			out = append(out, token{text: "->", kind: arrow, start: i, end: i + size})
			i += size
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		k, ok := kindOf(r)
		if !ok {
			markBreak(out, r, text[i+size:])
			i += size
			continue
		}
		end := i + size
		if k != glyph {
			end = runEnd(text, end, k)
		}
		out = append(out, token{text: text[i:end], kind: k, start: i, end: end})
		i = end
	}
	return out
}

func runEnd(text string, end int, k kind) int {
	for end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		if next, ok := kindOf(r); !ok || next != k {
			break
		}
		end += size
	}
	return end
}

func kindOf(r rune) (kind, bool) {
	switch {
	case r >= 'a' && r <= 'z':
		return word, true
	case r >= '0' && r <= '9':
		return number, true
	case r < utf8.RuneSelf:
		return 0, false
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r == 'ー':
		return glyph, true
	case unicode.IsLetter(r):
		return word, true
	}
	return 0, false
}

func arrowAt(text string) int {
	if text[0] < utf8.RuneSelf && text[0] != '-' && text[0] != '=' && text[0] != '>' {
		return 0
	}
	for _, sign := range []string{"-->", "==>", "->", "=>", ">>", "→", "⇒", "➜", "➔", "⟶"} {
		if strings.HasPrefix(text, sign) {
			return len(sign)
		}
	}
	return 0
}

// markBreak notes the end of a clause. A full stop or colon counts only before
// a space, since domains and times carry them too.
func markBreak(out []token, r rune, rest string) {
	if len(out) == 0 {
		return
	}
	last := &out[len(out)-1]
	last.ends = last.ends || endsSentence(r, rest)
	last.asked = last.asked || r == '?'
	switch r {
	case ',', ';', '!', '?', '、', '。', '\n', '(', ')', '–', '—':
		last.breaks = true
	case '.', ':':
		last.breaks = rest == "" || rest[0] == ' '
	}
}

func endsSentence(r rune, rest string) bool {
	switch r {
	case '!', '?', '。', '\n':
		return true
	case '.':
		return rest == "" || rest[0] == ' '
	}
	return false
}
