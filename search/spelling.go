package search

import (
	_ "embed"
	"slices"
	"strings"
)

// ordinary are frequent words of the languages that look like a misspelt word
// of some lexicon and are none, by alphabet. They are never mended.
//
//go:embed ordinary.txt
var ordinary string

// speller maps a misspelt word to the word for an act or a subject of ours that
// it was meant to be. What else is misspelt the model knows by its letters.
type speller struct {
	lexicon *lexicon
	// entries are the words and stems that a word may have meant, by first letter
	// and alphabet.
	entries  map[byte][]string
	ordinary []string
}

const (
	// leastMended is the least length, in bytes, of a word that is mended.
	leastMended = 4
	// maxMends bounds how many words of one query are looked up.
	maxMends = 16
)

func newSpeller(lex *lexicon) *speller {
	s := &speller{lexicon: lex, entries: map[byte][]string{}, ordinary: strings.Fields(ordinary)}
	slices.Sort(lex.mendable)
	for _, w := range slices.Compact(lex.mendable) {
		if len(w) >= leastMended {
			s.entries[w[0]] = append(s.entries[w[0]], w)
		}
	}
	return s
}

// mend replaces misspelt words in place.
func (s *speller) mend(tokens []token) {
	mends := 0
	for i, t := range tokens {
		if t.kind == word && len(t.text) >= leastMended && mends < maxMends && !s.knows(t.text) {
			mends++
			tokens[i].text = s.fix(t.text)
		}
	}
}

// knows reports whether a word is spelt as some lexicon has it, or is ordinary.
func (s *speller) knows(w string) bool {
	if _, found := slices.BinarySearch(s.ordinary, w); found || s.lexicon.words[w] {
		return true
	}
	for size := len(w); size >= minStem; size-- {
		if s.lexicon.words[w[:size]+"*"] {
			return true
		}
	}
	return false
}

// fix returns the word meant, the first by alphabet, or the word itself. A whole
// word is believed before a stem.
func (s *speller) fix(w string) string {
	entries := s.entries[w[0]]
	if i := slices.IndexFunc(entries, func(entry string) bool { return oneEdit(w, entry) && entry[len(entry)-1] != '*' }); i >= 0 {
		return entries[i]
	}
	for _, entry := range entries {
		stem, isStem := strings.CutSuffix(entry, "*")
		for size := len(stem) - 1; isStem && len(stem) > leastMended && size <= min(len(stem)+1, len(w)); size++ {
			if w[size-1] == stem[len(stem)-1] && oneEdit(w[:size], stem) {
				return stem + w[size:]
			}
		}
	}
	return w
}

// oneEdit reports whether one letter is added, lost, changed or swapped with its
// neighbour.
func oneEdit(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	swapped := len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
	return swapped || len(a) <= 1 && len(b) <= 1
}
