package search

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"strings"
)

// lexiconFile is what search/train made of lexicon/*.txt and ordinary.txt: a line
// of JSON, and below it the entries, which are looked up where they lie.
//
//go:embed lexicon.bin
var lexiconFile []byte

const (
	anyLanguage = "any" // the lexicon of terms that belong to no language
	// Gap is the step of a term that stands for up to maxGap tokens.
	Gap     = "_"
	maxGap  = 8
	minStem = 3 // the shortest stem that a star may follow
)

// Where the keys of terms, of all words of terms, and of ordinary words begin.
const (
	Terms uint64 = iota
	Words
	Ordinary
)

// Lexicon is what a lexicon file says besides its entries.
type Lexicon struct {
	// Meanings are what terms mean, "language concept, language concept": an entry
	// has the place of its meanings. The first is empty, for beginnings of terms.
	Meanings []string
	// Mendable are words and stems, with a star, that a misspelt word may have meant.
	Mendable []string
}

// meaning is one concept that a term has in one language.
type meaning struct{ language, concept string }

// lexicon holds the terms, each beginning by the hash of its words, stems and gaps.
type lexicon struct {
	// entries are sorted: the upper bits of a hash, and below the place of its meanings.
	entries  []byte
	meanings [][]meaning
	// mendable are by first letter and alphabet.
	mendable map[byte][]string
}

// EntrySize is the size of an entry; EntryBits are for the place of its meanings.
const EntrySize, EntryBits = 8, 16

func readLexicon(file []byte) (*lexicon, error) {
	head, entries, _ := bytes.Cut(file, []byte("\n"))
	var said Lexicon
	if err := json.Unmarshal(head, &said); err != nil || len(entries)%EntrySize != 0 {
		return nil, errors.Join(err, errors.New("lexicon.bin is not whole: run go run ./search/train"))
	}
	lex := &lexicon{entries: entries, meanings: make([][]meaning, len(said.Meanings)), mendable: map[byte][]string{}}
	for i, list := range said.Meanings {
		for pair := range strings.SplitSeq(list, ", ") {
			if language, concept, ok := strings.Cut(pair, " "); ok {
				lex.meanings[i] = append(lex.meanings[i], meaning{language, concept})
			}
		}
	}
	for _, w := range said.Mendable {
		lex.mendable[w[0]] = append(lex.mendable[w[0]], w)
	}
	return lex, nil
}

// find returns the meanings of a key, and whether there is such an entry.
func (l *lexicon) find(key uint64) ([]meaning, bool) {
	entry := func(i int) uint64 { return binary.LittleEndian.Uint64(l.entries[i*EntrySize:]) }
	n := len(l.entries) / EntrySize
	i := sort.Search(n, func(i int) bool { return entry(i)>>EntryBits >= key>>EntryBits })
	if i == n || entry(i)>>EntryBits != key>>EntryBits {
		return nil, false
	}
	return l.meanings[entry(i)&(1<<EntryBits-1)], true
}

// isWord reports whether some term has a word, or, with a star, a stem.
func (l *lexicon) isWord(text string, stem bool) bool {
	_, ok := l.find(Step(Words, text, stem))
	return ok
}

// Step is the key of a beginning and the word or stem that comes next.
func Step(at uint64, text string, stem bool) uint64 { return step(at, hashText(hashBegin, text), stem) }

// step is the hash of a beginning and what comes next.
func step(at, hash uint64, stem bool) uint64 {
	at = (at ^ hash) * hashPrime
	if stem {
		return ^at
	}
	return at ^ at>>32
}

// span is a term found: the tokens it took, its meanings, and the bytes it matched.
type span struct {
	term  uint64
	at    []int
	means []meaning
	size  int
}

// speaks reports whether a span means something in a language.
func (s span) speaks(language string) bool {
	return slices.ContainsFunc(s.means, func(m meaning) bool { return m.language == language })
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
	f.walk(Terms, i, span{})
	return f.found
}

// walk goes on from a beginning at token j; so holds what was matched before.
func (f *finder) walk(at uint64, j int, so span) {
	so.means, _ = f.find(at)
	nearest := !slices.ContainsFunc(f.found, func(s span) bool { return s.term == at })
	if so.term = at; nearest && len(so.means) > 0 {
		f.found = append(f.found, so)
	}
	f.follow(at, j, so)
	after := Step(at, Gap, false)
	if _, ok := f.find(after); !ok {
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
			if !stem && i+1 < len(text) || stem && i+1 < minStem {
				continue
			}
			if _, ok := f.find(next); ok {
				f.walk(next, j+1, span{at: at, size: so.size + i + 1})
			}
		}
	}
}

// begins reports whether a term of the concept begins at a token.
func (l *lexicon) begins(tokens []token, i int, concept string) bool {
	return slices.ContainsFunc(l.spansAt(tokens, i), func(s span) bool { return means(s.means, concept) })
}

// has reports whether a single word may mean one of the concepts.
func (l *lexicon) has(text string, concepts ...string) bool {
	found, _ := l.find(Step(Terms, text, false))
	return means(found, concepts...)
}

func means(list []meaning, concepts ...string) bool {
	return slices.ContainsFunc(list, func(m meaning) bool { return slices.Contains(concepts, m.concept) })
}

const (
	leastMended = 4  // the least length, in bytes, of a word that is mended
	maxMends    = 16 // bounds how many words of one query are looked up
)

// mend replaces, in place, each misspelt word for an act or a subject of ours.
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

// fix returns the word meant, rather a whole one than a stem, or the word itself.
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

// oneEdit reports whether one letter is added, lost, changed or swapped.
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
