package search

import (
	"slices"
	"strings"
)

// The shapes of a sentence that no single word shows: how many tenants are
// meant, which clause asks, what is a noun beside a verb, what should end.

// quantified reports whether "all", "each" or the like belongs to tenants or
// links: before them with few words between, or after them where the language
// puts it there.
func (w *wish) quantified() bool {
	return slices.ContainsFunc(w.hits, func(q hit) bool {
		return q.concept == every && slices.ContainsFunc(w.hits, func(t hit) bool { return w.belongs(q, t) })
	})
}

// belongs reports whether the quantifier q belongs to t.
func (w *wish) belongs(q, t hit) bool {
	switch t.concept {
	case tenant, plural:
	case link, pal:
		if t.glyphs {
			return false // one word for the link and for linking
		}
	default:
		return false
	}
	if t.first > q.last {
		return w.reaches(q, t, nearWords+1, farGlyphs)
	}
	return q.glyphs && q.first > t.last && w.reaches(t, q, 0, nearGlyphs)
}

// meansMany reports whether more than one tenant is meant.
func (w *wish) meansMany() bool {
	if w.has[fleet] || w.entities.many || len(w.entities.tenants) > 1 {
		return true
	}
	if len(w.entities.tenants) == 1 {
		return false
	}
	if w.has[whoever] && !w.stranger {
		return true
	}
	return w.has[plural] || w.has[lists] && w.has[tenant] || w.quantified() || w.has[every] && len(w.entities.ids) > 1
}

// asksLast reports whether the last clause is a question of its own and the
// verb stands before it: "they claim to be linked, who is recorded?"
func (w *wish) asksLast(v hit) bool {
	begin := w.lastClause()
	if !w.marked && !w.asksWhat(begin) {
		return false
	}
	if v.last >= begin || len(w.tokens)-begin < leastQuestion {
		return false
	}
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return (h.concept == asks || h.concept == opens) && (h.first == begin || h.first == begin+1 && w.hasAt(begin, only, joins))
	})
}

// asksWhat reports whether an English clause without a question mark begins with
// a word that only asks: "who" and "which" may belong to what is before.
func (w *wish) asksWhat(begin int) bool {
	switch w.tokens[begin].text {
	case "what", "whats", "how":
		return w.language == "en" && begin > 0
	}
	return false
}

// whoMay reports whether it is asked who can do it, rather than for it.
func (w *wish) whoMay() bool {
	return slices.ContainsFunc(w.hits, func(g hit) bool {
		return g.concept == howto && g.first > 0 && slices.ContainsFunc(w.hits, func(h hit) bool {
			return h.concept == asks && h.first == 0 && (h.last == g.first-1 || w.isWho(h))
		})
	})
}

// isWho tells the words for "who" of scripts that put the verb behind them.
func (w *wish) isWho(h hit) bool {
	switch w.tokens[h.first].text {
	case "誰", "谁", "누":
		return true
	}
	return false
}

// isTold reports whether an English verb says what somebody did: past and
// imperative of "cut" are one word.
func (w *wish) isTold(v hit) bool {
	if w.language != "en" || v.first == 0 {
		return false
	}
	switch w.tokens[v.first-1].text {
	case "someone", "somebody", "they", "he", "she", "who":
		return true
	}
	return false
}

// leastQuestion is the least length of a question: "is that OK?" only asks for
// consent.
const leastQuestion = 4

// lastClause is the token at which the last clause begins.
func (w *wish) lastClause() int {
	for i := len(w.tokens) - 2; i >= 0; i-- {
		if w.tokens[i].breaks {
			return i + 1
		}
	}
	return 0
}

func (w *wish) hasAt(token int, concepts ...string) bool {
	return slices.ContainsFunc(w.hits, func(h hit) bool { return h.first == token && slices.Contains(concepts, h.concept) })
}

// asksAfter reports whether a question has the verb where no imperative stands:
// neither first in its clause nor after a word such as "please". In scripts
// without spaces the question ends with a word that asks.
func (w *wish) asksAfter(v hit) bool {
	if v.glyphs {
		return w.endsAsking(v)
	}
	if !w.marked {
		return false
	}
	if v.first == 0 || w.tokens[v.first-1].breaks {
		return v.first > 0 && v.last == len(w.tokens)-1 // "..., correct?"
	}
	return !w.hasAt(v.first-1, joins, only) && !w.pleaseBefore(v)
}

// pleaseBefore reports whether a word before the verb makes it a request, and not
// one that asks whether somebody has to.
func (w *wish) pleaseBefore(v hit) bool {
	switch w.tokens[v.first-1].text {
	case "please", "pls", "plz", "kindly", "bitte", "favor", "favore", "stp", "svp", "plait", "graag", "alsjeblieft", "alstublieft", "prosze", "porfa":
		return true
	}
	return false
}

