package search

import (
	"slices"
	"strings"

	"mcp-partner/schemas/answers"
)

// Windows say how far, in tokens, a small word reaches. A glyph is a token, so
// scripts without spaces need more of them.
const (
	nearWords  = 3
	nearGlyphs = 6
	farWords   = 6
	farGlyphs  = 10
)

// sure is how likely an operation must be that is asked for without a verb of
// writing: "contoso needs 1234567", "no longer 1 but 2", "old ID out".
const sure = 0.8

// least is how likely any operation that writes must be.
const least = mediumFrom

// allows reports whether the words ask for what an operation does: writing, or
// overwriting and removing.
func (r *reading) allows(effect answers.Effect, probability float64) bool {
	likely := probability >= sure && !r.takesBack()
	switch {
	case effect == answers.EffectRead:
		return true
	case probability < least || r.aboutOthers():
		return false
	case effect == answers.EffectWrite:
		return r.asksToRegister(likely)
	}
	return r.asksToChange(likely)
}

// aboutOthers reports whether the words are about a thing that is none of ours: a
// phrase of another product, unless it opens the text ("Jira OPS-772: ..."), or,
// where no link or ID is named, the object of a verb that writes.
func (r *reading) aboutOthers() bool {
	ours, subject := len(r.entities.ids) > 0, false
	for _, h := range slices.Concat(r.hits, r.inner) {
		verb := slices.ContainsFunc(r.standing, func(v hit) bool { return v.first == h.first })
		inner := slices.Contains(r.inner, h) && !slices.ContainsFunc(r.standing, func(v hit) bool { return v.first < h.first && h.last <= v.last })
		switch {
		case inner:
		case h.first > 0 && strings.HasPrefix(h.concept, "!!"):
			return true
		case slices.Contains(subjects, h.concept):
			ours, subject = ours || !verb, true
		}
	}
	return !subject && len(r.tokens) == 1 || !ours && slices.ContainsFunc(r.standing, r.actsOnOthers)
}

func (r *reading) asksToRegister(likely bool) bool {
	if r.orders[registers] || (r.orders[updates] || r.orders[removes]) && r.hasAny(lacks, without) {
		return true
	}
	return likely && (r.hasAny(registers, linked, wants, shall, link, pal, mpn, id, partner, lacks) || len(r.entities.ids) > 0)
}

func (r *reading) asksToChange(likely bool) bool {
	replaces := r.has[insteadOf] || len(r.entities.ids) > 1 && (slices.ContainsFunc(r.tokens, func(t token) bool { return t.kind == arrow }) || r.has[from])
	if r.orders[updates] || r.orders[removes] || replaces && r.orders[registers] {
		return true
	}
	return likely && (replaces || r.hasAny(updates, removes, updated, removed, repairs, errs, amends, oldID, newID, nolonger, merger))
}

// leastNoun is the least length of a noun, in bytes.
const leastNoun = 3

// subjects are the concepts of what these tools are about.
var subjects = []string{pal, mpn, partner, link, id}

// takesBack reports whether some word forbids to read a request for writing into
// a text that has no verb for it.
func (r *reading) takesBack() bool {
	denied := r.has[negates] && !r.hasAny(nolonger, lacks, without, insteadOf, uses, repairs)
	return denied || r.question || r.marked && !r.has[howto] || r.hasAny(guard, ahead, permission, whichTool) || r.has[reads] && !r.has[ensures]
}

// maxVerbs bounds the work on a text that is nothing but verbs; those beyond it
// do not stand.
const maxVerbs = 32

// noteOrders finds the verbs that write and stand: not negated, not asked about,
// not in the past.
func (r *reading) noteOrders() {
	r.orders = map[string]bool{}
	r.question = r.hasAny(asks, supposes) || r.opens(0, len(r.tokens)-1)
	seen := 0
	for _, h := range r.hits {
		if h.concept = r.asVerb(h); h.concept == "" {
			continue
		}
		if seen++; seen > maxVerbs {
			break
		}
		if r.stands(h) {
			r.orders[h.concept], r.standing = true, append(r.standing, h)
		}
	}
}

