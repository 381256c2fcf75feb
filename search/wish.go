package search

import (
	"slices"
	"strings"
)

// wish is what a reading asks for.
type wish struct {
	reading
	has map[string]bool
	// act is the verb that stands: reads, lists, registers, updates, removes,
	// or empty where there is none, which is a question.
	act string
	// ordered are the verbs that stand, in the order of the text.
	ordered []hit
	// also are the other writing verbs that stand.
	also []string
	// opened is set when the text begins like a question, or has a particle
	// that makes it one; marked when it carries a question mark.
	opened, marked bool
	// stranger is set when a tenant is named that the directory lacks, by the
	// tokens of strangerAt.
	stranger   bool
	strangerAt map[int]bool
}

// Windows say how far, in tokens, a small word reaches. A glyph is a token, so
// scripts without spaces need more of them.
const (
	nearWords  = 3
	nearGlyphs = 6
	farWords   = 6
	farGlyphs  = 10
)

func understand(r reading) wish {
	w := wish{reading: r, has: map[string]bool{}, strangerAt: map[int]bool{}}
	w.dropNewcomers()
	for _, h := range w.hits {
		w.has[h.concept] = true
	}
	if w.namesGap() {
		w.has[lacks] = true
	}
	if w.has[lacks] {
		w.has[linked] = true
	}
	if w.has[plural] || w.has[newcomer] {
		w.has[tenant] = true
	}
	w.noteStranger()
	w.marked = strings.ContainsAny(w.asked, "?？¿")
	w.opened = w.opensWithQuestion()
	w.ordered = w.verbs()
	if len(w.ordered) > 0 {
		w.act = w.ordered[0].concept
	}
	for _, v := range w.ordered {
		if writes(v.concept) && v.concept != w.act && !slices.Contains(w.also, v.concept) {
			w.also = append(w.also, v.concept)
		}
	}
	w.exchange()
	return w
}

// writes tells the verbs that change something.
func writes(concept string) bool {
	return concept == registers || concept == updates || concept == removes
}

// maxVerbs bounds the work on a text that is nothing but verbs; those beyond it
// do not stand.
const maxVerbs = 32

// verbs returns the verbs that stand, first one first: not negated, not asked
// about, not in the past.
func (w *wish) verbs() []hit {
	var out []hit
	seen := 0
	for _, h := range w.hits {
		h.soft = w.mayBeOther(h)
		if h.concept = w.asVerb(h); h.concept == "" {
			continue
		}
		if seen++; seen > maxVerbs {
			break
		}
		if !writes(h.concept) || w.stands(h) {
			out = append(out, h)
		}
	}
	return firmFirst(w.askedFor(out))
}

// stands reports whether nothing takes a writing verb back.
func (w *wish) stands(v hit) bool {
	if w.asksToBeAllowed(v) || w.isGerund(v) || w.isTold(v) {
		return false
	}
	return !w.has[guard] && !w.has[supposes] && !w.negated(v) && !w.notYet(v) && !w.inQuestion(v)
}

// asVerb returns what a hit asks to do, or nothing. A participle is a wish only
// beside a word that wants something; a verb beside "has been" is a state.
func (w *wish) asVerb(h hit) string {
	switch h.concept {
	case reads, lists:
		return h.concept
	case registers, updates, removes:
		if w.before(h, been, 2) && !w.wanted() || w.pastAfter(h) {
			return ""
		}
		if w.isForNewcomer(h) {
			return registers
		}
		return h.concept
	case repairs:
		if !w.before(h, been, 2) && !w.pastAfter(h) {
			return updates
		}
	case link:
		if w.linkIsVerb(h) {
			return registers
		}
	case uses:
		if len(w.entities.ids) > 0 && (h.glyphs || w.beginsClause(h) || w.language == "en" && w.setsIt(h.first)) {
			return registers
		}
	case linked, updated, removed:
		if h.concept == linked && w.language == "en" && w.tokens[h.first].text == "set" && w.setsIt(h.first) {
			return registers
		}
		if w.hasAt(h.first, lacks) && !w.before(h, shall, 2) || w.has[nolonger] || w.isState(h) {
			return "" // "every unlinked customer gets it"; "I want to ask if it is linked"
		}
		if w.wanted() && !w.has[reads] && !w.isQuestion() {
			return wishOf(h.concept)
		}
	}
	return ""
}

