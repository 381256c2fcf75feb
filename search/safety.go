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

// allows reports whether the words ask for what an operation does: writing, or
// overwriting and removing.
func (r *reading) allows(effect answers.Effect, probability float64) bool {
	likely := probability >= sure && !r.takesBack()
	switch {
	case effect == answers.EffectRead:
		return true
	case probability < mediumFrom || r.aboutOthers():
		return false
	case effect == answers.EffectWrite:
		return likely || r.orders[registers] || (r.orders[updates] || r.orders[removes]) && r.has(lacks, without)
	}
	return r.asksToChange(likely)
}

func (r *reading) asksToChange(likely bool) bool {
	replaces := r.has(insteadOf) || len(r.entities.ids) > 1 && (slices.ContainsFunc(r.tokens, func(t token) bool { return t.kind == arrow }) || r.has(from))
	if r.orders[updates] || r.orders[removes] || replaces && r.orders[registers] {
		return true
	}
	return likely && (replaces || r.has(updates, removes, updated, removed, errs, amends, oldID, newID, nolonger, merger))
}

// takesBack reports whether some word forbids to read a request for writing into
// a text that has no verb for it.
func (r *reading) takesBack() bool {
	denied := r.has(negates) && !r.has(nolonger, without, insteadOf)
	return denied || r.question || r.marked && !r.has(howto) || r.has(guard, ahead, permission, whichTool) || r.has(reads) && !r.has(ensures)
}

// subjects are the concepts of what these tools are about.
var subjects = []string{pal, mpn, partner, link, id}

// aboutOthers reports whether the words are about something out of scope: a
// phrase of another product, unless it opens the text ("Jira OPS-772: ..."),
// or, where no link or ID is named, the object of a verb that writes.
func (r *reading) aboutOthers() bool {
	ours, subject := len(r.entities.ids) > 0, false
	outsideVerbs := func(h hit) bool {
		return !slices.ContainsFunc(r.standing, func(v hit) bool { return v.first < h.first && h.last <= v.last })
	}
	for _, h := range slices.Concat(r.hits, slices.DeleteFunc(slices.Clone(r.inner), outsideVerbs)) {
		switch {
		case h.first > 0 && strings.HasPrefix(h.concept, "!!"):
			return true
		case slices.Contains(subjects, h.concept):
			subject = true
			ours = ours || !slices.ContainsFunc(r.standing, func(v hit) bool { return v.first == h.first })
		}
	}
	return !subject && len(r.tokens) == 1 || !ours && slices.ContainsFunc(r.standing, r.actsOnOthers)
}

// actsOnOthers reports whether the object of a verb is no thing of ours: an
// unknown noun, or one of another topic.
func (r *reading) actsOnOthers(v hit) bool {
	for i := v.object; i < len(r.tokens) && !r.tokens[i-1].breaks; i++ {
		small := i == v.last || r.hasAt(i, stop, every, newID, oldID) || listed("polite", r.tokens[i].text) || v.glyphs && r.tokens[i].text == slotTenant // tenants stand before what they own
		if !small || listed("us", r.tokens[i].text) {
			return r.isForeign(i, v)
		}
	}
	return false
}

// isForeign reports whether a token is a noun of another topic, or an unknown word
// of a script that sets spaces.
func (r *reading) isForeign(i int, v hit) bool {
	about := slices.DeleteFunc(slices.Clone(r.hits), func(h hit) bool { return h.first > i || h.last < i || h.first == v.first })
	if len(about) == 0 {
		return r.tokens[i].kind == word && !listed("us", r.tokens[i].text)
	}
	return !slices.ContainsFunc(about, func(h hit) bool { return h.concept[0] != '!' })
}

// maxVerbs bounds the work on a text that is nothing but verbs; those beyond it
// do not stand.
const maxVerbs = 32

// noteOrders finds the verbs that write and stand: not negated, not asked about,
// not in the past.
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
	case link, linked, updated, removed:
		return r.asParticiple(h)
	}
	return ""
}

// asRepair reads a verb of mending. One that says neither what is wrong nor what
// is right is looked at first.
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

// asParticiple reads "link" and "set", which are verbs too in English, and
// participles, which ask for something beside a word that wants it.
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

// stateBefore reports whether a form of "to be" that is not itself wanted stands
// before a verb.
func (r *reading) stateBefore(h hit) bool {
	return r.some(been, func(b hit) bool {
		text := r.wordAt(b.first)
		return text != "be" && text != "have" && b.last < h.first && r.reaches(b, h, 2, 2)
	})
}

// pastAfter reports whether a particle after the verb makes it a state, as in
// Chinese, Japanese and Korean. A single glyph does so only in a question.
func (r *reading) pastAfter(v hit) bool {
	return v.glyphs && r.some(been, func(h hit) bool {
		return h.first > v.last && h.first-v.last <= 2 && (h.last > h.first || r.has(asks))
	})
}

// stands reports whether nothing takes a writing verb back.
func (r *reading) stands(v hit) bool {
	noun := r.wordAt(v.first-1) == "的"
	return !noun && !r.has(guard, supposes, whichTool) && !r.within(v) && !r.asksToBeAllowed(v) && !r.negated(v) && !r.notYet(v) && !r.inQuestion(v)
}

// within reports whether a verb stands inside an order to read ("list the customers
// that we should remove"), a request that was approved, or beside one to look at
// what should be.
func (r *reading) within(v hit) bool {
	inside := func(h hit) bool { return h.last < v.first && !r.hasAt(v.first-1, joins) }
	reading := func(h hit) bool {
		return r.hasAt(v.first, shall) || inside(h) && r.startsAt(h.first) && !r.startsAt(v.first) && r.reaches(h, v, 2*farWords, 0)
	}
	asked := func(h hit) bool { return h.first > v.last && r.hasAt(v.first, shall) }
	return r.some(opens, asked) || r.some(reads, reading) || r.some(enumerates, reading) ||
		r.some(approval, func(h hit) bool { return inside(h) && r.reaches(h, v, farWords, 0) })
}

// asksToBeAllowed reports whether the words are about what somebody may do, or
// needs for it, rather than about doing it.
func (r *reading) asksToBeAllowed(v hit) bool {
	return r.has(permission) && !r.startsAt(v.first) && !r.hasAt(v.first-1, joins, wants)
}

// negated reports whether a negation covers the verb: one before it in the same
// clause, or after it where the language puts it there.
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

// inQuestion reports whether the verb is asked about rather than asked for. A
// question word that opens a sentence governs all of it, if a mark says so.
func (r *reading) inQuestion(v hit) bool {
	first, last := r.sentence(v.first)
	if r.has(howto) && !r.hasAt(first, asks) {
		return false
	}
	broken := slices.ContainsFunc(r.tokens[min(first+1, v.first):v.first], func(t token) bool { return t.breaks })
	if r.hasAt(first, opens) && (r.has(approval) || !broken) {
		return true
	}
	return r.asksAround(v, last) || r.some(asks, func(q hit) bool { return q.last < v.first && r.reaches(q, v, 2*farWords, 2*farGlyphs) })
}

// asksAround reports whether a question has the verb where no imperative stands:
// neither first in its clause nor after a word such as "please", or ends with a
// clause that asks ("they claim to be linked, who is recorded?"). In scripts
// without spaces the question ends with a word that asks.
func (r *reading) asksAround(v hit, last int) bool {
	if v.glyphs {
		ends := func(h hit) bool { return h.last == last }
		return r.some(asks, ends) || r.some(opens, ends)
	}
	clause := last
	for clause > v.last && !r.tokens[clause-1].breaks {
		clause--
	}
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