// asVerb returns which writing a hit asks for, or nothing. A participle asks
// only beside a word that wants something; a verb beside "has been" is a state.
func (r *reading) asVerb(h hit) string {
	switch h.concept {
	case registers, updates, removes, repairs:
		if h.concept == repairs || h.concept == updates && r.hasAt(h.first, repairs) {
			return r.asRepair(h)
		}
		if r.before(h, been, 2) && (!r.wanted() || r.language == "en" && r.stateBefore(h)) || r.pastAfter(h) {
			return ""
		}
		return h.concept
	case link, linked, updated, removed:
		return r.asParticiple(h)
	}
	return ""
}

// asRepair reads a verb of mending. One that says neither what is wrong nor what
// is right is looked at first.
func (r *reading) asRepair(h hit) string {
	said := r.hasAny(errs, oldID, newID, lacks, without, insteadOf) || len(r.entities.ids) > 0
	switch {
	case !said || r.hasAt(h.first, reads) || r.before(h, been, 2) || r.pastAfter(h):
		return ""
	case r.hasAny(lacks, without):
		return registers
	}
	return updates
}

// asParticiple reads "link" and "set", which are verbs too in English, and
// participles, which ask for something beside a word that wants it.
func (r *reading) asParticiple(h hit) string {
	text := r.tokens[h.first].text
	verb := h.first == h.last && (text == "link" || text == "set") && r.language == "en"
	if verb && (!r.marked || r.has[howto]) && r.imperative(h.first) && !r.hasAt(h.first+1, asks) {
		return registers
	}
	if !r.wanted() || h.glyphs && !r.has[shall] || r.has[reads] || r.question || r.stateBefore(h) {
		return ""
	}
	return map[string]string{linked: registers, updated: updates, removed: removes}[h.concept]
}

// wanted reports whether a word wants something.
func (r *reading) wanted() bool { return r.hasAny(wants, shall) }

// stateBefore reports whether a form of "to be" that is not itself wanted stands
// before a participle.
func (r *reading) stateBefore(h hit) bool {
	return slices.ContainsFunc(r.hits, func(b hit) bool {
		text := r.tokens[b.first].text
		return b.concept == been && text != "be" && text != "have" && b.last < h.first && r.reaches(b, h, 2, 2)
	})
}

// stands reports whether nothing takes a writing verb back.
func (r *reading) stands(v hit) bool {
	return !r.hasAny(guard, supposes, whichTool) && !r.told(v) && !r.within(v) && !r.asksToBeAllowed(v) && !r.negated(v) && !r.notYet(v) && !r.inQuestion(v)
}

// actsOnOthers reports whether the object of a verb is no thing of ours: an
// unknown noun, or one of another topic.
func (r *reading) actsOnOthers(v hit) bool {
	if r.hasAt(v.first, linked, updated, removed) && !v.glyphs {
		return false // what a participle is about stands before it
	}
	return r.isForeign(r.pass(v.last, 1, v.glyphs)) || v.glyphs && r.isForeign(r.pass(v.first, -1, v.glyphs))
}

// maxSmall is how many small words may stand between a verb and its object.
const maxSmall = 3

// pass goes from a token over small words, and where glyphs are written over
// tenants, which stand before what they own. It returns -1 at the end of a clause.
func (r *reading) pass(i, step int, tenants bool) int {
	for small := 0; ; small++ {
		next := i + step
		if next < 0 || next >= len(r.tokens) || r.tokens[min(i, next)].breaks {
			return -1
		}
		i = next
		if small == maxSmall || listed("us", r.tokens[i].text) || !r.hasAt(i, stop, every) && !(tenants && r.tokens[i].text == slotTenant) {
			return i
		}
	}
}

// isForeign reports whether a token is a noun of another topic, or an unknown word
// of a script that sets spaces.
func (r *reading) isForeign(i int) bool {
	if i < 0 {
		return false
	}
	known := r.tokens[i].kind != word || len(r.tokens[i].text) < leastNoun || listed("us", r.tokens[i].text)
	for _, h := range r.hits {
		switch {
		case h.first > i || h.last < i:
		case h.concept[0] != '!' && h.concept != otherNumber:
			return false
		default:
			known = false
		}
	}
	return !known && !r.strangerAt[i]
}

