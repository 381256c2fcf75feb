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

// anyLanguage is the lexicon of terms that belong to no language.
const anyLanguage = "any"

// meaning is one concept that a term has in one language.
type meaning struct{ language, concept string }

// node is one step of the trie of terms.
type node struct {
	next, stems edges
	gap         *node
	means       []meaning
}

// edges lead on by a word or a stem. Most nodes have one edge, which needs no
// map.
type edges struct {
	key  string
	to   *node
	more map[string]*node
}

func (e *edges) get(key string) *node {
	if e.to != nil && e.key == key {
		return e.to
	}
	return e.more[key]
}

// grow returns the node that an edge leads to, and makes it where it lacks.
func (e *edges) grow(key string) *node {
	if to := e.get(key); to != nil {
		return to
	}
	to := &node{}
	switch {
	case e.to == nil:
		e.key, e.to = key, to
	case e.more == nil:
		e.more = map[string]*node{key: to}
	default:
		e.more[key] = to
	}
	return to
}

func (e *edges) none() bool { return e.to == nil }

type lexicon struct {
	root node
	// words are all single words of terms: what a misspelt word may have meant.
	words map[string]bool
	// parts are the nouns and verbs that a compound may be made of, for each
	// language that joins words.
	parts map[string]map[string]bool
}

func loadLexicon() (*lexicon, error) {
	lex := newLexicon()
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

func newLexicon() *lexicon {
	return &lexicon{words: map[string]bool{}, parts: map[string]map[string]bool{"de": {}, "nl": {}}}
}

func (l *lexicon) read(language, text string) error {
	for n, line := range strings.Split(foldAll(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		concept, terms, ok := strings.Cut(line, ":")
		if !ok || !knownConcept(concept) {
			return fmt.Errorf("lexicon %s, line %d: no such concept", language, n+1)
		}
		for term := range strings.SplitSeq(terms, ",") {
			l.add(meaning{language, concept}, term)
		}
	}
	return nil
}

func (l *lexicon) add(m meaning, term string) {
	at := &l.root
	steps := l.steps(term)
	for _, step := range steps {
		at = at.grow(step)
		l.note(step, m, len(steps) == 1)
	}
	if at != &l.root {
		at.means = append(at.means, m)
	}
}

// steps cuts a folded term; "_" is a gap and a trailing star stays with its stem.
func (l *lexicon) steps(term string) []string {
	var out []string
	for field := range strings.FieldsSeq(term) {
		if field == "_" {
			out = append(out, field)
			continue
		}
		for _, t := range tokenise(field) {
			out = append(out, t.text)
		}
		if strings.HasSuffix(field, "*") && len(out) > 0 {
			out[len(out)-1] += "*"
		}
	}
	return out
}

func (n *node) grow(step string) *node {
	if step == "_" {
		if n.gap == nil {
			n.gap = &node{}
		}
		return n.gap
	}
	if stem, ok := strings.CutSuffix(step, "*"); ok {
		return n.stems.grow(stem)
	}
	return n.next.grow(step)
}

func (l *lexicon) note(step string, m meaning, alone bool) {
	if step == "_" {
		return
	}
	l.words[step] = true
	stem := strings.TrimSuffix(step, "*")
	if !alone || len(stem) < minPart || !inCompounds(m.concept) {
		return
	}
	for language, parts := range l.parts {
		if m.language == language || m.language == anyLanguage {
			parts[stem] = true
		}
	}
}

// maxGap is the most tokens that an underscore stands for.
const maxGap = 8

// span is a term found in a text: the tokens it took and what it may mean.
type span struct {
	at    []int
	means []meaning
	// exact is set when no stem stood for a word; size is the bytes matched.
	exact bool
	size  int
}

// spansAt finds every term that begins at token i.
func (l *lexicon) spansAt(tokens []token, i int) []span {
	f := finder{tokens: tokens}
	f.walk(&l.root, i, span{exact: true})
	return f.found
}

type finder struct {
	tokens []token
	found  []span
}

// walk goes on from node n at token j; so holds what was matched before.
func (f *finder) walk(n *node, j int, so span) {
	if len(n.means) > 0 {
		so.means = n.means
		f.found = append(f.found, so)
	}
	f.step(n, j, so)
	if n.gap == nil {
		return
	}
	for k := j; k <= j+maxGap && k < len(f.tokens); k++ {
		f.step(n.gap, k, so)
		if f.tokens[k].breaks {
			return
		}
	}
}

func (f *finder) step(n *node, j int, so span) {
	if j >= len(f.tokens) {
		return
	}
	n.follow(f.tokens[j].text, func(next *node, size int) {
		at := append(so.at[:len(so.at):len(so.at)], j)
		whole := size == len(f.tokens[j].text)
		f.walk(next, j+1, span{at: at, exact: so.exact && whole, size: so.size + size})
	})
}

// minStem is the shortest stem that a star may follow.
const minStem = 3

// follow visits the nodes that a token leads to, by the whole word or a stem,
// and says how many bytes matched.
func (n *node) follow(text string, visit func(next *node, size int)) {
	if next := n.next.get(text); next != nil {
		visit(next, len(text))
	}
	if n.stems.none() {
		return
	}
	for size := len(text); size >= minStem; size-- {
		if next := n.stems.get(text[:size]); next != nil {
			visit(next, size)
		}
	}
}

// begins reports whether a term of the concept, in any language, begins at
// token i.
func (l *lexicon) begins(tokens []token, i int, concept string) bool {
	for _, s := range l.spansAt(tokens, i) {
		if means(s.means, concept) {
			return true
		}
	}
	return false
}

// has reports whether a single word may mean the concept in any language.
func (l *lexicon) has(text, concept string) bool {
	n := l.root.next.get(text)
	return n != nil && means(n.means, concept)
}

// isOnly reports whether a single word means the concept and nothing else.
func (l *lexicon) isOnly(text, concept string) bool {
	n := l.root.next.get(text)
	return n != nil && len(n.means) > 0 &&
		!slices.ContainsFunc(n.means, func(m meaning) bool { return m.concept != concept })
}

func means(list []meaning, concept string) bool {
	return slices.ContainsFunc(list, func(m meaning) bool { return m.concept == concept })
}

// speaks reports whether a single word is a term in one of the languages.
func (l *lexicon) speaks(text string, languages []string) bool {
	spoken := func(n *node) bool {
		return n != nil && slices.ContainsFunc(n.means, func(m meaning) bool { return slices.Contains(languages, m.language) })
	}
	for size := len(text); size >= tellingStem; size-- {
		if spoken(l.root.stems.get(text[:size])) {
			return true
		}
	}
	return spoken(l.root.next.get(text))
}

// tellingStem is the least length of a stem that a mended word may be
// known by: shorter ones begin too many words.
const tellingStem = 6
