package main

import (
	"math"

	"mcp-partner/search"
)

// How the weights are found: AdaGrad over the samples in a shuffled order that
// is the same each time. Every product is rounded before it is added, and the
// exponential is our own, so that every architecture finds the same weights.
const (
	epochs    = 12
	step      = 0.5
	biasStep  = 0.05
	firstSum  = 0.01  // what a weight's gradients sum up to before the first
	noticed   = 0.002 // the least error that is learnt from
	mostInt8  = 127
	biasStart = -2
)

// weights are those of a linear model before they become int8.
type weights struct {
	classes int
	w, sums []float64 // a row for each bucket
	bias    []float64
}

func train(samples []*sample, classes int) *weights {
	m := &weights{
		classes: classes, bias: make([]float64, classes),
		w: make([]float64, search.Buckets*classes), sums: make([]float64, search.Buckets*classes),
	}
	for i := range m.sums {
		m.sums[i] = firstSum
	}
	for c := range m.bias {
		m.bias[c] = biasStart
	}
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	random := uint64(1)
	for range epochs {
		random = shuffle(order, random)
		for _, i := range order {
			m.learn(samples[i])
		}
	}
	return m
}

// shuffle is Fisher and Yates with a linear congruential generator.
func shuffle(order []int, random uint64) uint64 {
	for i := len(order) - 1; i > 0; i-- {
		random = random*6364136223846793005 + 1442695040888963407
		j := int((random >> 33) % uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return random
}

// learn moves the weights of each class towards one sample.
func (m *weights) learn(s *sample) {
	scores := m.scores(s.features)
	for c, score := range scores {
		wrong := 1 / (1 + exp(-score))
		if c == s.class {
			wrong--
		}
		if wrong = float64(wrong * s.weight); wrong < noticed && wrong > -noticed {
			continue
		}
		for _, f := range s.features {
			i := int(f.Bucket)*m.classes + c
			gradient := float64(wrong * f.Weight)
			m.sums[i] += float64(gradient * gradient)
			m.w[i] -= float64(step*gradient) / math.Sqrt(m.sums[i])
		}
		m.bias[c] -= float64(biasStep * wrong)
	}
}

func (m *weights) scores(features []search.Feature) []float64 {
	out := make([]float64, m.classes)
	copy(out, m.bias)
	for _, f := range features {
		row := m.w[int(f.Bucket)*m.classes:][:m.classes]
		for c, w := range row {
			out[c] += float64(w * f.Weight)
		}
	}
	return out
}

func (m *weights) quantised(classes []string, sharpness float64) *search.Model {
	out := &search.Model{Classes: classes, Bias: m.bias, Sharpness: sharpness, Scale: make([]float64, m.classes), Weights: make([]byte, len(m.w))}
	for i, w := range m.w {
		out.Scale[i%m.classes] = max(out.Scale[i%m.classes], math.Abs(w)/mostInt8)
	}
	for i, w := range m.w {
		if scale := out.Scale[i%m.classes]; scale > 0 {
			out.Weights[i] = byte(int8(math.Round(w / scale)))
		}
	}
	return out
}

const (
	farthest = 30 // beyond it the exponential is not told from a bound
	terms    = 14
)

// exp is the exponential by its series of x/32, squared five times: math.Exp is
// written in assembly on some architectures and may differ in its last bit.
func exp(x float64) float64 {
	x = min(max(x, -farthest), farthest) / 32
	sum, term := 1.0, 1.0
	for n := 1; n < terms; n++ {
		term = float64(term*x) / float64(n)
		sum += term
	}
	for range 5 {
		sum = float64(sum * sum)
	}
	return sum
}
