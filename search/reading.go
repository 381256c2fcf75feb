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
	// first and last are its first and last token.
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
	// of are the hits by concept, so that a rule looks at those alone.
	of map[string][]hit
	// inner are concepts of shorter terms inside those of hits.
	inner []hit
	// whose says of each token whose thing it speaks of.
	whose []whose
	// marked is set where the text carries a question mark.
	marked bool
	// orders holds what was asked for, and standing the verbs that say so.
	question, firm bool
	orders         map[string]bool
	standing       []hit
}

// read cuts a text and finds the concepts in it.
func (ix *Index) read(query string, names *Names) reading {
	text := fold(query)
	tokens, found := ix.takeEntities(text, tokenise(text), names)
	ix.lexicon.mend(tokens)
	r := reading{
		asked: query, text: text, tokens: tokens, entities: found, of: map[string][]hit{},
		marked: strings.ContainsAny(query, "?？¿"),
	}
	if len(tokens) > 0 && strings.Contains(query, "¿") {
		tokens[len(tokens)-1].asked = true // the mark before a question is enough
	}
	r.findConcepts(ix.lexicon)
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
	r.noteUnknown(owners)
	for _, s := range exactest(all) {
		found := hitsOf(s, r.tokens, spoken)
		if slices.Equal(owners[s.at[0]], s.at) {
			r.hits = append(r.hits, found...)
			r.noteWhose(s.at, found, false)
		} else {
			r.inner = append(r.inner, found...)
			r.noteWhose(s.at, found, true)
		}
	}
	r.promote()
	for _, h := range r.hits {
		r.of[h.concept] = append(r.of[h.concept], h)
	}
}

// promote makes hits of words that ask also inside longer terms: "how many customers".
func (r *reading) promote() {
	for _, in := range r.inner {
		within := func(concept string) bool {
			return slices.ContainsFunc(r.hits, func(h hit) bool { return h.concept == concept && h.first <= in.first && in.last <= h.last })
		}
		if in.concept == whichTool || in.concept == asks && (in.glyphs && within(fleet) || !in.glyphs && !within(howto)) {
			r.hits = append(r.hits, in)
		}
	}
	slices.SortStableFunc(r.hits, func(a, b hit) int { return cmp.Compare(a.first, b.first) })
}

// longest returns which span has each token: the longest, or the first of several.
func longest(spans []span, tokens int) [][]int {
	owners := make([][]int, tokens)
	sorted := slices.SortedStableFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(len(b.at), len(a.at)) })
	for _, s := range sorted {
		if slices.ContainsFunc(s.at, func(i int) bool { return owners[i] != nil }) {
			continue
		}
		for _, i := range s.at {
			owners[i] = s.at
		}
	}
	return owners
}

// exactest drops what a stem means where the language has a longer one or the word.
func exactest(spans []span) []span {
	out := slices.Clone(spans)
	for from, to := 0, 0; from < len(spans); from = to {
		for to < len(spans) && spans[to].at[0] == spans[from].at[0] {
			to++
		}
		for i, s := range spans[from:to] {
			worse := func(m meaning) bool {
				return slices.ContainsFunc(spans[from:to], func(o span) bool { return o.size > s.size && len(o.at) == len(s.at) && o.speaks(m.language) })
			}
			out[from+i].means = slices.DeleteFunc(slices.Clone(s.means), worse)
		}
	}
	return out
}

// languages lists the languages that explain the most tokens of a text.
func languages(spans []span) []string {
	explained, most := map[string]map[int]bool{}, 0
	for _, s := range spans {
		for _, m := range s.means {
			if m.language == anyLanguage {
				continue
			}
			if explained[m.language] == nil {
				explained[m.language] = map[int]bool{}
			}
			for _, i := range s.at {
				explained[m.language][i] = true
			}
			most = max(most, len(explained[m.language]))
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(explained)), func(l string) bool { return len(explained[l]) < most })
}

// hitsOf turns a span into the concepts that it has in the languages spoken. English
// nouns and verbs count in any language, since the field mixes them in.
func hitsOf(s span, tokens []token, spoken []string) []hit {
	var out []hit
	first := func(m meaning) bool { return m.language == anyLanguage || m.language == spoken[0] }
	own := slices.ContainsFunc(s.means, first)
	for _, m := range s.means {
		foreign := m.language != anyLanguage && !slices.Contains(spoken, m.language)
		if own && slices.Contains(verbs, m.concept) && !first(m) || foreign && (m.language != "en" || listed("manner", m.concept)) {
			continue
		}
		out = append(out, hit{concept: m.concept, first: s.at[0], last: s.at[len(s.at)-1], glyphs: tokens[s.at[0]].kind == glyph})
	}
	return out
}

// has reports whether one of the concepts was found.
func (r *reading) has(concepts ...string) bool {
	return slices.ContainsFunc(concepts, func(c string) bool { return len(r.of[c]) > 0 })
}

// hasAt reports whether one of the concepts begins at a token.
func (r *reading) hasAt(token int, concepts ...string) bool {
	return slices.ContainsFunc(concepts, func(c string) bool {
		return r.some(c, func(h hit) bool { return h.first == token })
	})
}

// some reports whether something holds for a hit of a concept.
func (r *reading) some(concept string, holds func(hit) bool) bool {
	return slices.ContainsFunc(r.of[concept], holds)
}

// meansMany reports whether words name more than one tenant.
func (r *reading) meansMany() bool {
	return r.entities.many || len(r.entities.tenants) > 1 || r.has(fleet, plural, whoever) || r.has(every) && r.has(tenant, link, pal)
}

// namesMany reports whether the words count or quantify tenants.
func (r *reading) namesMany() bool {
	many := func(h hit) bool { return h.concept == every || h.concept == plural || h.concept == whoever }
	return r.entities.many || slices.ContainsFunc(r.hits, many) || slices.ContainsFunc(r.inner, many)
}

// The concepts of the lexicons that rules ask for; what they say is explained in
// lexicon/any.txt. The others are features of the model only.
const (
	known, stop                               = "known", "stop"
	negates, guard, only, without, nolonger   = "not", "guard", "only", "without", "nolonger"
	asks, opens, howto, supposes, whichTool   = "ask", "open", "how", "hypo", "whichtool"
	wants, shall, ensures, joins, been, ahead = "want", "shall", "ensures", "and", "been", "before"
	reads, enumerates                         = "read", "list"
	registers, updates, removes, repairs      = "register", "update", "remove", "repair"
	linked, updated, removed                  = "linked", "updated", "removed"
	lacks, merger, amends, errs               = "lacks", "merger", "amend", "errs"
	pal, mpn, partner, link, id               = "pal", "mpn", "partner", "link", "id"
	tenant, fleet, whoever, every, plural     = "tenant", "fleet", "whoever", "every", "plural"
	reach, permission, approval               = "reach", "permission", "approval"
	from, to, oldID, newID, insteadOf, at     = "from", "to", "old", "new", "instead", "at"
	counts, otherNumber, trade, identity      = "count", "notid", "trade", "!identity"
)