// within reports whether a verb stands inside an order to read ("list the customers
// that we should remove"), a request that was approved, or beside one to look at
// what should be.
func (r *reading) within(v hit) bool {
	return slices.ContainsFunc(r.hits, func(h hit) bool {
		later := h.first > v.last && r.startsAt(h.first) && r.hasAt(v.first, amends, shall)
		switch h.concept {
		case asks, opens:
			return later
		case reads, enumerates:
			inside := h.last < v.first && r.startsAt(h.first) && !r.startsAt(v.first) && !r.hasAt(v.first-1, joins) && r.wordAt(v.first-1) != "by"
			return later || inside && r.reaches(h, v, 2*farWords, 0)
		case approval:
			return h.last < v.first && !r.hasAt(v.first-1, joins) && r.reaches(h, v, farWords, 0)
		}
		return false
	})
}

// told reports whether an English verb says what somebody did ("they cut it") or
// is a noun ("removing it is not what I want"), or a Chinese one is a noun.
func (r *reading) told(v hit) bool {
	if r.wordAt(v.first-1) == "的" {
		return true
	}
	if r.language != "en" || v.glyphs {
		return false
	}
	before := r.wordAt(v.first - 1)
	gerund := v.first == v.last && strings.HasSuffix(r.wordAt(v.first), "ing")
	return listed("others", before) || gerund && before != "by" && (!r.wanted() || r.has[negates])
}

// wordAt is the text of a token, or empty where there is none.
func (r *reading) wordAt(i int) string {
	if i < 0 || i >= len(r.tokens) {
		return ""
	}
	return r.tokens[i].text
}

// asksToBeAllowed reports whether the words are about what somebody may do, or
// needs for it, rather than about doing it.
func (r *reading) asksToBeAllowed(v hit) bool {
	first, last := r.sentence(v.first)
	return slices.ContainsFunc(r.hits, func(h hit) bool {
		return h.concept == permission && h.first >= first && h.first <= last && (r.has[asks] || r.marked || v.glyphs && h.first > v.last || h.last < v.first && !r.beginsClause(v.first))
	})
}

// pastAfter reports whether a particle after the verb makes it a state, as in
// Chinese, Japanese and Korean. A single glyph does so only in a question.
func (r *reading) pastAfter(v hit) bool {
	return v.glyphs && slices.ContainsFunc(r.hits, func(h hit) bool {
		return h.concept == been && h.first > v.last && h.first-v.last <= 2 && (h.last > h.first || r.has[asks])
	})
}

// imperative reports whether an English word stands where an imperative or an
// infinitive does, with something after it that it acts on.
func (r *reading) imperative(i int) bool {
	if i+1 >= len(r.tokens) || listed("after a noun", r.wordAt(i+1)) {
		return false
	}
	return r.startsAt(i) || listed("before a verb", r.wordAt(i-1))
}

// startsAt reports whether a clause starts at a token.
func (r *reading) startsAt(i int) bool { return i == 0 || r.tokens[i-1].breaks }

// beginsClause reports whether a token stands where an imperative does.
func (r *reading) beginsClause(i int) bool { return r.startsAt(i) || r.hasAt(i-1, joins, wants) }

// negated reports whether a negation covers the verb: one before it in the same
// clause, or after it where the language puts it there.
func (r *reading) negated(v hit) bool {
	return slices.ContainsFunc(r.hits, func(n hit) bool {
		switch {
		case n.concept != negates:
			return false
		case n.last < v.first:
			return r.reaches(n, v, farWords, farGlyphs)
		case n.first > v.last:
			return r.reaches(v, n, farWords, farGlyphs) && !r.belongsToVerbAfter(n, v)
		}
		return true
	})
}

// belongsToVerbAfter reports whether the negation n, which follows v, belongs to
// another verb still to come ("remove it, do not change it").
func (r *reading) belongsToVerbAfter(n, v hit) bool {
	return !v.glyphs && listed("negation before", r.language) || slices.ContainsFunc(r.hits, func(h hit) bool {
		return writes(h.concept) && h.first > v.last && (h.first < n.first || r.reaches(n, h, farWords, 2))
	})
}

