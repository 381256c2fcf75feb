package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mcp-partner/schemas/answers"
)

// Windows say how far, in tokens, a small word reaches; a glyph is a token.
const (
	nearWords  = 3
	nearGlyphs = 6
	farWords   = 6
	farGlyphs  = 10

	maxVerbs = 32  // bounds the work on a text that is nothing but verbs
	sure     = 0.8 // how likely an operation must be that no verb of writing asks for
)

// allows reports whether the words ask for what an operation does to a thing of ours.
func (r *reading) allows(effect answers.Effect, probability float64) bool {
	switch {
	case effect == answers.EffectRead:
		return true
	case probability < mediumFrom || r.aboutOthers():
		return false
	}
	orders := r.ordersOfOurs()
	likely := (probability >= sure || r.firm && len(r.entities.ids) > 0) && !r.takesBack() && (len(orders) > 0 || len(r.standing) == 0 && r.someIsOurs())
	if effect == answers.EffectWrite {
		return likely || orders[registers] || len(orders) > 0 && (r.meansMany() || r.has(lacks, without))
	}
	return r.asksToChange(orders, likely)
}

// ordersOfOurs are the verbs that stand and whose clause is about a thing of ours.
func (r *reading) ordersOfOurs() map[string]bool {
	orders := map[string]bool{}
	for _, v := range r.standing {
		ends := func(t token) bool { return t.breaks && (t.ends || !r.hasAt(v.first, ensures)) }
		if r.isOurs(r.around(v.first, ends)) {
			orders[v.concept] = true
		}
	}
	return orders
}

// ordersOthers reports whether all that is ordered is about things of others.
func (r *reading) ordersOthers() bool {
	return len(r.standing) > 0 && len(r.ordersOfOurs()) == 0 && !slices.Contains(r.whose, ours)
}

func (r *reading) asksToChange(orders map[string]bool, likely bool) bool {
	replaces := r.has(insteadOf) || len(r.entities.ids) > 1 && (slices.ContainsFunc(r.tokens, func(t token) bool { return t.kind == arrow }) || r.has(from) || r.firm && r.has(to))
	if orders[updates] || orders[removes] || replaces && orders[registers] {
		return true
	}
	return likely && (replaces || r.has(updates, removes, updated, removed, errs, amends, oldID, newID, nolonger, merger))
}

// takesBack reports whether a word forbids to see an order where no verb gives one.
func (r *reading) takesBack() bool {
	loose := r.firm && !r.marked && len(r.entities.ids) > 0
	looks := r.some(reads, func(h hit) bool { return !loose || r.startsAt(h.first) })
	opened := r.some(opens, func(h hit) bool { return h.first == 0 || h.glyphs && h.last == len(r.tokens)-1 }) // "has the typo been corrected"
	return r.denies() || opened || r.question && !loose || r.marked && !r.has(howto) || r.has(guard, ahead, permission, supposes, whichTool) || looks && !r.has(ensures)
}

func (r *reading) denies() bool {
	return r.has(negates) && !r.has(nolonger, without, insteadOf)
}

// whose says whose thing a token speaks of.
type whose uint8

const (
	nobodys whose = iota // a word that names no thing, or one that anybody has
	strange              // no lexicon has it
	others
	ours // nothing else is called so
)

// noteUnknown finds the words that no term has. In scripts that set no spaces these
// are Chinese characters, Katakana, and words of Hangul from their beginning on.
func (r *reading) noteUnknown(owners [][]int) {
	r.whose = make([]whose, len(r.tokens))
	for i, t := range r.tokens {
		first, _ := utf8.DecodeRuneInString(t.text)
		inside := unicode.Is(unicode.Hangul, first) && i > 0 && r.tokens[i-1].end == t.start
		if owners[i] == nil && (t.kind == word && len(t.text) > 2 || t.kind == glyph) && !unicode.Is(unicode.Hiragana, first) && !inside && !listed("polite", t.text) && !listed("us", t.text) {
			r.whose[i] = strange
		}
	}
}

