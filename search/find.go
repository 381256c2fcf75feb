// Package search finds the operation that an utterance means.
//
// A linear model chooses by the words, and by the concepts that a lexicon a
// language finds in them; rules stand above it for what writes. Nothing is run or
// asked. docs/dev/search.md explains each step.
package search

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mcp-partner/internal/untrusted"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// Index is the intent index of a catalogue. It is safe for concurrent use.
type Index struct {
	operations []schemas.Operation
	schemaOf   func(name string) map[string]any
	// lexiconFile is what the lexicon is read from.
	lexiconFile []byte
	lexicon     *lexicon
	topics      []topic
	model       *Model
	// classes are the operations' places in the model, -1 for one it lacks.
	classes []int
	build   sync.Once
}

// Result is the answer to one utterance; without OutOfScope something here is meant.
type Result struct {
	Matches    []answers.Match
	OutOfScope *answers.OutOfScope
}

const (
	highFrom   = 0.8
	mediumFrom = 0.4
)

// New returns an index of the operations, which is built at the first Find.
// schemaOf gives the input schema that a match shows; nil shows none.
func New(operations []schemas.Operation, schemaOf func(name string) map[string]any) *Index {
	return &Index{operations: operations, schemaOf: schemaOf, lexiconFile: lexiconFile}
}

// NewTrained is New with a lexicon file and a model of its own.
func NewTrained(operations []schemas.Operation, lexiconFile []byte, m *Model) *Index {
	return &Index{operations: operations, lexiconFile: lexiconFile, model: m}
}

func (ix *Index) prepare() {
	var err error
	if ix.lexicon, err = readLexicon(ix.lexiconFile); err == nil {
		err = json.Unmarshal(topicsFile, &ix.topics)
	}
	if err == nil && ix.model == nil {
		ix.model, err = ReadModel(modelFile)
	}
	if err != nil {
		panic(fmt.Sprintf("search: %v", err)) // a test reads the files
	}
	for _, o := range ix.operations {
		ix.classes = append(ix.classes, slices.Index(ix.model.Classes, o.Name))
	}
}

// candidate is an operation, by its place in the catalogue.
type candidate struct {
	operation   int
	probability float64
	allowed     bool
}

// Find answers with at most limit matches, 3 when limit is 0; nil names know no tenant.
func (ix *Index) Find(query string, names *Names, limit int) Result {
	ix.build.Do(ix.prepare)
	limit = cmp.Or(max(limit, 0), 3)
	r := ix.read(query, names)
	probabilities := ix.model.Probabilities(ix.model.Scores(r.features()))
	r.noteFirm(slices.Max(probabilities))
	found := Result{OutOfScope: ix.outOfScope(&r, probabilities)}
	if named := len(r.entities.tenants); named == 1 || named == 0 && names != nil && names.size == 1 && !r.namesMany() {
		ix.preferOne(probabilities)
	}
	order := ix.rank(&r, probabilities, found.OutOfScope != nil)
	for _, c := range order[:min(limit, len(order))] {
		found.Matches = append(found.Matches, ix.match(&r, c, found.OutOfScope != nil))
	}
	return found
}

// rank orders the operations, best first; what may not write gives way to a read.
func (ix *Index) rank(r *reading, probabilities []float64, elsewhere bool) []candidate {
	var out []candidate
	for i, o := range ix.operations {
		c := candidate{operation: i}
		if class := ix.classes[i]; class >= 0 {
			c.probability = probabilities[class]
		}
		c.allowed = !o.Effect.Writes() || !elsewhere && r.allows(o.Effect, c.probability)
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(b.probability, a.probability) })
	if first := slices.IndexFunc(out, func(c candidate) bool { return c.allowed }); first > 0 {
		out = slices.Concat(out[first:first+1], out[:first], out[first+1:])
	}
	return out
}

// oneOf is which operation for one tenant does what another does in many.
var oneOf = map[string]string{
	schemas.ToolCheckPartnerLink: schemas.ToolAuditPartnerLinks,
	schemas.ToolRegisterPartner:  schemas.ToolEnsurePartnerLinks,
	schemas.ToolUpdatePartner:    schemas.ToolTransitionPartner,
}

// preferOne makes the operation for one tenant likelier than the one for many.
func (ix *Index) preferOne(probabilities []float64) {
	for one, many := range oneOf {
		a, b := slices.Index(ix.model.Classes, one), slices.Index(ix.model.Classes, many)
		if a >= 0 && b >= 0 && probabilities[b] > probabilities[a] {
			probabilities[a], probabilities[b] = probabilities[b], probabilities[a]
		}
	}
}

func (ix *Index) match(r *reading, c candidate, elsewhere bool) answers.Match {
	o := ix.operations[c.operation]
	m := answers.Match{
		Tool: o.Name, Title: o.Title, Confidence: answers.ConfidenceLow, Why: ix.why(r, c), Effect: o.Effect,
		Arguments: r.arguments(o.Name, o.ArgumentNames()),
	}
	if len(o.Examples) > 0 {
		m.Example = map[string]any{"says": o.Examples[0].Says, "arguments": o.Examples[0].Arguments}
	}
	if c.allowed && !elsewhere && c.probability >= mediumFrom {
		m.Confidence = answers.ConfidenceMedium
		if c.probability >= highFrom {
			m.Confidence = answers.ConfidenceHigh
		}
	}
	if ix.schemaOf != nil {
		m.InputSchema = ix.schemaOf(o.Name)
	}
	return m
}

// why says what an operation does, and quotes the words that were decisive for it.
func (ix *Index) why(r *reading, c candidate) string {
	text := purposes[ix.operations[c.operation].Effect]
	if !c.allowed {
		text = "Only if this change is meant; the words ask for something else"
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

// quotes is the most words that are quoted, longestQuote the most bytes of one.
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
