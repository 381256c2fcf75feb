package search

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// hit is one concept found in a text.
type hit struct {
	concept string
	// first and last are the tokens where the term begins and ends.
	first, last int
	glyphs      bool
	// soft is set on a verb whose word may be no verb.
	soft bool
}

// reading is a text as tokens and the concepts found in them.
type reading struct {
	asked    string // as it was said
	text     string
	tokens   []token
	entities entities
	language string
	hits     []hit
}

// read cuts a text and finds the concepts in it.
func (ix *Index) read(query string, names *Names) reading {
	r := ix.cut(query, names)
	all := ix.spans(r.tokens)
	spoken := languages(r.tokens, all)
	spans := longest(spokenSpans(all, r.tokens, spoken), len(r.tokens))
	if ix.mendAgain(r.tokens, spans, spoken) {
		spans = longest(spokenSpans(ix.spans(r.tokens), r.tokens, spoken), len(r.tokens))
	}
	if len(spoken) > 0 {
		r.language = spoken[0]
	}
	for _, s := range spans {
		r.hits = append(r.hits, hitsOf(s, r.tokens, spoken)...)
	}
	r.hits = append(r.hits, ix.subjects(r, spoken)...)
	slices.SortStableFunc(r.hits, func(a, b hit) int { return cmp.Compare(a.first, b.first) })
	return r
}

// cut folds and cuts a text, takes out entities and mends the spelling.
func (ix *Index) cut(query string, names *Names) reading {
	text := fold(query)
	tokens, found := ix.takeEntities(text, tokenise(text), names)
	ix.mend(tokens)
	return reading{asked: query, text: text, tokens: tokens, entities: found}
}

// spokenSpans keeps the spans that mean something in the languages spoken, so
// that no term of another one takes their words.
func spokenSpans(spans []span, tokens []token, spoken []string) []span {
	return slices.DeleteFunc(spans, func(s span) bool { return len(hitsOf(s, tokens, spoken)) == 0 })
}

// maxMends bounds how many words of one query are looked up as misspelt.
const maxMends = 40

func (ix *Index) mend(tokens []token) {
	mends := 0
	for i, t := range tokens {
		if t.kind != word || ix.speller.knows(t.text) || ix.compound(t.text) != nil {
			continue
		}
		if mends++; mends > maxMends {
			return
		}
		tokens[i].text = ix.speller.fix(t.text)
	}
}

// mendAgain mends words that only a stem of a language not spoken here took for
// its own ("registr" in English), and reports whether there was one.
func (ix *Index) mendAgain(tokens []token, spans []span, spoken []string) bool {
	understood := map[int]bool{}
	for _, s := range spans {
		for _, i := range s.at {
			understood[i] = understood[i] || len(hitsOf(s, tokens, spoken)) > 0
		}
	}
	mended := false
	for i, t := range tokens[:min(len(tokens), maxMends)] {
		if t.kind != word || understood[i] || len(t.text) < shortWord || ix.speller.ordinary[t.text] {
			continue
		}
		better := ix.speller.nearestOf(t.text, func(entry string) bool { return ix.lexicon.speaks(entry, spoken) })
		if better == "" {
			better = ix.speller.fixStem(t.text)
		}
		if better != t.text && ix.lexicon.speaks(better, spoken) {
			tokens[i].text, mended = better, true
		}
	}
	return mended
}

// spans finds every term, the parts of compounds included.
func (ix *Index) spans(tokens []token) []span {
	var out []span
	for i, t := range tokens {
		if t.kind == slot {
			continue
		}
		found := ix.lexicon.spansAt(tokens, i)
		if len(found) == 0 && t.kind == word {
			found = ix.partsOf(t.text, i)
		}
		out = append(out, found...)
	}
	return out
}

// subjects finds what phrases such as "which customers" are about.
func (ix *Index) subjects(r reading, spoken []string) []hit {
	var out []hit
	for _, h := range r.hits {
		if !holdsSubject(h.concept) || h.first == h.last {
			continue
		}
		for i := h.first; i <= h.last; i++ {
			for _, s := range ix.lexicon.spansAt(r.tokens[:h.last+1], i) {
				inner := hitsOf(s, r.tokens, spoken)
				out = append(out, slices.DeleteFunc(inner, func(in hit) bool {
					if in.concept == to && writes(h.concept) {
						return in.last != h.last // "bring _ onto"
					}
					return !subject(in.concept) || h.concept == howto && in.concept == asks || writes(h.concept) && in.concept == linked && r.tokens[in.first].text == "set" || h.concept == directory && in.concept == linked // "registered customers"
				})...)
			}
		}
	}
	return out
}

// minCompound and minPart are the least lengths, in bytes, of a word that is
// taken apart and of its parts.
const (
	minCompound = 9
	minPart     = 4
)

// compound returns the terms that stand in a long word from left to right, all
// of one language that joins words.
func (ix *Index) compound(text string) []string {
	if len(text) < minCompound || ix.speller.ordinary[text] {
		return nil
	}
	for _, language := range []string{"de", "nl"} {
		if parts := compoundOf(text, ix.lexicon.parts[language]); parts != nil {
			return parts
		}
	}
	return nil
}