// noteWhose notes whose thing a term is; one inside a longer tells only what is ours.
func (r *reading) noteWhose(at []int, found []hit, inner bool) {
	is := func(concepts ...string) bool {
		return slices.ContainsFunc(found, func(h hit) bool { return slices.Contains(concepts, h.concept) })
	}
	foreign := func(h hit) bool { return h.concept[0] == '!' && !listed("strange", h.concept) }
	unsure := func(h hit) bool { return listed("strange", h.concept) }
	owner := nobodys
	switch {
	case is(pal, mpn):
		owner = ours
	case inner:
		return
	case is(tenant, partner, registers, updates, removes) && !is(trade):
	case slices.ContainsFunc(found, foreign):
		owner = others
	case slices.ContainsFunc(found, unsure), is(counts) && found[0].glyphs && len(at) == 1 && (at[0] == 0 || r.tokens[at[0]-1].kind != slot):
		owner = strange
	}
	for _, i := range at {
		r.whose[i] = owner
	}
}

// isOurs reports whether some tokens speak of nothing of others, nor of what is unknown.
func (r *reading) isOurs(first, last int) bool {
	for i := first; i <= last; i++ {
		if w := r.whose[i]; w == others || w == strange && !r.firm && !r.isName(i) {
			return false
		}
	}
	return true
}

// noteFirm notes whether the model, what is named and the object make up for unknown words.
func (r *reading) noteFirm(probability float64) {
	ids, place := len(r.entities.ids), r.has(tenant, fleet, every, linked, lacks) || len(r.entities.tenants) > 0
	named := r.has(pal, mpn) || ids > 0 && r.has(subjects...) || probability >= sure && (ids > 1 || ids > 0 && place)
	r.firm = named && r.actsOnOurs() || r.movesMany()
}

// movesMany reports whether all tenants shall go from an old to a new one of ours.
func (r *reading) movesMany() bool {
	moved := r.has(oldID) && r.has(newID) && r.has(subjects...)
	ordered := r.orders[updates] && (len(r.entities.ids) > 1 || r.has(newID, merger) && r.has(mpn))
	return r.meansMany() && (moved || ordered)
}

// actsOnOurs reports whether some part of the text has a thing of ours for its object.
func (r *reading) actsOnOurs() bool {
	var part []int
	for i, t := range r.tokens {
		part = append(part, i)
		if t.breaks || i == len(r.tokens)-1 || r.hasAt(i+1, joins) {
			if r.objectIsOurs(part) {
				return true
			}
			part = nil
		}
	}
	return false
}

// objectIsOurs reports whether the first noun of some tokens is a thing of ours, and none
// behind it the noun that counts ("MPN location"). Where no verb is known one word may be it.
func (r *reading) objectIsOurs(part []int) bool {
	if listed("verb last", r.language) {
		slices.Reverse(part)
	}
	found, verb := false, slices.ContainsFunc(r.standing, func(h hit) bool { return slices.Contains(part, h.first) && !r.hasAt(h.first, ensures) })
	for n, i := range part {
		switch unknown := r.isUnknown(i); {
		case r.isThing(i):
			found = true
		case found || unknown && verb:
			return !unknown || n+1 == len(part) && r.has(ensures) && listed("clause ends in a verb", r.language)
		case unknown:
			verb = r.tokens[i].kind != glyph || n+1 == len(part) || !r.isUnknown(part[n+1])
		}
	}
	return found
}

// isThing reports whether a token is a thing of ours; a login is where an ID is given to it.
func (r *reading) isThing(i int) bool {
	return r.whose[i] == ours || r.tokens[i].text == slotID || r.hasAt(i, subjects...) || r.isLogin(i) && r.has(pal, mpn) && len(r.entities.ids) > 0
}

func (r *reading) isLogin(i int) bool {
	return r.some(identity, func(h hit) bool { return h.first <= i && i <= h.last })
}

func (r *reading) isUnknown(i int) bool {
	return r.whose[i] == strange && !r.isLogin(i) && !r.isName(i)
}

// someIsOurs reports whether some clause is about a thing of ours that it names.
func (r *reading) someIsOurs() bool {
	return slices.ContainsFunc(r.hits, func(h hit) bool { return slices.Contains(subjects, h.concept) && r.isOurs(r.clause(h.first)) }) ||
		slices.ContainsFunc(r.entities.ids, func(m partnerMention) bool { return r.isOurs(r.clause(m.at)) })
}

