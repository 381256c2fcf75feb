package search

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// ordinary are frequent words of the languages that look like a misspelt word of
// some lexicon and are none: "entry" is no "Entra". They are never mended.
//
//go:embed ordinary.txt
var ordinary string

// speller maps a misspelt word to the word of the lexicons that it was meant
// to be. Words and stems are found by the forms that one deletion leaves.
type speller struct {
	words, stems map[string]bool
	ordinary     map[string]bool
	near         deletionIndex // of words
	nearStem     deletionIndex
}

const (
	// shortWord is the least length, in runes, at which a letter may be wrong.
	shortWord = 5
	// longWord is the length from which two letters may be.
	longWord = 9
	// longStem bounds how much of a word is compared with stems, and longEnding
	// how much may follow a misspelt one.
	longStem, longEnding = 12, 5
)

func newSpeller(words map[string]bool) *speller {
	s := &speller{words: make(map[string]bool, len(words)), stems: map[string]bool{}, ordinary: map[string]bool{}, near: newDeletionIndex(len(words)), nearStem: newDeletionIndex(len(words) / 4)}
	for w := range strings.FieldsSeq(ordinary) {
		s.ordinary[w] = true
	}
	for w := range words {
		stem, isStem := strings.CutSuffix(w, "*")
		first, _ := utf8.DecodeRuneInString(w)
		if k, _ := kindOf(first); k != word {
			continue
		}
		if isStem {
			s.stems[stem] = true
			s.nearStem.add(stem, shortWord+1)
			continue
		}
		s.words[w] = true
		s.near.add(w, shortWord-1)
	}
	return s
}

// knows reports whether a word is spelt as some lexicon has it, or is ordinary.
func (s *speller) knows(w string) bool {
	if s.words[w] || s.ordinary[w] {
		return true
	}
	for size := len(w); size >= minStem; size-- {
		if s.stems[w[:size]] {
			return true
		}
	}
	return false
}

// fix returns the word meant, or the word itself.
func (s *speller) fix(w string) string {
	if s.knows(w) || len(w) < shortWord-1 {
		return w
	}
	if plain := umlauts.Replace(w); plain != w && s.knows(plain) {
		return plain
	}
	if found := s.nearestWord(w); found != "" {
		return found
	}
	return s.fixStem(w)
}

// nearestWord returns the closest whole word, or nothing.
func (s *speller) nearestWord(w string) string {
	if s.words[w] || s.ordinary[w] {
		return ""
	}
	return nearest(&s.near, w, allowed(w), anyEntry)
}

// nearestOf returns the closest whole word among those that count, or nothing.
func (s *speller) nearestOf(w string, counts func(string) bool) string {
	if s.words[w] || s.ordinary[w] {
		return ""
	}
	return nearest(&s.near, w, allowed(w), counts)
}

func anyEntry(string) bool { return true }

// umlauts undoes the spelling of German without its letters.
var umlauts = strings.NewReplacer("ae", "a", "oe", "o", "ue", "u")

func (s *speller) fixStem(w string) string {
	for size := min(len(w), longStem); size > shortWord && len(w)-size <= longEnding; size-- {
		if !utf8.RuneStart(append([]byte(w), 'x')[size]) {
			continue
		}
		if stem := nearest(&s.nearStem, w[:size], 1, anyEntry); stem != "" {
			return stem + w[size:]
		}
	}
	return w
}

func allowed(w string) int {
	if utf8.RuneCountInString(w) >= longWord {
		return 2
	}
	return 1
}

// nearest picks the closest entry that begins alike, then the first by
// alphabet, so that the same word always has the same answer. Only entries that
// count are looked at.
func nearest(table *deletionIndex, w string, most int, counts func(string) bool) string {
	best, bestCost := "", 2*most+2
	deletions(w, func(form uint64) {
		for entry := range table.of(form) {
			cost := 2 * distance(w, entry)
			if cost > 2*most || !comparable(w, entry) || !counts(entry) {
				continue
			}
			if entry[0] != w[0] {
				cost++
			}
			if cost < bestCost || cost == bestCost && entry < best {
				best, bestCost = entry, cost
			}
		}
	})
	return best
}

// comparable keeps four letters from becoming another four: only a swap of
// neighbours or a lost letter is believed of a word so short.
func comparable(w, entry string) bool {
	if len(entry) != len(w) || len(w) >= shortWord {
		return max(len(w), len(entry)) >= shortWord
	}
	return sameLetters(w, entry)
}

func sameLetters(a, b string) bool {
	for _, r := range a {
		if strings.Count(a, string(r)) != strings.Count(b, string(r)) {
			return false
		}
	}
	return true
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions, and swaps of neighbours cost one each.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+unequal(x[i-1], y[j-1]))
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

func unequal(a, b rune) int {
	if a == b {
		return 0
	}
	return 1
}
