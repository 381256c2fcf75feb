package search

import "slices"

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
	return w.has[plural] || w.quantified() || w.has[every] && len(w.entities.ids) > 1
}

// asksLast reports whether the last clause is a question of its own and the
// verb stands before it: "they claim to be linked, who is recorded?"
func (w *wish) asksLast(v hit) bool {
	if !w.marked {
		return false
	}
	begin := w.lastClause()
	if v.last >= begin || len(w.tokens)-begin < leastQuestion {
		return false
	}
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return (h.concept == asks || h.concept == opens) && (h.first == begin || h.first == begin+1 && w.hasAt(begin, only, joins))
	})
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