// isName reports whether an unknown word stands where a tenant is named.
func (r *reading) isName(i int) bool {
	if r.tokens[i].kind != word {
		return false
	}
	for i > 0 && r.whose[i-1] == strange {
		i--
	}
	return i > 0 && r.hasAt(i-1, at) && !listed("before a noun", r.tokens[i-1].text)
}

// verbs are the concepts of verbs that change something, subjects of what these tools are about.
var (
	verbs    = []string{registers, updates, removes}
	subjects = []string{pal, mpn, partner, link, id}
)

// aboutOthers reports whether a phrase of another product is in the text, but does
// not open it ("Jira OPS-772: ..."), or a single word that is no thing of ours.
func (r *reading) aboutOthers() bool {
	foreign := func(h hit) bool { return h.first > 0 && strings.HasPrefix(h.concept, "!!") }
	return slices.ContainsFunc(r.hits, foreign) || len(r.tokens) == 1 && !r.has(subjects...)
}

// noteOrders finds the verbs that stand: not negated, asked about, or past.
func (r *reading) noteOrders() {
	r.orders = map[string]bool{}
	r.question = r.has(asks)
	seen := 0
	for _, h := range r.hits {
		if h.concept = r.asVerb(h); h.concept == "" || seen == maxVerbs {
			continue
		}
		if seen++; r.stands(h) {
			r.orders[h.concept], r.standing = true, append(r.standing, h)
		}
	}
}

// asVerb returns which writing a hit asks for, or nothing. A participle asks
// only beside a word that wants something; a verb beside "has been" is a state.
func (r *reading) asVerb(h hit) string {
	switch h.concept {
	case registers, updates, removes, repairs:
		if r.hasAt(h.first, repairs) {
			return r.asRepair(h)
		}
		if r.stateBefore(h) && !r.has(wants, shall) || r.pastAfter(h) {
			return ""
		}
		return h.concept
	case ensures:
		return r.asCausative(h)
	case link, linked, updated, removed:
		return r.asParticiple(h)
	}
	return ""
}

// asCausative reads "make sure that all have it", but not "check and make sure".
func (r *reading) asCausative(h hit) string {
	looks := func(l hit) bool { return l.first < h.first && r.startsAt(l.first) }
	if !r.meansMany() || !r.has(pal, mpn, link, id) && len(r.entities.ids) == 0 || r.denies() || r.some(reads, looks) {
		return ""
	}
	return registers
}

// asRepair reads a verb of mending, which has to say what is wrong or right.
func (r *reading) asRepair(h hit) string {
	switch {
	case r.hasAt(h.first, reads):
		return ""
	case r.has(lacks, without):
		return registers
	case r.has(errs) || len(r.entities.ids) > 0:
		return updates
	}
	return ""
}

// asParticiple reads the English "link" and "set", and participles.
func (r *reading) asParticiple(h hit) string {
	text := r.wordAt(h.first)
	imperative := (r.startsAt(h.first) || listed("before a verb", r.wordAt(h.first-1))) && !listed("after a noun", r.wordAt(h.first+1))
	if (text == "link" || text == "set") && imperative && (!r.marked || r.has(howto)) && !r.hasAt(h.first+1, asks) {
		return registers
	}
	if !r.has(wants, shall) || h.glyphs || r.has(reads) || r.stateBefore(h) {
		return ""
	}
	return map[string]string{linked: registers, updated: updates, removed: removes}[h.concept]
}

// stateBefore reports whether a form of "to be" makes a verb a state.
func (r *reading) stateBefore(h hit) bool {
	return r.some(been, func(b hit) bool {
		text := r.wordAt(b.first)
		return text != "be" && text != "have" && b.last < h.first && r.reaches(b, h, 2, 2)
	})
}

// pastAfter reports whether a particle does so after the verb.
func (r *reading) pastAfter(v hit) bool {
	return v.glyphs && r.some(been, func(h hit) bool {
		return h.first > v.last && h.first-v.last <= 2 && (h.last > h.first || r.has(asks))
	})
}

// stands reports whether nothing takes a writing verb back.
func (r *reading) stands(v hit) bool {
	noun := r.wordAt(v.first-1) == "的"
	mayBeAllowed := r.has(permission) && (v.glyphs || !r.startsAt(v.first)) && !r.hasAt(v.first-1, joins, wants)
	return !noun && !mayBeAllowed && !r.has(guard, supposes, whichTool) && !r.within(v) && !r.negated(v) && !r.notYet(v) && !r.inQuestion(v)
}

