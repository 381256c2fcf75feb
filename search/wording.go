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
	documents []document
	// frequency is the number of documents that hold a term.
	frequency map[string]int
	average   [fields]float64
}

type document struct {
	terms  map[string][fields]float64
	length [fields]float64
}

func newWording(operations []schemas.Operation, read func(string) []token) *wording {
	w := &wording{frequency: map[string]int{}}
	for _, o := range operations {
		d := document{terms: map[string][fields]float64{}}
		d.add(fieldName, terms(read(o.Name)))
		d.add(fieldTitle, terms(read(o.Title)))
		d.add(fieldSummary, terms(read(o.Summary+" "+o.Use)))
		for _, intent := range o.Intents {
			for _, says := range intent.Says {
				tokens := read(says)
				d.add(fieldSays, terms(tokens))
				d.add(fieldGrams, grams(tokens))
			}
		}
		w.count(d)
	}
	return w
}

func (w *wording) count(d document) {
	w.documents = append(w.documents, d)
	for term := range d.terms {
		w.frequency[term]++
	}
	n := float64(len(w.documents))
	for f := range w.average {
		w.average[f] += (d.length[f] - w.average[f]) / n
	}
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
	scores := make([]float64, len(w.documents))
	seen := map[string]bool{}
	for _, term := range append(terms(tokens), grams(tokens)...) {
		if seen[term] || w.frequency[term] == 0 {
			continue
		}
		seen[term] = true
		for i, d := range w.documents {
			scores[i] += w.score(term, d)
		}
	}
	return scale(scores)
}

func (w *wording) score(term string, d document) float64 {
	counts, ok := d.terms[term]
	if !ok {
		return 0
	}
	sum := 0.0
	for f, n := range counts {
		if n > 0 {
			sum += boost(field(f)) * n / (1 - normalisation + normalisation*d.length[f]/w.average[f])
		}
	}
	n, df := float64(len(w.documents)), float64(w.frequency[term])
	return math.Log(1+(n-df+0.5)/(df+0.5)) * sum / (saturation + sum)
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