// reaches reports whether b follows a closely and in the same clause.
func (r *reading) reaches(a, b hit, words, glyphs int) bool {
	if a.glyphs || b.glyphs {
		words = glyphs
	}
	if b.first-a.last > words || slices.ContainsFunc(r.tokens[a.last:b.first], func(t token) bool { return t.breaks }) {
		return false
	}
	return !slices.ContainsFunc(r.hits, func(h hit) bool { return h.concept == only && h.first > a.last && h.last < b.first })
}

// before reports whether the concept stands within some words before the hit,
// in the same clause.
func (r *reading) before(h hit, concept string, words int) bool {
	return slices.ContainsFunc(r.hits, func(o hit) bool {
		return o.concept == concept && o.last < h.first && r.reaches(o, h, words, words)
	})
}

// notYet reports whether the verb is what comes later: "before you remove it".
func (r *reading) notYet(v hit) bool {
	return slices.ContainsFunc(r.hits, func(b hit) bool {
		behind := v.glyphs && b.first > v.last && r.reaches(v, b, 0, nearGlyphs)
		return b.concept == ahead && (behind || !b.glyphs && b.last < v.first && r.reaches(b, v, farWords, 0))
	})
}

// sentence returns the first and the last token of the sentence that has a token.
func (r *reading) sentence(i int) (first, last int) {
	for first = i; first > 0 && !r.tokens[first-1].ends; {
		first--
	}
	for last = i; last < len(r.tokens)-1 && !r.tokens[last].ends; {
		last++
	}
	return first, last
}

// opens reports whether the sentence between two tokens begins with a word that
// asks, or, in scripts of glyphs, has a particle that does.
func (r *reading) opens(first, last int) bool {
	return !r.has[howto] && slices.ContainsFunc(r.hits, func(h hit) bool {
		inside := h.first >= first && h.first <= last
		return h.concept == opens && inside && (h.glyphs || h.first == first || h.first == first+1 && r.tokens[first].kind == slot && r.tokens[last].asked)
	})
}

// inQuestion reports whether the verb is asked about rather than asked for. A
// question word that opens a sentence governs all of it, if a mark says so.
func (r *reading) inQuestion(v hit) bool {
	first, last := r.sentence(v.first)
	if r.has[howto] && !r.hasAt(first, asks) {
		return false
	}
	marked := r.tokens[last].asked
	if r.asksLast(v, first, last) || r.asksAround(v, last) {
		return true
	}
	broken := slices.ContainsFunc(r.tokens[min(first+1, v.first):v.first], func(t token) bool { return t.breaks })
	if r.opens(first, last) && (marked || r.has[approval] || v.glyphs || !broken) {
		return true
	}
	return slices.ContainsFunc(r.hits, func(q hit) bool {
		return q.concept == asks && q.last < v.first && (q.first == first && marked || r.reaches(q, v, 2*farWords, 2*farGlyphs))
	})
}

// leastQuestion is the least length of a question: "is that OK?" only asks for
// consent.
const leastQuestion = 4

// asksLast reports whether the last clause is a question of its own and the verb
// stands before it: "they claim to be linked, who is recorded?"
func (r *reading) asksLast(v hit, first, last int) bool {
	begin := last
	for begin > first && !r.tokens[begin-1].breaks {
		begin--
	}
	asksWhat := begin > first && r.language == "en" && listed("how", r.wordAt(begin))
	if !r.tokens[last].asked && !asksWhat || v.last >= begin || last-begin+1 < leastQuestion {
		return false
	}
	return r.hasAt(begin, asks, opens) || r.hasAt(begin, only, joins) && r.hasAt(begin+1, asks, opens)
}

// asksAround reports whether a question has the verb where no imperative stands:
// neither first in its clause nor after a word such as "please". In scripts
// without spaces the question ends with a word that asks.
func (r *reading) asksAround(v hit, last int) bool {
	switch {
	case v.glyphs:
		return slices.ContainsFunc(r.hits, func(h hit) bool {
			return (h.concept == asks || h.concept == opens) && h.glyphs && h.first > v.last && h.last == last
		})
	case !r.tokens[last].asked:
		return false
	case r.startsAt(v.first):
		return v.first > 0 && v.last == last // "..., correct?"
	}
	return !r.hasAt(v.first-1, joins, only) && !listed("polite", r.wordAt(v.first-1))
}
