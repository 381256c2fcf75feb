package search

import (
	"slices"
	"strings"

	"mcp-partner/schemas"
)

// worth says how strongly a concept speaks for the partner link.
func worth(concept string) float64 {
	switch concept {
	case pal, mpn, namespace:
		return 3
	case thisID:
		return 2
	case tools:
		return 1.9
	case credit:
		return 1.5
	case partner, link, linked, lacks, approval, directory:
		return 1
	case operations, permission:
		return 0.8
	case tenant, fleet, provider:
		return 0.7
	case id, registers, updates, updated, removes, removed, expected, holds:
		return 0.4
	case ours, reads, lists, asks, reach:
		return 0.2
	}
	return 0
}

const (
	// worthOfID and worthOfTenant are what a named entity is worth.
	worthOfID     = 2.0
	worthOfHandle = 3.0
	worthOfTenant = 1.0
	// worthOfPermission is what permissions add where they are those for a link.
	worthOfPermission = 1.5
	// enough is the least that an utterance must be worth.
	enough = 1.0
	// Topics: the first term, each further one, and a near miss.
	firstTerm, nextTerm, nearMiss = 2.0, 0.8, 4.5
)

// inScope sums up what speaks for the partner link: the subject, and the
// circumstances, which alone say nothing against another product ("delete the
// disks of all customers").
func (w *wish) inScope() (subjects, circumstances float64) {
	for concept := range w.has {
		switch concept {
		case tenant, fleet, registers, updates, updated, removes, removed, reads, lists, asks, ours:
			circumstances += worth(concept)
		case link:
			subjects += worth(concept) * truth(w.namesLink())
		default:
			subjects += worth(concept)
		}
	}
	if len(w.entities.ids) > 0 {
		subjects += worthOfID
	}
	if w.has[permission] && (w.has[partner] || w.has[pal] || w.has[mpn] || w.has[namespace]) {
		subjects += worthOfPermission // what a role needs for it, and not who gets the role
	}
	if len(w.entities.tenants) > 0 || w.stranger {
		circumstances += worthOfTenant
	}
	if w.entities.approval != "" || w.entities.run != "" {
		subjects += worthOfHandle
	}
	if w.has[tenant] && (w.has[directory] || w.has[lists] || w.has[reach]) {
		subjects++
	}
	return subjects, circumstances
}

// namesLink reports whether a link is named, and not only the verb "to link".
func (w *wish) namesLink() bool {
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return h.concept == link && (h.glyphs || !slices.ContainsFunc(w.ordered, func(v hit) bool { return v.first == h.first && v.concept == registers }))
	})
}

// elsewhere returns the topic of another product that speaks loudest, and how
// loudly.
func (w *wish) elsewhere() (topic, float64) {
	scores := map[string]float64{}
	for _, h := range w.hits {
		name, ok := strings.CutPrefix(h.concept, "!")
		if h.concept == newcomer && len(w.entities.ids) == 0 {
			name, ok = "partner_center", true
		}
		if !ok || w.isOurVerb(h) {
			continue
		}
		near, isNear := strings.CutPrefix(name, "!")
		if near == "provider_registration" && w.asksForActions() {
			continue
		}
		switch {
		case isNear:
			scores[near] = max(scores[near], nearMiss)
		case scores[name] == 0:
			scores[name] = firstTerm
		default:
			scores[name] += nextTerm
		}
	}
	return loudest(scores)
}

// asksForActions reports whether a resource provider is named because of what
// it can do for partners, and not to register it.
func (w *wish) asksForActions() bool {
	return (w.has[operations] || w.has[permission]) && (w.has[partner] || w.has[pal] || w.has[namespace]) && !w.has[registers]
}

// isOurVerb reports whether a word of another product is a verb of ours too, in
// a text that says what it is about: "onboard them with 1234567".
func (w *wish) isOurVerb(topic hit) bool {
	if len(w.entities.ids) == 0 && !w.has[mpn] && !w.has[pal] || strings.HasPrefix(topic.concept, "!!") {
		return false
	}
	return slices.ContainsFunc(w.hits, func(h hit) bool {
		return writes(h.concept) && h.first == topic.first && h.last == topic.last
	})
}

func loudest(scores map[string]float64) (best topic, score float64) {
	for _, t := range topics() {
		if scores[t.name] > score {
			best, score = t, scores[t.name]
		}
	}
	return best, score
}

// outOfScope returns why nothing here does what was asked, or nil.
func (w *wish) outOfScope() *schemas.OutOfScope {
	subjects, circumstances := w.inScope()
	t, out := w.elsewhere()
	if out > 0 && out < nearMiss && (w.standsAlone() || w.orderedAlone()) {
		return nil
	}
	switch {
	case w.registersProvider():
		t, _ = topicOf("provider_registration")
	case out > 0 && out >= subjects:
	case subjects+circumstances < enough || subjects < enough/2 && !w.mayMeanUs() && w.strange():
		return &schemas.OutOfScope{Reason: "Nothing in these words is about partner links (Partner Admin Link), which is all that the tools here do.", UseInstead: []schemas.UseInstead{}}
	default:
		return nil
	}
	return &schemas.OutOfScope{Reason: t.reason, UseInstead: t.use}
}

// mayMeanUs reports whether a state of links, a number or "we" gives words about
// a tenant the benefit of the doubt; a verb alone does so only where nothing is to be
// changed.
func (w *wish) mayMeanUs() bool {
	if writes(w.act) {
		return w.has[id] || w.has[linked]
	}
	return w.has[registers] || w.has[updates] || w.has[removes] || w.has[id] || w.has[ours] || w.has[guard] ||
		w.has[linked] || w.has[updated] || w.has[removed]
}

// strange reports whether the text holds content that no lexicon has: who is
// "the CEO of Contoso" is no question about links, though it names a tenant.
func (w *wish) strange() bool {
	covered := w.covered(func(h hit) bool { return h.concept != counts && h.concept != otherNumber })
	words, glyphs := 0, 0
	for i, t := range w.tokens {
		switch {
		case covered[i], w.strangerAt[i]:
		case t.kind == word && len(t.text) > 2:
			words++
		case t.kind == glyph:
			glyphs++
		}
	}
	return words > 0 || glyphs > 1
}

// covered tells which tokens belong to a hit that counts.
func (w *wish) covered(by func(hit) bool) []bool {
	out := make([]bool, len(w.tokens))
	for _, h := range w.hits {
		for i := h.first; i <= h.last && by(h); i++ {
			out[i] = true
		}
	}
	return out
}

// registersProvider tells the registration of the provider itself, which is
// ARM's, from the registration of a partner ID.
func (w *wish) registersProvider() bool {
	return w.act == registers && (w.has[namespace] || w.has[provider]) && !w.has[pal] && !w.has[mpn] && len(w.entities.ids) == 0
}
