package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mcp-partner/internal/xslices"
)

const (
	maxRunes  = 1200 // bounds the work of one query; the tool takes 1000, and folding adds some
	maxTokens = 400  // where reading stops
)

type kind uint8

const (
	word   kind = iota // letters of a script that sets spaces
	glyph              // one rune of a script that does not, or of Hangul
	number             // ASCII digits
	arrow              // -> and the like
	handle             // a GUID, an approval or a run
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

// fold makes texts comparable, and clips long ones.
func fold(text string) string {
	runes := []rune(strings.ToValidUTF8(text, " "))
	return Fold(string(runes[:min(len(runes), maxRunes)]))
}

// plainLetters replaces what NFD leaves, and the German "change" without an accent.
var plainLetters = strings.NewReplacer(
	"a\u0308nder", "aender", "ß", "ss", "ł", "l", "ø", "o", "æ", "ae", "œ", "oe", "ı", "i",
	"\u200b", "", "\u200c", "", "\u200d", "", "\ufeff", "", "\u00ad", "",
)

// participles write out the last accent: without it the French "linked" is "link".
var participles = strings.NewReplacer(" é ", " e ", "é ", "ee ", "é,", "ee,", "é.", "ee.", "é?", "ee?", "é!", "ee!", "é)", "ee)", "é:", "ee:", "é;", "ee;", "é*", "ee*", "é\n", "ee\n")

// Fold folds a text of any length.
func Fold(text string) string {
	text = strings.ToLower(text)
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return text
	}
	text = strings.ToLower(norm.NFKC.String(text))
	text = strings.TrimSpace(participles.Replace(" " + text + " "))
	withoutAccents := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) && r <= 0x36f { // those behind tell letters apart
			return -1
		}
		return r
	}, plainLetters.Replace(norm.NFD.String(text)))
	return norm.NFC.String(withoutAccents)
}

// tokenise cuts a folded text. Every glyph is a token of its own.
func tokenise(text string) []token {
	var out []token
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
		if n := handleAt(text[i:]); n > 0 {
			k, end = handle, i+n
		} else if k != glyph {
			end = len(text) - len(strings.TrimLeftFunc(text[i:], func(r rune) bool { next, ok := kindOf(r); return ok && next == k }))
		}
		out = append(out, token{text: text[i:end], kind: k, start: i, end: end})
		i = end
	}
	return out
}

// Tokens are the texts of the tokens of a folded text.
func Tokens(text string) []string {
	return xslices.Map(tokenise(text), func(t token) string { return t.text })
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

// markBreak notes the end of a clause or a sentence: domains and times have stops too.
func markBreak(out []token, r rune, rest string) {
	if len(out) == 0 {
		return
	}
	last, stops := &out[len(out)-1], (r == '.' || r == ':') && (rest == "" || rest[0] == ' ')
	last.asked = last.asked || r == '?'
	last.ends = last.ends || strings.ContainsRune("!?。\n", r) || stops && r == '.'
	last.breaks = strings.ContainsRune(",;!?、。\n()–—", r) || stops || last.breaks && r != '.' && r != ':'
}
