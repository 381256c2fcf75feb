package search

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
)

// Feature is one bucket of the hashed features of an utterance, and its weight.
type Feature struct {
	Bucket uint32
	Weight float64
}

// Buckets is the number of buckets that features are hashed to.
const Buckets = 28672

const (
	groupWord    = iota // words, and single glyphs
	groupPair           // two words side by side
	groupChar           // character n-grams
	groupConcept        // concepts, and what is known of the entities
	groupTwo            // two concepts of one text
	groups
)

// groupWeights are what the groups weigh.
var groupWeights = [groups]float64{groupWord: 1, groupPair: 0.7, groupChar: 0.5, groupConcept: 1, groupTwo: 0.7}

const (
	leastGram, mostGram = 3, 5 // lengths of character n-grams

	maxPaired = 24 // bounds the concepts of one text that are paired
)

// hashing collects the features of a text by group.
type hashing [groups][]uint64

func (f *hashing) add(group int, parts ...string) {
	f[group] = append(f[group], hashParts(group, parts...))
}

// FNV-1a.
const (
	hashBegin uint64 = 14695981039346656037
	hashPrime uint64 = 1099511628211
)

func hashOn(h uint64, b byte) uint64 { return (h ^ uint64(b)) * hashPrime }

func hashText(h uint64, text string) uint64 {
	for i := range len(text) {
		h = hashOn(h, text[i])
	}
	return h
}

func hashParts(group int, parts ...string) uint64 {
	h := hashOn(hashBegin, byte(group))
	for _, part := range parts {
		h = hashText(h, part) * hashPrime // the end of a part
	}
	return h
}

func bucket(hash uint64) uint32 { return uint32((hash ^ hash>>32) % Buckets) }

// Features returns what the model sees of an utterance.
func (ix *Index) Features(query string, names *Names) []Feature {
	ix.build.Do(ix.prepare)
	r := ix.read(query, names)
	return r.features()
}

func (r *reading) features() []Feature {
	var f hashing
	r.addWords(&f)
	for _, run := range r.runs() {
		addGrams(&f, run)
	}
	r.addConcepts(&f)
	norm := 0.0
	for g, list := range f {
		slices.Sort(list)
		if f[g] = slices.Compact(list); len(list) > 0 {
			norm += groupWeights[g] * groupWeights[g]
		}
	}
	var out []Feature
	for g, list := range f {
		weight := groupWeights[g] / math.Sqrt(norm*float64(len(list)))
		for _, h := range list {
			out = append(out, Feature{bucket(h), weight})
		}
	}
	return out
}

// addWords adds words, glyphs, and pairs of each. Entities are masked.
func (r *reading) addWords(f *hashing) {
	before := "^"
	for _, t := range r.tokens {
		f.add(groupWord, t.text)
		f.add(groupPair, before, t.text)
		before = t.text
	}
	f.add(groupPair, before, "$")
}

// runs returns what character n-grams are made of.
func (r *reading) runs() []string {
	var out strings.Builder
	for _, t := range r.tokens {
		switch t.kind {
		case glyph:
			out.WriteString(t.text)
		case word:
			out.WriteString(" <" + t.text + "> ")
		default:
			out.WriteString(" ")
		}
	}
	return strings.Fields(out.String())
}

// addGrams adds character n-grams, which match inflected and misspelt forms.
func addGrams(f *hashing, text string) {
	runes := []rune(text)
	for size := leastGram; size <= mostGram; size++ {
		for i := 0; i+size <= len(runes); i++ {
			f.add(groupChar, string(runes[i:i+size]))
		}
	}
}

func (r *reading) addConcepts(f *hashing) {
	all := r.circumstances()
	for _, h := range r.hits {
		if h.concept != stop && h.concept != known {
			all = append(all, h.concept)
		}
	}
	for _, h := range r.inner {
		f.add(groupConcept, "inner", h.concept)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for i, a := range all {
		f.add(groupConcept, a)
		for _, b := range all[min(i+1, maxPaired):min(len(all), maxPaired)] {
			f.add(groupTwo, a, b)
		}
	}
}

// circumstances name what is known of the entities and of the sentence.
func (r *reading) circumstances() []string {
	few := [...]string{"0", "1", "2"} // 2 and more are the same
	out := []string{"#tenants" + few[min(len(r.entities.tenants), 2)], "#ids" + few[min(len(r.entities.ids), 2)]}
	for name, holds := range map[string]bool{
		"#approval": r.entities.approval != "", "#run": r.entities.run != "", "#many": r.meansMany(), "#marked": r.marked, "#question": r.question,
		"#asks to register": r.orders[registers], "#asks to update": r.orders[updates], "#asks to remove": r.orders[removes],
	} {
		if holds {
			out = append(out, name)
		}
	}
	return out // in any order: the caller sorts
}

// modelFile is what search/train made of evals: the model as a line of JSON,
// and below it its weights.
//
//go:embed model.bin
var modelFile []byte

// NotHere is the class of what no operation does.
const NotHere = "not_here"

// Model is a linear model, one class against the rest.
type Model struct {
	Classes []string `json:"classes"`
	// Scale is what a weight of 1 is worth, Bias the score of a text without features.
	Scale []float64 `json:"scale"`
	Bias  []float64 `json:"bias"`
	// Sharpness makes probabilities of scores.
	Sharpness float64 `json:"sharpness"`
	// Weights has a row for each bucket, with an int8 for each class.
	Weights []byte `json:"-"`
}

// ReadModel reads a model file. The weights are not copied.
func ReadModel(file []byte) (*Model, error) {
	head, weights, _ := bytes.Cut(file, []byte("\n"))
	m := &Model{Weights: weights}
	if err := json.Unmarshal(head, m); err != nil {
		return nil, err
	}
	if n := len(m.Classes); len(weights) != Buckets*n || len(m.Scale) != n || len(m.Bias) != n || n == 0 {
		return nil, errors.New("its weights are not as many as its classes and buckets")
	}
	return m, nil
}

// Scores returns the score of each class. Products are rounded before they are
// added, so that every architecture has the same sum.
func (m *Model) Scores(features []Feature) []float64 {
	n := len(m.Classes)
	sums := make([]float64, n)
	for _, f := range features {
		for c, w := range m.Weights[int(f.Bucket)*n : int(f.Bucket)*n+n] {
			sums[c] += float64(f.Weight * float64(int8(w)))
		}
	}
	for c := range sums {
		sums[c] = float64(sums[c]*m.Scale[c]) + m.Bias[c]
	}
	return sums
}

// Probabilities makes probabilities of scores, which add up to 1.
func (m *Model) Probabilities(scores []float64) []float64 {
	top, sum := slices.Max(scores), 0.0
	out := make([]float64, len(scores))
	for c, s := range scores {
		out[c] = math.Exp(float64(m.Sharpness * (s - top)))
		sum += out[c]
	}
	for c := range out {
		out[c] /= sum
	}
	return out
}
