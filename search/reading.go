package search

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// hit is one concept found in a text.
type hit struct {
	concept string
	// first and last are the tokens where the term begins and ends.
	first, last int
	glyphs      bool
}

// reading is a text as tokens and the concepts found in them.
type reading struct {
	asked    string // as it was said
	text     string
	tokens   []token
	entities entities
	language string
	hits     []hit
	// inner are concepts of shorter terms inside those of hits.
	inner []hit
	has   map[string]bool
	// marked is set where the text carries a question mark.
	marked bool
	// question is set where something is asked. orders holds what was asked for, and
	// standing the verbs that say so.
	question bool
	orders   map[string]bool
	standing []hit
	// strangerAt are the tokens that name a tenant the directory lacks.
	strangerAt map[int]bool
}

// read cuts a text and finds the concepts in it.
func (ix *Index) read(query string, names *Names) reading {
	text := fold(query)
	tokens, found := ix.takeEntities(text, tokenise(text), names)
	ix.lexicon.mend(tokens)
	r := reading{
		asked: query, text: text, tokens: tokens, entities: found, has: map[string]bool{},
		marked: strings.ContainsAny(query, "?？¿"), strangerAt: map[int]bool{},
	}
	if len(tokens) > 0 && strings.Contains(query, "¿") {
		tokens[len(tokens)-1].asked = true // the mark before a question is enough
	}
	r.findConcepts(ix.lexicon)
	r.noteStranger()
	r.noteOrders()
	return r
}

func (r *reading) findConcepts(lex *lexicon) {
	var all []span
	for i, t := range r.tokens {
		if t.kind != slot {
			all = append(all, lex.spansAt(r.tokens, i)...)
		}
	}
	spoken := languages(all)
	if len(spoken) > 0 {
		r.language = spoken[0]
	}
	all = slices.DeleteFunc(all, func(s span) bool { return len(hitsOf(s, r.tokens, spoken)) == 0 })
	owners := longest(all, len(r.tokens))
	for _, s := range exactest(all) {
		found := hitsOf(s, r.tokens, spoken)
		if !slices.Equal(owners[s.at[0]], s.at) {
			r.inner = append(r.inner, found...)
			continue
		}
		r.hits = append(r.hits, found...)
	}
	r.promote()
	for _, h := range r.hits {
		r.has[h.concept] = true
	}
}

// promote makes hits of words that ask, also inside longer terms such as "how
// many customers", unless these ask for the way to do it.
func (r *reading) promote() {
	ways := slices.Clone(r.hits)
	for _, in := range r.inner {
		way := slices.ContainsFunc(ways, func(h hit) bool { return h.concept == howto && h.first <= in.first && in.last <= h.last })
		if in.concept == whichTool || in.concept == asks && !in.glyphs && !way {
			r.hits = append(r.hits, in)
		}
	}
	slices.SortStableFunc(r.hits, func(a, b hit) int { return cmp.Compare(a.first, b.first) })
}

// longest returns which span has each token: the longest that does, and of the
// same length the one that begins first.
func longest(spans []span, tokens int) [][]int {
	owners := make([][]int, tokens)
	order := slices.SortedStableFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(len(b.at), len(a.at)) })
	for _, s := range order {
		if slices.ContainsFunc(s.at, func(i int) bool { return owners[i] != nil }) {
			continue
		}
		for _, i := range s.at {
			owners[i] = s.at
		}
	}
	return owners
}

// exactest drops what a stem means where the language has the whole word or a
// longer stem: a participle is no imperative, though they begin alike.
func exactest(spans []span) []span {
	type place struct {
		at, length int
		language   string
	}
	best := map[place]int{}
	for _, s := range spans {
		for _, m := range s.means {
			p := place{s.at[0], len(s.at), m.language}
			best[p] = max(best[p], s.size)
		}
	}
	out := slices.Clone(spans)
	for i, s := range out {
		out[i].means = slices.DeleteFunc(slices.Clone(s.means), func(m meaning) bool {
			return s.size < best[place{s.at[0], len(s.at), m.language}]
		})
	}
	return out
}

// languages ranks the languages of a text by how many tokens they explain, and
// drops those far behind the first. A tie is settled for English.
func languages(spans []span) []string {
	scores := explained(spans)
	rank := func(language string) int {
		if language == "en" {
			return 2*scores[language] + 1
		}
		return 2 * scores[language]
	}
	out := slices.SortedFunc(maps.Keys(scores), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a, b))
	})
	return slices.DeleteFunc(out, func(l string) bool { return scores[l]*5 < scores[out[0]]*4 })
}

// explained counts for each language the tokens that its terms cover.
func explained(spans []span) map[string]int {
	type place struct {
		language string
		token    int
	}
	seen, scores := map[place]bool{}, map[string]int{}
	for _, s := range spans {
		for _, m := range s.means {
			for _, i := range s.at {
				if p := (place{m.language, i}); m.language != anyLanguage && !seen[p] {
					seen[p] = true
					scores[m.language]++
				}
			}
		}
	}
	return scores
}

// hitsOf turns a span into the concepts that it has in the languages spoken. A
// word that the first of them has is a verb that writes only if it says so.
// English nouns and verbs count in any language, since the field mixes them in.
func hitsOf(s span, tokens []token, spoken []string) []hit {
	var out []hit
	own := slices.ContainsFunc(s.means, func(m meaning) bool { return m.language == anyLanguage || m.language == spoken[0] })
	for _, m := range s.means {
		if own && writes(m.concept) && m.language != anyLanguage && m.language != spoken[0] {
			continue
		}
		spokenHere := m.language == anyLanguage || slices.Contains(spoken, m.language)
		if !spokenHere && (m.language != "en" || listed("manner", m.concept) || strings.HasPrefix(m.concept, "!!")) {
			continue
		}
		h := hit{concept: m.concept, first: s.at[0], last: s.at[len(s.at)-1], glyphs: tokens[s.at[0]].kind == glyph}
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// hasAt reports whether one of the concepts begins at a token.
func (r *reading) hasAt(token int, concepts ...string) bool {
	return slices.ContainsFunc(r.hits, func(h hit) bool { return h.first == token && slices.Contains(concepts, h.concept) })
}

// hasAny reports whether one of the concepts was found.
func (r *reading) hasAny(concepts ...string) bool {
	return slices.ContainsFunc(concepts, func(c string) bool { return r.has[c] })
}

// meansMany reports whether words name more than one tenant.
func (r *reading) meansMany() bool {
	return r.entities.many || len(r.entities.tenants) > 1 || r.hasAny(fleet, plural, whoever) || r.has[every] && r.hasAny(tenant, link, pal)
}

// namesMany reports whether the words count or quantify tenants.
func (r *reading) namesMany() bool {
	inside := slices.ContainsFunc(r.inner, func(h hit) bool {
		return h.concept == tenant || h.concept == plural || h.concept == every
	})
	return inside || r.entities.many || r.hasAny(plural, whoever, every)
}
