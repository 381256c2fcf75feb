package search

import (
	_ "embed"
	"slices"
	"strings"

	"mcp-partner/schemas/answers"
)

// topicsFile says where what people ask for here is done instead.
//
//go:embed topics.txt
var topicsFile string

// topic is something that people ask for here and that is done elsewhere.
type topic struct {
	name, reason string
	use          []answers.UseInstead
}

// readTopics reads "topic: reason" and, indented below it, "place: what for".
func readTopics(text string) []topic {
	var out []topic
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case !ok || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			last := &out[len(out)-1]
			last.use = append(last.use, answers.UseInstead{Name: key, WhatFor: value})
		default:
			out = append(out, topic{key, value, []answers.UseInstead{}})
		}
	}
	return out
}

// nearMiss is what a phrase counts that shares its words with ours, in words of
// another topic.
const nearMiss = 5

// outOfScope says where it is done when the model finds it likelier that nothing
// here is meant, or nil.
func (ix *Index) outOfScope(r *reading, probabilities []float64) *answers.OutOfScope {
	if len(r.tokens) == 0 {
		return &answers.OutOfScope{Reason: "There are no words to go by: say what to do (check, register, change, remove) and in which tenant.", UseInstead: []answers.UseInstead{}}
	}
	if here := slices.Index(ix.model.Classes, NotHere); here < 0 || probabilities[here] < slices.Max(probabilities) {
		return nil
	}
	counts := map[string]int{}
	for _, h := range slices.Concat(r.hits, r.inner) {
		if name, ok := strings.CutPrefix(h.concept, "!!"); ok {
			counts[name] += nearMiss
		} else if name, ok := strings.CutPrefix(h.concept, "!"); ok {
			counts[name]++
		}
	}
	best := topic{reason: "Nothing in these words is about partner links (Partner Admin Link), which is all that the tools here do.", use: []answers.UseInstead{}}
	most := 0
	for _, t := range ix.topics {
		if counts[t.name] > most {
			best, most = t, counts[t.name]
		}
	}
	return &answers.OutOfScope{Reason: best.reason, UseInstead: best.use}
}