func compoundOf(text string, known map[string]bool) []string {
	var parts []string
	covered := 0
	for i := 0; i+minPart <= len(text); {
		part := partAt(text[i:], known)
		if part == "" {
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
			continue
		}
		parts = append(parts, part)
		covered += len(part)
		i += len(part)
	}
	if len(parts) < 2 && covered*2 < len(text) {
		return nil
	}
	return parts
}

func partAt(text string, known map[string]bool) string {
	for size := min(len(text), 2*longStem); size >= minPart; size-- {
		if known[text[:size]] {
			return text[:size]
		}
	}
	return ""
}

func (ix *Index) partsOf(text string, i int) []span {
	var out []span
	for _, part := range ix.compound(text) {
		for _, n := range []*node{ix.lexicon.root.next.get(part), ix.lexicon.root.stems.get(part)} {
			if n != nil {
				out = append(out, span{at: []int{i}, means: n.means, exact: true, size: len(part)})
			}
		}
	}
	return out
}

// longest keeps the longest spans, and of what overlaps them only spans over
// exactly the same tokens. The spans come in the order of the text.
func longest(spans []span, tokens int) []span {
	var bySize [][]span
	for _, s := range spans {
		for len(bySize) <= len(s.at) {
			bySize = append(bySize, nil)
		}
		bySize[len(s.at)] = append(bySize[len(s.at)], s)
	}
	owners := make([][]int, tokens)
	var out []span
	for _, same := range slices.Backward(bySize) {
		for _, s := range same {
			if s.claim(owners) {
				out = append(out, s)
			}
		}
	}
	return preferExact(out)
}

// claim takes the tokens of a span, unless another span has one of them.
func (s span) claim(owners [][]int) bool {
	for _, i := range s.at {
		if owners[i] != nil && !slices.Equal(owners[i], s.at) {
			return false
		}
	}
	for _, i := range s.at {
		owners[i] = s.at
	}
	return true
}

// preferExact drops what a stem means where the language has the whole word or
// a longer stem: a participle or a noun is no imperative, though they begin
// alike.
func preferExact(spans []span) []span {
	type place struct {
		at       int
		language string
	}
	best := map[place]int{}
	for _, s := range spans {
		for _, m := range s.means {
			if settles(m.concept) {
				p := place{s.at[0], m.language}
				best[p] = max(best[p], s.size)
			}
		}
	}
	for i, s := range spans {
		if s.exact {
			continue
		}
		spans[i].means = slices.DeleteFunc(slices.Clone(s.means), func(m meaning) bool {
			return s.size < best[place{s.at[0], m.language}]
		})
	}
	return spans
}

// settles tells the concepts whose words may begin like a verb.
func settles(concept string) bool {
	switch concept {
	case linked, lacks, updated, removed, known, link, pal, mpn, id:
		return true
	}
	return false
}

// languages ranks the languages of a text by how many tokens they explain, and
// drops those far behind the first.
func languages(tokens []token, spans []span) []string {
	scores := explained(tokens, spans)
	favourScript(tokens, scores)
	var out []string
	for language := range scores {
		out = append(out, language)
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(preference(a), preference(b)), cmp.Compare(a, b))
	})
	near := slices.IndexFunc(out, func(l string) bool { return scores[l]*5 < scores[out[0]]*4 })
	if near >= 0 {
		out = out[:near]
	}
	return out
}

// explained counts for each language the tokens that its terms cover.
func explained(tokens []token, spans []span) map[string]int {
	covered := map[string][]bool{}
	for _, s := range spans {
		for _, m := range s.means {
			if m.language == anyLanguage {
				continue
			}
			if covered[m.language] == nil {
				covered[m.language] = make([]bool, len(tokens))
			}
			for _, i := range s.at {
				covered[m.language][i] = true
			}
		}
	}
	scores := map[string]int{}
	for language, at := range covered {
		for _, yes := range at {
			scores[language] += int(truth(yes))
		}
	}
	return scores
}

// preference settles a tie for English.
func preference(language string) int {
	if language == "en" {
		return 0
	}
	return 1
}

// favourScript settles Japanese and Korean by letters that only they have.
func favourScript(tokens []token, scores map[string]int) {
	for _, t := range tokens {
		if t.kind != glyph {
			continue
		}
		switch r, _ := utf8.DecodeRuneInString(t.text); {
		case r >= 0x3041 && r <= 0x30ff:
			scores["ja"] += 3
		case r >= 0xac00:
			scores["ko"] += 3
		default:
			scores["zh"]++
		}
	}
}

// hitsOf turns a span into the concepts that it has in the languages spoken.
// English nouns and verbs count in any language, since the field mixes them in.
func hitsOf(s span, tokens []token, spoken []string) []hit {
	var out []hit
	for _, m := range s.means {
		spokenHere := m.language == anyLanguage || slices.Contains(spoken, m.language)
		if !spokenHere && (m.language != "en" || isManner(m.concept)) {
			continue
		}
		h := hit{concept: m.concept, first: s.at[0], last: s.at[len(s.at)-1], glyphs: tokens[s.at[0]].kind == glyph}
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// isManner tells the small words, which mean other things in other languages.
func isManner(concept string) bool {
	switch concept {
	case stop, known, negates, without, only, asks, opens, wants, been, joins, from, to, at, counts, otherNumber, ours, oldID, newID,
		every, ahead, nolonger, errs, shall, holds, repairs, lacks, whoever, whichTool, uses, brings, ensures, still:
		return true
	}
	return strings.HasPrefix(concept, "!!")
}
