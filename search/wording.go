package search

import (
	"math"

	"mcp-partner/schemas"
)

// field is one part of a card's text; parts weigh differently.
type field int

const (
	fieldName field = iota
	fieldTitle
	fieldSummary
	fieldSays
	fieldGrams
	fields
)

// boost is the weight of a field in BM25F.
func boost(f field) float64 { return [fields]float64{3, 2, 1, 1.5, 0.4}[f] }

// Saturation and length normalisation of BM25F, at their usual values.
const (
	saturation    = 1.2
	normalisation = 0.5
)

// wording ranks operations by how near their texts are to a query (BM25F).
type wording struct {
	operations int
	// weights hold, for each term, what it is worth to each operation.
	weights map[string][]float64
}

type document struct {
	terms  map[string][fields]float64
	length [fields]float64
}

func newWording(operations []schemas.Operation, read func(string) []token) *wording {
	var documents []document
	for _, o := range operations {
		d := document{terms: map[string][fields]float64{}}
		d.add(fieldName, terms(read(o.Name)))
		d.add(fieldTitle, terms(read(o.Title)))
		d.add(fieldSummary, terms(read(o.Summary+" "+o.Use)))
		for _, intent := range o.Intents() {
			for _, says := range intent.Says {
				tokens := read(says)
				d.add(fieldSays, terms(tokens))
				d.add(fieldGrams, grams(tokens))
			}
		}
		documents = append(documents, d)
	}
	return weigh(documents)
}

// weigh works out once what every term is worth.
func weigh(documents []document) *wording {
	w := &wording{operations: len(documents), weights: map[string][]float64{}}
	average := averages(documents)
	for i, d := range documents {
		for term, counts := range d.terms {
			if w.weights[term] == nil {
				w.weights[term] = make([]float64, len(documents))
			}
			sum := d.sum(counts, average)
			w.weights[term][i] = sum / (saturation + sum)
		}
	}
	for _, weights := range w.weights {
		rarity := inverseFrequency(weights)
		for i := range weights {
			weights[i] *= rarity
		}
	}
	return w
}

func averages(documents []document) (average [fields]float64) {
	for _, d := range documents {
		for f, length := range d.length {
			average[f] += length / float64(len(documents))
		}
	}
	return average
}

// sum adds up the fields of a term, each normalised by its length.
func (d *document) sum(counts, average [fields]float64) float64 {
	sum := 0.0
	for f, n := range counts {
		if n > 0 {
			sum += boost(field(f)) * n / (1 - normalisation + normalisation*d.length[f]/average[f])
		}
	}
	return sum
}

func inverseFrequency(weights []float64) float64 {
	n, holding := float64(len(weights)), 0.0
	for _, weight := range weights {
		if weight > 0 {
			holding++
		}
	}
	return math.Log(1 + (n-holding+0.5)/(holding+0.5))
}

func (d *document) add(f field, terms []string) {
	for _, term := range terms {
		counts := d.terms[term]
		counts[f]++
		d.terms[term] = counts
		d.length[f]++
	}
}

// terms are the words of a text, and of scripts without spaces the pairs of
// neighbouring glyphs.
func terms(tokens []token) []string {
	var out []string
	for i, t := range tokens {
		if t.kind != glyph {
			out = append(out, t.text)
			continue
		}
		if i+1 < len(tokens) && tokens[i+1].kind == glyph {
			out = append(out, t.text+tokens[i+1].text)
		}
	}
	return out
}

// gramSize is the length of a character n-gram.
const gramSize = 4

// grams are the character n-grams of the words, which match inflected and
// misspelt forms.
func grams(tokens []token) []string {
	var out []string
	for _, t := range tokens {
		if t.kind != word {
			continue
		}
		runes := []rune("<" + t.text + ">")
		for i := 0; i+gramSize <= len(runes); i++ {
			out = append(out, "~"+string(runes[i:i+gramSize]))
		}
	}
	return out
}

// rank returns a score for each operation, 1 for the nearest, 0 for none.
func (w *wording) rank(tokens []token) []float64 {
	scores := make([]float64, w.operations)
	seen := map[string]bool{}
	for _, term := range append(terms(tokens), grams(tokens)...) {
		if seen[term] {
			continue
		}
		seen[term] = true
		for i, weight := range w.weights[term] {
			scores[i] += weight
		}
	}
	return scale(scores)
}

func scale(scores []float64) []float64 {
	most := 0.0
	for _, s := range scores {
		most = max(most, s)
	}
	for i := range scores {
		if most > 0 {
			scores[i] /= most
		}
	}
	return scores
}
