package search

import (
	"slices"
	"strings"
)

// What a verb of mending means: where there is no link, one is to be made; where
// nothing is said to be wrong and nothing to be right, it has to be looked at.

// onlyRepairs reports whether nothing but a verb of mending asks for a change,
// and no word says of what: it may destroy nothing.
func (w *wish) onlyRepairs() bool {
	if w.act != updates || len(w.entities.ids) > 0 || w.has[oldID] || w.has[newID] || w.has[errs] {
		return false
	}
	return !slices.ContainsFunc(w.ordered, func(v hit) bool { return writes(v.concept) && !w.hasAt(v.first, repairs) })
}

// namesGap reports whether the words say of a link that there is none: "without
// any link", "the customers that have no partner ID".
func (w *wish) namesGap() bool {
	return slices.ContainsFunc(w.hits, func(n hit) bool {
		return n.concept == without && slices.ContainsFunc(w.hits, func(h hit) bool {
			noun := h.concept == pal || h.concept == link || h.concept == mpn
			return noun && h.first > n.last && w.reaches(n, h, nearWords, nearGlyphs) && !w.anyBetween(n, h)
		})
	})
}

// anyBetween reports whether a verb or an entity stands between two hits.
func (w *wish) anyBetween(a, b hit) bool {
	verb := slices.ContainsFunc(w.hits, func(h hit) bool {
		return (writes(h.concept) || h.concept == reads) && h.first > a.last && h.last < b.first
	})
	return verb || slices.ContainsFunc(w.tokens[a.last+1:b.first], func(t token) bool { return t.kind == slot })
}

// dropNewcomers drops the "new" that belongs to a customer and not to an ID.
func (w *wish) dropNewcomers() {
	w.hits = slices.DeleteFunc(slices.Clone(w.hits), func(h hit) bool {
		return h.concept == newID && h.first == h.last && w.isNewTenant(h.first)
	})
}

// isNewTenant reports whether the word for "new" at a token describes a tenant:
// one that follows, or, where adjectives follow, the one before it.
func (w *wish) isNewTenant(i int) bool {
	if w.namesTenant(i + 1) {
		return !w.hasAt(i+2, id, mpn, link, pal)
	}
	switch w.language {
	case "es", "fr", "it", "pt", "pl":
		return w.namesTenant(i-1) && !w.hasAt(i+1, id, mpn, link, pal)
	}
	return false
}

func (w *wish) namesTenant(i int) bool {
	return i >= 0 && i < len(w.tokens) && (w.hasAt(i, tenant, plural) || w.tokens[i].text == slotTenant)
}

// isForNewcomer tells "put it on the new customer" from "put it on the new ID",
// where the phrase that changes something ends with the word for "new".
func (w *wish) isForNewcomer(v hit) bool {
	return v.concept == updates && v.last > v.first && strings.HasPrefix(w.tokens[v.last].text, "new") && w.isNewTenant(v.last)
}
