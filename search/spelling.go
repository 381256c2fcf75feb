package search

import (
	"slices"
	"strings"
)

const (
	// leastMended is the least length, in bytes, of a word that is mended.
	leastMended = 4
	// maxMends bounds how many words of one query are looked up.
	maxMends = 16
)

// mend replaces, in place, each misspelt word by the one for an act or a subject of
// ours that it was meant to be. What else is misspelt the model knows by its letters.
func (l *lexicon) mend(tokens []token) {
	mends := 0
	for i, t := range tokens {
		if t.kind == word && len(t.text) >= leastMended && mends < maxMends && !l.knows(t.text) {
			mends++
			tokens[i].text = l.fix(t.text)
		}
	}
}

// knows reports whether a word is spelt as some lexicon has it, or is ordinary.
func (l *lexicon) knows(w string) bool {
	if _, ordinary := l.find(Step(Ordinary, w, false)); ordinary || l.isWord(w, false) {
		return true
	}
	for size := len(w); size >= minStem; size-- {
		if l.isWord(w[:size], true) {
			return true
		}
	}
	return false
}

// fix returns the word meant, the first by alphabet, or the word itself. A whole
// word is believed before a stem.
func (l *lexicon) fix(w string) string {
	entries := l.mendable[w[0]]
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
