package search

import (
	"cmp"
	"slices"
	"strings"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas/answers"
)

// why says in one sentence what an operation does with the request, and quotes
// the words that were decisive for it. They are the caller's own and sanitized
// like untrusted text.
func (ix *Index) why(r *reading, c candidate) string {
	text := purposes[ix.operations[c.operation].Effect]
	if !c.allowed {
		text = "Only if a change is wanted after all; the words do not ask for it"
	}
	if words := ix.decisive(r, ix.classes[c.operation]); len(words) > 0 {
		text += ": “" + strings.Join(words, "”, “") + "”"
	}
	return text + "."
}

var purposes = map[answers.Effect]string{
	answers.EffectRead:    "Reads and changes nothing",
	answers.EffectWrite:   "The words ask for a new link",
	answers.EffectDestroy: "The words ask to replace or remove something",
}

// quotes is the most words that are quoted, and longestQuote the most bytes of
// one.
const quotes, longestQuote = 3, 40

// decisive returns the words that spoke loudest for a class, in their order.
func (ix *Index) decisive(r *reading, class int) []string {
	type evidence struct{ first, last, weight int }
	var found []evidence
	if class < 0 {
		return nil
	}
	weigh := func(group int, text string, first, last int) {
		row := int(bucket(hashParts(group, text))) * len(ix.model.Classes)
		if weight := int(int8(ix.model.Weights[row+class])); weight > 0 {
			found = append(found, evidence{first, last, weight})
		}
	}
	for _, h := range r.hits {
		weigh(groupConcept, h.concept, h.first, h.last)
	}
	for i, t := range r.tokens {
		if t.kind == word && len(t.text) > 2 {
			weigh(groupWord, t.text, i, i)
		}
	}
	slices.SortStableFunc(found, func(a, b evidence) int { return cmp.Compare(b.weight, a.weight) })
	var kept []evidence
	for _, e := range found {
		apart := !slices.ContainsFunc(kept, func(k evidence) bool { return e.first <= k.last && k.first <= e.last })
		if apart && len(kept) < quotes {
			kept = append(kept, e)
		}
	}
	slices.SortFunc(kept, func(a, b evidence) int { return cmp.Compare(a.first, b.first) })
	var out []string
	for _, e := range kept {
		text := untrusted.Sanitize(r.text[r.tokens[e.first].start:r.tokens[e.last].end])
		if text != "" && len(text) <= longestQuote && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}
