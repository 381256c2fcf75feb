package search

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"mcp-partner/schemas"
)

// Index is the intent index of a catalogue. It is safe for concurrent use.
type Index struct {
	operations []schemas.Operation
	schemaOf   func(name string) map[string]any
	lexicon    *lexicon
	speller    *speller
	wording    *wording
	cards      [][]part
	arguments  [][]string
	build      sync.Once
}

// Result is the answer to one utterance: matches, best first, or where else to
// go. Exactly one of the two is set.
type Result struct {
	Matches    []schemas.Match
	OutOfScope *schemas.OutOfScope
}

// defaultLimit is the number of matches when none is asked for.
const defaultLimit = 3

// New returns an index of the operations. schemaOf gives the input schema that
// a match shows; nil shows none. The index is built at the first Find, so that
// a server that is never asked starts as fast as one without a search.
func New(operations []schemas.Operation, schemaOf func(name string) map[string]any) *Index {
	return &Index{operations: operations, schemaOf: schemaOf}
}

func (ix *Index) prepare() {
	lex, err := loadLexicon()
	if err != nil {
		panic(fmt.Sprintf("search: the embedded lexicons: %v", err)) // a test reads them all
	}
	ix.lexicon = lex
	words := maps.Clone(lex.words)
	for _, o := range ix.operations {
		learn(words, o)
		ix.cards = append(ix.cards, cardOf(o).parts())
		ix.arguments = append(ix.arguments, argumentNames(o.Input))
	}
	ix.speller = newSpeller(words)
	ix.wording = newWording(ix.operations, func(text string) []token { return ix.cut(text, nil).tokens })
}

// learn takes the words of what people say into the vocabulary.
func learn(words map[string]bool, o schemas.Operation) {
	for _, intent := range o.Intents() {
		for _, says := range intent.Says {
			for _, t := range tokenise(fold(says)) {
				if t.kind == word {
					words[t.text] = true
				}
			}
		}
	}
}

// Find answers an utterance with at most limit matches, 3 when limit is 0. The
// names are the tenants that the caller may see; nil means none.
func (ix *Index) Find(query string, names *Names, limit int) Result {
	ix.build.Do(ix.prepare)
	if limit <= 0 {
		limit = defaultLimit
	}
	w := understand(ix.read(query, names))
	if out := w.outOfScope(); out != nil {
		return Result{OutOfScope: out}
	}
	order := ix.rank(w)
	if len(order) == 0 {
		return Result{OutOfScope: unclear()}
	}
	var found Result
	for _, r := range order[:min(limit, len(order))] {
		found.Matches = append(found.Matches, ix.match(w, r))
	}
	return found
}

func (ix *Index) match(w wish, r ranked) schemas.Match {
	o := ix.operations[r.operation]
	m := schemas.Match{
		Tool: o.Name, Title: o.Title, Score: r.score, Why: w.why(o), Effect: o.Effect,
		Arguments: w.arguments(ix.arguments[r.operation]), Example: exampleOf(o),
	}
	if ix.schemaOf != nil {
		m.InputSchema = ix.schemaOf(o.Name)
	}
	return m
}

// exampleOf shows the first worked example: what was said, and the arguments.
func exampleOf(o schemas.Operation) map[string]any {
	if len(o.Examples) == 0 {
		return nil
	}
	arguments := map[string]any{}
	if err := json.Unmarshal(o.Examples[0].Arguments, &arguments); err != nil {
		return nil
	}
	return map[string]any{"says": o.Examples[0].Says, "arguments": arguments}
}