// wanted reports whether a word wants something; "must be" is one phrase.
func (w *wish) wanted() bool { return w.has[wants] || w.has[shall] }

// pastAfter reports whether a particle after the verb makes it a state, as in
// Chinese, Japanese and Korean. A single glyph does so only in a question.
func (w *wish) pastAfter(v hit) bool {
	return v.glyphs && slices.ContainsFunc(w.hits, func(h hit) bool {
		return h.concept == been && h.first > v.last && h.first-v.last <= 2 && (h.last > h.first || w.has[asks])
	})
}

func wishOf(participle string) string {
	switch participle {
	case linked:
		return registers
	case updated:
		return updates
	}
	return removes
}

// linkIsVerb settles the English noun that is also a verb.
func (w *wish) linkIsVerb(h hit) bool {
	return h.first == h.last && w.tokens[h.first].text == "link" && w.language == "en" && w.orders(h.first) && !w.isStateOf(h.first+1)
}

// isStateOf tells "link status contoso" from "link contoso".
func (w *wish) isStateOf(i int) bool {
	if i >= len(w.tokens) {
		return false
	}
	switch w.tokens[i].text {
	case "state", "status", "check", "report", "info", "details", "audit", "overview", "id":
		return true
	}
	return false
}

// setsIt tells "set 1234567" and "could you set it" from "it is set".
func (w *wish) setsIt(i int) bool {
	if i == 0 || w.tokens[i-1].breaks {
		return i+1 < len(w.tokens)
	}
	switch w.tokens[i-1].text {
	case "to", "please", "pls", "and", "then", "you", "u", "now", "kindly":
		return true
	}
	return false
}

// orders reports whether an English word stands where an imperative or an
// infinitive does, with something after it.
func (w *wish) orders(i int) bool {
	if i == 0 || w.tokens[i-1].breaks {
		return i+1 < len(w.tokens)
	}
	switch w.tokens[i-1].text {
	case "to", "so", "go", "therefore", "also", "still", "please", "pls", "and", "then", "us", "you", "u", "we", "i", "can", "must", "should", "just", "now", "lets", "t", "not", "dont", "will", "kindly":
		return true
	}
	return false
}

// negated reports whether a negation covers the verb: one before it in the same
// clause, or after it where the language puts it there.
func (w *wish) negated(v hit) bool {
	for _, n := range w.hits {
		if n.concept != negates {
			continue
		}
		if n.first >= v.first && n.first <= v.last || n.last < v.first && !w.isSuffix(n) && w.reaches(n, v, farWords, farGlyphs) {
			return true
		}
		if n.first > v.last && w.reaches(v, n, farWords, farGlyphs) && !w.verbBetween(n, v) {
			return true
		}
	}
	return false
}

// verbBetween reports whether the negation n, which follows v, belongs to
// another verb still to come ("remove it, do not change it").
func (w *wish) verbBetween(n, v hit) bool {
	if !v.glyphs && (w.language == "en" || w.language == "fr" || w.language == "es" || w.language == "it" || w.language == "pt" || w.language == "pl") {
		return true
	}
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return writes(h.concept) && h.first > v.last && (h.first < n.first || w.reaches(n, h, farWords, 2))
	})
}

// reaches reports whether b follows a closely and in the same clause.
func (w *wish) reaches(a, b hit, words, glyphs int) bool {
	if a.glyphs || b.glyphs {
		words = glyphs
	}
	if b.first-a.last > words {
		return false
	}
	for i := a.last; i < b.first; i++ {
		if w.tokens[i].breaks {
			return false
		}
	}
	return !slices.ContainsFunc(w.hits, func(h hit) bool {
		return h.concept == only && h.first > a.last && h.last < b.first
	})
}

// before reports whether the concept stands within some words before the hit,
// in the same clause.
func (w *wish) before(h hit, concept string, words int) bool {
	return slices.ContainsFunc(w.hits, func(o hit) bool {
		return o.concept == concept && o.last < h.first && w.reaches(o, h, words, words)
	})
}

