package search

import (
	"math"
	"slices"
)

// Feature is one bucket of the hashed features of an utterance, and its weight.
type Feature struct {
	Bucket uint32
	Weight float64
}

// Buckets is the number of buckets that features are hashed to.
const Buckets = 28672

// The groups of features. Each group weighs the same in a long text as in a
// short one.
const (
	groupWord    = iota // words, and single glyphs
	groupPair           // two words side by side
	groupChar           // character n-grams
	groupConcept        // concepts, and what is known of the entities
	groupTwo            // two concepts of one text
	groups
)

// groupWeight is what a group weighs.
func groupWeight(group int) float64 { return [groups]float64{1, 0.7, 0.5, 1, 0.7}[group] }

// Lengths of character n-grams.
const leastGram, mostGram = 3, 5

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

func hashOf(text string) uint64 {
	h := hashBegin
	for i := range len(text) {
		h = hashOn(h, text[i])
	}
	return h
}

func hashParts(group int, parts ...string) uint64 {
	h := hashOn(hashBegin, byte(group))
	for _, part := range parts {
		for i := range len(part) {
			h = hashOn(h, part[i])
		}
		h *= hashPrime // the end of a part
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
	r.addConcepts(&f)
	norm := 0.0
	for g, list := range f {
		slices.Sort(list)
		f[g] = slices.Compact(list)
		if len(list) > 0 {
			norm += groupWeight(g) * groupWeight(g)
		}
	}
	var out []Feature
	for g, list := range f {
		weight := groupWeight(g) / math.Sqrt(norm*float64(len(list)))
		for _, h := range list {
			out = append(out, Feature{bucket(h), weight})
		}
	}
	return out
}

// words returns the units that a text is made of: words, and pairs of glyphs in
// scripts that set no spaces. Entities are masked.
func (r *reading) words(f *hashing) []string {
	var out []string
	for i, t := range r.tokens {
		switch {
		case r.strangerAt[i]:
			out = append(out, slotTenant)
		case t.kind == glyph:
			f.add(groupWord, t.text)
			if i+1 < len(r.tokens) && r.tokens[i+1].kind == glyph {
				out = append(out, t.text+r.tokens[i+1].text)
			}
		default:
			out = append(out, t.text)
		}
	}
	return out
}

func (r *reading) addWords(f *hashing) {
	words := r.words(f)
	for i, w := range words {
		f.add(groupWord, w)
		next := "$"
		if i+1 < len(words) {
			next = words[i+1]
		}
		f.add(groupPair, w, next)
	}
	if len(words) > 0 {
		f.add(groupPair, "^", words[0])
	}
	r.addGrams(f)
}

// addGrams adds the character n-grams of words, which match inflected and
// misspelt forms, and those of runs of glyphs.
func (r *reading) addGrams(f *hashing) {
	for i, t := range r.tokens {
		switch {
		case t.kind == word && !r.strangerAt[i]:
			addGrams(f, "<"+t.text+">")
		case t.kind == glyph:
			gram := t.text
			for j := i + 1; j < len(r.tokens) && j < i+mostGram-1 && r.tokens[j].kind == glyph; j++ {
				if gram += r.tokens[j].text; j > i+1 {
					f.add(groupChar, gram)
				}
			}
		}
	}
}

func addGrams(f *hashing, text string) {
	starts := make([]int, 0, len(text)+1)
	for i := range text {
		starts = append(starts, i)
	}
	starts = append(starts, len(text))
	for size := leastGram; size <= mostGram; size++ {
		for i := 0; i+size < len(starts); i++ {
			f.add(groupChar, text[starts[i]:starts[i+size]])
		}
	}
}

// maxPaired bounds the concepts of one text that are paired.
const maxPaired = 24

func (r *reading) addConcepts(f *hashing) {
	var all []string
	for _, h := range r.hits {
		if h.concept != stop && h.concept != known {
			all = append(all, h.concept)
		}
	}
	for _, h := range r.inner {
		f.add(groupConcept, "inner", h.concept)
	}
	all = append(all, r.circumstances()...)
	slices.Sort(all)
	all = slices.Compact(all)
	for i, a := range all {
		f.add(groupConcept, a)
		for _, b := range all[i+1 : max(i+1, min(len(all), maxPaired))] {
			f.add(groupTwo, a, b)
		}
	}
}

// circumstances name what is known of the entities and of the sentence.
func (r *reading) circumstances() []string {
	out := []string{"#tenants" + few(len(r.entities.tenants)+len(r.strangerAt)), "#ids" + few(len(r.entities.ids))}
	for _, c := range []struct {
		name  string
		holds bool
	}{
		{"approval", r.entities.approval != ""}, {"run", r.entities.run != ""}, {"many", r.meansMany()}, {"marked", r.marked},
		{"question", r.question}, {"asks to register", r.orders[registers]}, {"asks to update", r.orders[updates]}, {"asks to remove", r.orders[removes]},
	} {
		if c.holds {
			out = append(out, "#"+c.name)
		}
	}
	return out
}

// few is a count as "0", "1" or "2" for more.
func few(n int) string { return [...]string{"0", "1", "2"}[min(n, 2)] }
