package search

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

// The lexicons hold one concept a line, "concept: term, term". A term is one
// word or a phrase. A star ends a stem (verknüpf*); an underscore stands for
// up to eight words (take _ off). The file name is the language; "any" holds
// what is the same in all of them, such as the names of commands.
//
//go:embed lexicon/*.txt
var lexicons embed.FS

const (
	// anyLanguage is the lexicon of terms that belong to no language.
	anyLanguage = "any"
	// gap is the step that stands for up to maxGap tokens.
	gap    = "_"
	maxGap = 8
	// minStem is the shortest stem that a star may follow.
	minStem = 3
)

// meaning is one concept that a term has in one language.
type meaning struct{ language, concept string }

// lexicon holds the terms. A beginning of a term is known by the hash of its
// steps, which are words, stems and gaps; it has meanings where a term ends.
type lexicon struct {
	terms map[uint64][]meaning
	// words are all words of terms, and their stems with a star.
	words map[string]bool
	// mendable are single words and stems that a misspelt word may have meant.
	mendable []string
	tokens   []token // used again for each term
}

// Sizes that the lexicons have, about.
const manyTerms, manyWords = 1 << 15, 1 << 14

func loadLexicon() (*lexicon, error) {
	lex := &lexicon{terms: make(map[uint64][]meaning, manyTerms), words: make(map[string]bool, manyWords)}
	files, err := lexicons.ReadDir("lexicon")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := lexicons.ReadFile(path.Join("lexicon", file.Name()))
		if err != nil {
			return nil, err
		}
		if err := lex.read(strings.TrimSuffix(file.Name(), ".txt"), string(text)); err != nil {
			return nil, err
		}
	}
	return lex, nil
}

func (l *lexicon) read(language, text string) error {
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		concept, terms, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("lexicon %s, line %d: no concept", language, n+1)
		}
		for term := range strings.SplitSeq(foldAll(terms), ",") {
			l.add(meaning{language, concept}, term)
		}
	}
	return nil
}

func (l *lexicon) add(m meaning, term string) {
	at, fields := uint64(0), strings.Fields(term)
	for n, field := range fields {
		l.tokens = appendTokens(l.tokens[:0], field)
		if field == gap {
			l.tokens = append(l.tokens, token{text: gap})
		}
		for i, t := range l.tokens {
			last := i == len(l.tokens)-1
			stem := last && strings.HasSuffix(field, "*")
			if at = step(at, hashOf(t.text), stem); last && n == len(fields)-1 {
				l.terms[at] = append(l.terms[at], m)
			} else if l.terms[at] == nil {
				l.terms[at] = nil
			}
			l.note(t, stem, len(fields)+len(l.tokens) == 2 && listed("mended", m.concept))
		}
	}
}

// note keeps a word of a term for the speller.
func (l *lexicon) note(t token, stem, mended bool) {
	text := t.text
	if stem {
		text += "*"
	}
	l.words[text] = true
	if mended && t.kind == word {
		l.mendable = append(l.mendable, text)
	}
}

// step is the hash of a beginning and what comes next.
func step(at, hash uint64, stem bool) uint64 {
	at = (at ^ hash) * hashPrime
	if stem {
		return ^at
	}
	return at ^ at>>32
}

// span is a term found in a text: the tokens it took, what it may mean, and how
// many bytes it matched, which is less where stems stood for words.
type span struct {
	at    []int
	means []meaning
	size  int
}

// finder walks along a text from the beginning of a term.
type finder struct {
	*lexicon
	tokens []token
	found  []span
}

// spansAt finds every term that begins at token i.
func (l *lexicon) spansAt(tokens []token, i int) []span {
	f := finder{lexicon: l, tokens: tokens}
	f.walk(0, i, span{})
	return f.found
}

// walk goes on from a beginning at token j; so holds what was matched before.
func (f *finder) walk(at uint64, j int, so span) {
	if so.means = f.terms[at]; len(so.means) > 0 {
		f.found = append(f.found, so)
	}
	f.follow(at, j, so)
	after := step(at, hashOf(gap), false)
	if _, ok := f.terms[after]; !ok {
		return
	}
	for k := j; k <= j+maxGap && k < len(f.tokens); k++ {
		f.follow(after, k, so)
		if f.tokens[k].breaks {
			return
		}
	}
}

// follow takes token j by each stem and by the whole word.
func (f *finder) follow(from uint64, j int, so span) {
	if j >= len(f.tokens) {
		return
	}
	text, hash := f.tokens[j].text, hashBegin
	at := append(so.at[:len(so.at):len(so.at)], j)
	for i := range len(text) {
		hash = hashOn(hash, text[i])
		for _, stem := range []bool{true, false} {
			next := step(from, hash, stem)
			if _, ok := f.terms[next]; ok && (stem && i+1 >= minStem || !stem && i+1 == len(text)) {
				f.walk(next, j+1, span{at: at, size: so.size + i + 1})
			}
		}
	}
}

// begins reports whether a term of the concept, in any language, begins at
// token i.
func (l *lexicon) begins(tokens []token, i int, concept string) bool {
	return slices.ContainsFunc(l.spansAt(tokens, i), func(s span) bool { return means(s.means, concept) })
}

// meaningsOf returns what a single word may mean.
func (l *lexicon) meaningsOf(text string) []meaning { return l.terms[step(0, hashOf(text), false)] }

// has reports whether a single word may mean one of the concepts.
func (l *lexicon) has(text string, concepts ...string) bool {
	return means(l.meaningsOf(text), concepts...)
}

func means(list []meaning, concepts ...string) bool {
	return slices.ContainsFunc(list, func(m meaning) bool { return slices.Contains(concepts, m.concept) })
}
