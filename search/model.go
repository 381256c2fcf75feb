package search

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"math"
	"slices"
)

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
