package search

import (
	"slices"
	"strings"
	"unicode"
)

// noteStranger looks for a tenant that the directory lacks: a domain, or a name
// with a capital after a word such as "at". It is never an argument, but the
// words mean a tenant.
func (r *reading) noteStranger() {
	if len(r.entities.tenants) > 0 {
		return
	}
	capitals := capitalised(r.asked)
	for i, t := range r.tokens {
		if t.kind != word || r.isKnown(i) {
			continue
		}
		if capitals[t.text] && r.placed(i) || r.isDomain(i) {
			r.strangerAt[i] = true
		}
	}
}

// isKnown reports whether a token is part of a term.
func (r *reading) isKnown(i int) bool {
	return slices.ContainsFunc(r.hits, func(h hit) bool { return h.first <= i && i <= h.last && h.concept != known })
}

// placed reports whether a word stands where a tenant's name does.
func (r *reading) placed(i int) bool {
	beside := func(j int) bool { return j >= 0 && j < len(r.tokens) && r.tokens[j].kind == glyph }
	return i > 0 && (r.hasAt(i-1, at) || r.strangerAt[i-1]) || beside(i-1) || beside(i+1)
}

// isDomain reports whether a word and the next are the end of a domain.
func (r *reading) isDomain(i int) bool {
	return i+1 < len(r.tokens) && r.tokens[i+1].start == r.tokens[i].end+1 && r.text[r.tokens[i].end] == '.' &&
		!strings.Contains(r.text, "://") && listed("domain", r.tokens[i+1].text)
}

// capitalised returns the folded words of a text that begin with a capital.
func capitalised(text string) map[string]bool {
	out := map[string]bool{}
	for _, field := range strings.FieldsFunc(clip(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		out[fold(field)] = unicode.IsUpper([]rune(field)[0])
	}
	return out
}
