package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/search"
)

// answer is what an index says of a sample whose source its model has not seen.
type answer struct {
	*sample
	// got is the answer, and likeliest what the model alone finds.
	got, likeliest string
	// first: the right operation stands first, or "not here" is recognised; three:
	// the right operation is among the three. unsafe: a tool that writes stands
	// first though a read was meant, or nothing of ours.
	first, three, unsafe bool
}

// judge asks, for each source, the index whose model was trained without it.
func (c *corpus) judge(heldOut []fold, sharpness float64, names *search.Names) []answer {
	var out []answer
	for _, f := range heldOut {
		index := search.NewTrained(schemas.Catalogue(), c.lexicon, f.weights.quantised(c.classes, sharpness))
		for _, s := range f.samples {
			a := judged(s, index.Find(s.says, names, 3))
			scores := f.weights.scores(s.features)
			a.likeliest = c.classes[slices.Index(scores, slices.Max(scores))]
			out = append(out, a)
		}
	}
	return out
}

func judged(s *sample, found search.Result) answer {
	a := answer{sample: s, got: search.NotHere}
	if found.OutOfScope == nil {
		a.got = found.Matches[0].Tool
	}
	operation, here := schemas.Lookup(s.tool)
	a.first = a.got == s.tool
	a.three = a.first || slices.ContainsFunc(found.Matches, func(m answers.Match) bool { return m.Tool == s.tool })
	a.unsafe = found.Matches[0].Effect.Writes() && (!here || !operation.Effect.Writes())
	return a
}

type tally struct{ first, three, unsafe, all int }

// report writes a line for each source, in scope and not, for each language of
// what was written for no other purpose than this, and for each class.
func report(w io.Writer, replies []answer, wrong bool) {
	counts := map[string]*tally{}
	for _, a := range replies {
		scope := "in scope"
		if a.tool == search.NotHere {
			scope = "not here"
		}
		for _, key := range []string{"all, " + scope, a.source + ", " + scope, "language " + a.language + ", " + scope, "class " + a.tool} {
			if counts[key] == nil {
				counts[key] = &tally{}
			}
			counts[key].add(a)
		}
		if wrong && (!a.first || a.unsafe) {
			fmt.Fprintf(w, "%s %s: %q is %s, answered %s (the model alone: %s; unsafe: %t)\n", a.source, a.language, a.says, a.tool, a.got, a.likeliest, a.unsafe)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		t := counts[key]
		low, high := wilson(t.first, t.all)
		fmt.Fprintf(w, "%-36s first %.3f (%.3f to %.3f)  among three %.3f  unsafe %d  of %d\n", key, share(t.first, t.all), low, high, share(t.three, t.all), t.unsafe, t.all)
	}
}

func (t *tally) add(a answer) {
	one := map[bool]int{true: 1}
	t.all++
	t.first += one[a.first]
	t.three += one[a.three]
	t.unsafe += one[a.unsafe]
}

func share(n, all int) float64 { return float64(n) / float64(all) }

// wilson is the interval of a share at 95 %.
func wilson(n, all int) (low, high float64) {
	const z = 1.96
	p, size := share(n, all), float64(all)
	middle, half := p+z*z/(2*size), z*math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	return (middle - half) / (1 + z*z/size), (middle + half) / (1 + z*z/size)
}
