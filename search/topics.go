package search

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// topicsFile says where what people ask for here is done instead: the first of a tie.
//
//go:embed topics.json
var topicsFile []byte

// topic is something that people ask for here and that is done elsewhere.
type topic struct {
	Name, Reason string
	Use          []answers.UseInstead
}

// outOfScope says where it is done when the model finds it likelier that nothing
// here is meant, or that something is to be written that no word calls ours, or nil.
func (ix *Index) outOfScope(r *reading, probabilities []float64) *answers.OutOfScope {
	if len(r.tokens) == 0 {
		return &answers.OutOfScope{Reason: "There are no words to go by: say what to do (check, register, change, remove) and in which tenant.", UseInstead: []answers.UseInstead{}}
	}
	likeliest := ix.model.Classes[slices.Index(probabilities, slices.Max(probabilities))]
	writes := func(o schemas.Operation) bool { return o.Name == likeliest && o.Effect.Writes() }
	if likeliest != NotHere && !(r.ordersOthers() && slices.ContainsFunc(ix.operations, writes)) {
		return nil
	}
	counts := map[string]int{}
	for _, h := range slices.Concat(r.hits, r.inner) {
		counts[h.concept]++
	}
	best, most := topic{Reason: "Nothing in these words is about partner links (Partner Admin Link), which is all that the tools here do.", Use: []answers.UseInstead{}}, 0
	for _, t := range ix.topics {
		// A phrase that shares its words with ours counts more.
		if n := counts["!"+t.Name] + 5*counts["!!"+t.Name]; n > most {
			best, most = t, n
		}
	}
	return &answers.OutOfScope{Reason: best.Reason, UseInstead: best.Use}
}

// listsFile holds short lists that rules ask for.
//
//go:embed lists.txt
var listsFile string

var lists = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(listsFile) {
		name, entries, _ := strings.Cut(strings.TrimSpace(line), ": ")
		out[name] = strings.Split(entries, ", ")
	}
	return out
})

// listed reports whether a list of lists.txt has an entry.
func listed(list, entry string) bool { return slices.Contains(lists()[list], entry) }