// endsAsking reports whether the last word is one that asks and follows the verb.
func (w *wish) endsAsking(v hit) bool {
	last := len(w.tokens) - 1
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return (h.concept == asks || h.concept == opens) && h.glyphs && h.first > v.last && h.last == last
	})
}

// notYet reports whether the verb is what comes later: "before you remove it".
func (w *wish) notYet(v hit) bool {
	return slices.ContainsFunc(w.hits, func(b hit) bool {
		if b.concept != ahead {
			return false
		}
		if v.glyphs && b.first > v.last {
			return w.reaches(v, b, 0, nearGlyphs)
		}
		return b.last < v.first && !b.glyphs && w.reaches(b, v, farWords, 0)
	})
}

// firmFirst drops verbs whose word may be no verb, where another word says what
// to do: in Chinese "delete the link" has the word for linking, and "it is
// linked to 1, it must be 2, change that" has a participle.
func firmFirst(verbs []hit) []hit {
	firm := func(v hit) bool { return writes(v.concept) && !v.soft }
	if !slices.ContainsFunc(verbs, firm) {
		return verbs
	}
	return slices.DeleteFunc(verbs, func(v hit) bool { return writes(v.concept) && v.soft })
}

// mayBeOther reports whether a word that may be a verb may be a participle or a
// noun instead.
func (w *wish) mayBeOther(v hit) bool {
	if v.concept == linked || v.concept == updated || v.concept == removed {
		return true
	}
	return v.glyphs && slices.ContainsFunc(w.hits, func(h hit) bool {
		return (h.concept == pal || h.concept == link) && h.first == v.first && h.last == v.last
	})
}

// ends reports whether a link is wished away without a verb that says so: "we
// should no longer be listed as their partner".
func (w *wish) ends() bool {
	about := w.has[pal] || w.has[mpn] || w.has[partner] || w.has[link] || w.has[linked] || len(w.entities.ids) > 0
	return w.has[nolonger] && w.wanted() && about && w.act == "" && !w.isQuestion() && !w.marked && !w.has[guard]
}

// noLongerButNow reports whether one ID is to give way to another: "no longer
// 7654321 but 1234567".
func (w *wish) noLongerButNow() bool {
	left := w.has[nolonger] || w.has[oldID] && w.wanted()
	return left && len(w.entities.ids) > 1 && !w.isQuestion() && !w.marked && !w.has[guard] && (w.act == "" || w.act == registers || w.act == removes)
}

// isToBe reports whether a state is wished for: "see to it that Microsoft counts
// it for us with 1234567", "make sure every customer is linked to 1234567".
func (w *wish) isToBe() bool {
	if w.isQuestion() || w.marked || w.has[guard] || writes(w.act) {
		return false
	}
	if w.needsID() {
		return true
	}
	linkedTo := w.has[pal] || w.has[linked] || w.has[credit] || w.has[ours] || w.has[partner]
	return w.has[brings] && linkedTo && len(w.entities.ids) > 0 ||
		w.has[ensures] && !w.has[negates] && (w.has[linked] || w.has[mpn] || w.has[pal] || len(w.entities.ids) > 0) && w.meansMany() && len(w.entities.tenants) == 0 && !w.has[still]
}

// needsID reports whether tenants are said to need an ID: "contoso and fabrikam
// need 1234567". Nothing is asked, and nothing about a link is said.
func (w *wish) needsID() bool {
	if w.act != "" || len(w.entities.ids) != 1 || len(w.entities.tenants) == 0 && !w.meansMany() || w.has[negates] || w.has[expected] {
		return false
	}
	id := w.entities.ids[0].at
	if w.hasArrow() && len(w.entities.tenants) == 1 && !w.has[holds] {
		return true // "contoso -> 1234567"
	}
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return h.concept == wants && h.last < id && id-h.last <= nearWords && h.first > 0 && w.clear(h.last, id)
	})
}

// isState reports whether a participle tells how it is: a form of "to be" stands
// before it that is not itself wished for.
func (w *wish) isState(h hit) bool {
	return slices.ContainsFunc(w.hits, func(b hit) bool {
		near := 2
		if w.tokens[b.first].text == "have" {
			near = 1 // "have it linked" is a wish
		}
		return b.concept == been && w.tokens[b.first].text != "be" && b.last < h.first && h.first-b.last <= near && w.reaches(b, h, near, near)
	})
}

// asksToBeAllowed reports whether the words are about what somebody may do, or
// needs for it, rather than about doing it.
func (w *wish) asksToBeAllowed(v hit) bool {
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return h.concept == permission && (w.has[asks] || w.marked || v.glyphs && h.first > v.last || h.last < v.first && !w.beginsClause(v))
	})
}

// isGerund reports whether an English verb is a noun: "removing it is not what I
// want". It is a wish only beside a word that wants it.
func (w *wish) isGerund(v hit) bool {
	if w.language != "en" || v.first != v.last || !strings.HasSuffix(w.tokens[v.first].text, "ing") {
		return false
	}
	means := v.first > 0 && w.tokens[v.first-1].text == "by"
	return !means && (!w.wanted() || w.has[negates])
}