// inQuestion reports whether the verb is asked about rather than asked for. A
// question word that opens the text governs all of it, if a mark says so.
func (w *wish) inQuestion(v hit) bool {
	if w.has[howto] && !w.whoMay() {
		return false
	}
	if w.asksLast(v) || w.asksAfter(v) {
		return true
	}
	if w.opened && (w.marked || w.has[approval] || v.glyphs || !w.brokenBefore(v)) {
		return true
	}
	return slices.ContainsFunc(w.hits, func(q hit) bool {
		return q.concept == asks && q.last < v.first && (q.first == 0 && w.marked || w.reaches(q, v, 2*farWords, 2*farGlyphs))
	})
}

// brokenBefore reports whether a clause ends before the verb: "we have lost
// Contoso, remove the link" begins like a question in some languages.
func (w *wish) brokenBefore(v hit) bool {
	return slices.ContainsFunc(w.tokens[min(1, v.first):v.first], func(t token) bool { return t.breaks })
}

// opensWithQuestion reports whether the sentence begins with a word that asks,
// or, in scripts of glyphs, has a particle that does.
func (w *wish) opensWithQuestion() bool {
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return h.concept == opens && (h.glyphs || h.first == 0 || h.first == 1 && w.tokens[0].kind == slot && w.marked)
	}) && !w.has[howto]
}

// askedFor drops what comes before "how to": "show me how to remove" removes.
func (w *wish) askedFor(verbs []hit) []hit {
	for _, h := range w.hits {
		if h.concept != howto {
			continue
		}
		for i, v := range verbs {
			near := v.first > h.last && v.first-h.last <= farWords || h.glyphs && h.first-v.last <= farGlyphs
			if near && writes(v.concept) && !slices.ContainsFunc(verbs[:i], func(o hit) bool { return o.first > h.last }) {
				return verbs[i:]
			}
		}
	}
	return verbs
}

// exchange reads the wishes that several words make together: off with one and
// on with another, one in place of the other, an arrow between two IDs.
func (w *wish) exchange() {
	both := w.act == removes && slices.Contains(w.also, registers) || w.act == registers && slices.Contains(w.also, removes)
	swap := (both || w.act == removes && slices.Contains(w.also, updates)) && (len(w.entities.ids) > 1 || w.has[newID] || w.has[oldID])
	instead := w.has[insteadOf] && (w.act == registers || w.act == "" && len(w.entities.ids) > 0 && !w.isQuestion() && !w.has[guard])
	moved := len(w.entities.ids) > 1 && (w.hasArrow() || w.fromOneToOther()) && (w.act == "" || w.act == registers) && !w.isQuestion() && !w.has[guard]
	if swap || instead || moved || w.mends() || w.noLongerButNow() {
		w.also = slices.DeleteFunc(append(w.also, w.act), func(a string) bool { return a == updates || a == "" })
		w.act = updates
	}
	if w.ends() {
		w.act = removes
	}
	if w.asksForNew() || w.isToBe() {
		w.act = registers
	}
	w.gentler()
	if w.onlyRepairs() {
		w.also, w.act = append([]string{w.act}, w.also...), ""
	}
	w.nameForTool()
}

// nameForTool leaves what a tool is asked for beside the question for it: the
// verb that stands, else the first that is named.
func (w *wish) nameForTool() {
	if !w.has[whichTool] {
		return
	}
	named := w.act
	for _, h := range w.hits {
		if !writes(named) && !w.negated(h) {
			named = h.concept
		}
	}
	w.act = ""
	if writes(named) && !slices.Contains(w.also, named) {
		w.also = append(w.also, named)
	}
}

// mends reports whether the words say that what is there is wrong, and what it
// should be: a change, though no verb asks for one.
func (w *wish) mends() bool {
	if len(w.entities.ids) == 0 || w.act != "" && w.act != registers || w.marked || w.has[guard] || w.has[supposes] {
		return false
	}
	if w.isQuestion() && !w.has[errs] {
		return false // "who mistyped it, it must be 1234567" is no question
	}
	wrong := w.has[errs] || len(w.entities.ids) > 1
	return w.has[amends] && (wrong || w.has[oldID]) || w.has[shall] && wrong || w.has[errs] && w.has[newID]
}

func (w *wish) hasArrow() bool {
	return slices.ContainsFunc(w.tokens, func(t token) bool { return t.kind == arrow })
}

func (w *wish) isQuestion() bool { return w.has[asks] || w.has[supposes] || w.opened }

// isReading reports whether nothing asks for a change, or something asks to
// look before it.
func (w *wish) isReading() bool { return !writes(w.act) }