// within reports whether a verb stands inside an order to read ("list the customers
// that we should remove"), or a request that was approved.
func (r *reading) within(v hit) bool {
	inside := func(h hit) bool { return h.last < v.first && !r.hasAt(v.first-1, joins) }
	reading := func(h hit) bool {
		return r.hasAt(v.first, shall) || inside(h) && r.startsAt(h.first) && !r.startsAt(v.first) && r.reaches(h, v, 2*farWords, 0)
	}
	asked := func(h hit) bool { return h.first > v.last && r.hasAt(v.first, shall) }
	return r.some(opens, asked) || r.some(reads, reading) || r.some(enumerates, reading) ||
		r.some(approval, func(h hit) bool { return inside(h) && r.reaches(h, v, farWords, 0) })
}

// negated reports whether a negation covers the verb, before it or behind.
func (r *reading) negated(v hit) bool {
	return r.some(negates, func(n hit) bool {
		switch {
		case n.last < v.first:
			return r.reaches(n, v, farWords, farGlyphs)
		case n.first > v.last:
			return !listed("negation before", r.language) && r.reaches(v, n, farWords, farGlyphs)
		}
		return true
	})
}

// notYet reports whether the verb is what comes later: "before you remove it".
func (r *reading) notYet(v hit) bool {
	return r.some(ahead, func(b hit) bool {
		return b.first > v.last && r.reaches(v, b, 0, nearGlyphs) || b.last < v.first && r.reaches(b, v, farWords, 0)
	})
}

// inQuestion reports whether the verb is asked about rather than asked for.
func (r *reading) inQuestion(v hit) bool {
	first, last := r.around(v.first, func(t token) bool { return t.ends })
	_, end := r.clause(v.last)
	if r.some(howto, func(h hit) bool { return h.first <= end }) && !r.hasAt(first, asks) && !r.hasAt(first+1, asks) {
		return false
	}
	broken := slices.ContainsFunc(r.tokens[min(first+1, v.first):v.first], func(t token) bool { return t.breaks })
	if r.hasAt(first, opens) && (r.has(approval) || !broken) {
		return true
	}
	return r.asksAround(v, end, last) || r.some(asks, func(q hit) bool { return q.last < v.first && r.reaches(q, v, 2*farWords, 2*farGlyphs) })
}

// asksAround reports whether a question has the verb where no imperative stands, or
// ends with a clause that asks ("they claim to be linked, who is recorded?").
func (r *reading) asksAround(v hit, end, last int) bool {
	if v.glyphs {
		ends := func(h hit) bool { return h.last == last || h.last == end }
		return r.some(asks, ends) || r.some(opens, ends) || r.tokens[last].asked
	}
	clause, _ := r.clause(last)
	asked, inside := r.tokens[last].asked, !r.startsAt(v.first) && !listed("polite", r.wordAt(v.first-1))
	return clause > v.last && listed("how", r.wordAt(clause)) || asked && (inside || v.last == last)
}

// reaches reports whether b follows a closely and in the same clause.
func (r *reading) reaches(a, b hit, words, glyphs int) bool {
	if b.glyphs {
		words = glyphs
	}
	if b.first-a.last > words || slices.ContainsFunc(r.tokens[a.last:b.first], func(t token) bool { return t.breaks }) {
		return false
	}
	return !r.some(only, func(h hit) bool { return h.first > a.last && h.last < b.first })
}

// wordAt is the text of a token, or empty beyond the last one.
func (r *reading) wordAt(i int) string {
	if i < 0 || i >= len(r.tokens) {
		return ""
	}
	return r.tokens[i].text
}

// startsAt reports whether a clause starts at a token.
func (r *reading) startsAt(i int) bool { return i == 0 || r.tokens[i-1].breaks }

// around returns the first and the last token of the part of a text around a token.
func (r *reading) around(i int, ends func(token) bool) (first, last int) {
	for first = i; first > 0 && !ends(r.tokens[first-1]); {
		first--
	}
	for last = i; last < len(r.tokens)-1 && !ends(r.tokens[last]); {
		last++
	}
	return first, last
}

func (r *reading) clause(i int) (first, last int) {
	return r.around(i, func(t token) bool { return t.breaks })
}