// isSuffix reports whether a negation belongs to the word before it, as in
// Japanese and Korean: "those that are not linked, link them".
func (w *wish) isSuffix(n hit) bool {
	return (w.language == "ja" || w.language == "ko") && slices.ContainsFunc(w.hits, func(h hit) bool {
		return (writes(h.concept) || h.concept == linked || h.concept == lacks) && h.last < n.first && n.first-h.last <= 3
	})
}

// beginsClause reports whether a word stands where an imperative does.
func (w *wish) beginsClause(h hit) bool {
	return h.first == 0 || w.tokens[h.first-1].breaks || w.hasAt(h.first-1, joins, wants)
}

// asksForNew reports whether a new link with an ID is wanted, without a verb
// that makes it: "we need a new partner link with 1234567".
func (w *wish) asksForNew() bool {
	return w.act == "" && w.has[wants] && w.has[newID] && (w.has[pal] || w.has[link]) && len(w.entities.ids) == 1 &&
		!w.has[oldID] && !w.isQuestion() && !w.marked && !w.has[guard] && !w.has[negates]
}

// gentler prefers to register where nothing is linked yet, and where many tenants
// are to have one ID and the words say both: what is there is then left alone.
func (w *wish) gentler() {
	if w.act != updates || len(w.entities.ids) > 1 || w.has[oldID] {
		return
	}
	if w.has[lacks] {
		w.act, w.also = registers, append(w.also, updates) // "it has none, fix that"
		return
	}
	if !w.meansMany() {
		return
	}
	if i := slices.Index(w.also, registers); i >= 0 {
		w.act, w.also[i] = registers, updates
	}
}

// fromOneToOther reports whether the words lead from one ID to another with
// nothing else between: "from 1234567 to 7654321".
func (w *wish) fromOneToOther() bool {
	a, b := w.entities.ids[0].at, w.entities.ids[1].at
	if b-a > nearWords {
		return false
	}
	return w.toOneFromOther() || w.leads(from, a-1, a-1) && w.leads(to, a+1, b-1) || w.leads(from, a+1, b-1) && w.leads(to, b+1, b+2)
}

// leads reports whether a word such as "from" stands between two tokens.
func (w *wish) leads(concept string, first, last int) bool {
	return slices.ContainsFunc(w.hits, func(h hit) bool { return h.concept == concept && h.first >= first && h.last <= last })
}

// toOneFromOther reports whether the new ID is named first: "to the new number
// 1234567 from 7654321". Scripts of glyphs have their particles behind.
func (w *wish) toOneFromOther() bool {
	a, b := w.entities.ids[0].at, w.entities.ids[1].at
	glyphs := slices.ContainsFunc(w.tokens, func(t token) bool { return t.kind == glyph })
	return !glyphs && b-a <= nearWords && w.leads(to, a-nearWords-1, a-1) && w.leads(from, a+1, b-1) && !w.leads(to, a+1, b-1)
}

// standsAlone reports whether one sentence of several is about a link, wants or
// asks something, and has nothing of another product: the others are the story.
func (w *wish) standsAlone() bool {
	first := 0
	for i, t := range w.tokens {
		if !t.ends && i < len(w.tokens)-1 {
			continue
		}
		if (first > 0 || i < len(w.tokens)-1) && w.clean(first, i) {
			return true
		}
		first = i + 1
	}
	return false
}

// orderedAlone reports whether one clause has both the verb that is to be done
// and an ID, and nothing of another product.
func (w *wish) orderedAlone() bool {
	if !writes(w.act) {
		return false
	}
	first := 0
	for i, t := range w.tokens {
		if !t.breaks && i < len(w.tokens)-1 {
			continue
		}
		named := slices.ContainsFunc(w.entities.ids, func(m partnerMention) bool { return m.at >= first && m.at <= i })
		ours := slices.ContainsFunc(w.hits, func(h hit) bool { return h.concept == w.act && h.first >= first && h.last <= i })
		foreign := slices.ContainsFunc(w.hits, func(h hit) bool { return strings.HasPrefix(h.concept, "!") && h.first >= first && h.last <= i })
		if named && ours && !foreign {
			return true
		}
		first = i + 1
	}
	return false
}

// clean reports whether the tokens from first to last are a wish of their own.
func (w *wish) clean(first, last int) bool {
	subject, wish := 0.0, false
	for _, h := range w.hits {
		if h.first < first || h.last > last {
			continue
		}
		switch h.concept {
		case pal, mpn, partner, link, linked, lacks, approval:
			subject += worth(h.concept)
		case asks, opens, wants, howto, reads, registers, updates, removes:
			wish = true
		}
		if strings.HasPrefix(h.concept, "!") {
			return false
		}
	}
	return subject >= enough && wish
}
