package search

import (
	"iter"
	"unicode/utf8"
)

// deletionIndex finds words by the forms that lack one letter. The forms are
// kept as hashes and the words of one form as a chain, since most forms belong to
// one word. Two forms of one hash do no harm: what is found is compared.
type deletionIndex struct {
	last  map[uint64]int32 // the newest link of each form
	links []deletionLink
}

type deletionLink struct {
	word string
	next int32 // the link before, or -1
}

// formsOfWord is about how many forms a word has: its letters and itself.
const formsOfWord = 9

func newDeletionIndex(words int) deletionIndex {
	forms := words * formsOfWord
	return deletionIndex{last: make(map[uint64]int32, forms), links: make([]deletionLink, 0, forms)}
}

// add takes in a word of at least so many letters.
func (d *deletionIndex) add(w string, least int) {
	if utf8.RuneCountInString(w) < least {
		return
	}
	deletions(w, func(form uint64) {
		before, ok := d.last[form]
		if !ok {
			before = -1
		}
		d.last[form] = int32(len(d.links))
		d.links = append(d.links, deletionLink{w, before})
	})
}

// of returns the words that have the form.
func (d *deletionIndex) of(form uint64) iter.Seq[string] {
	return func(yield func(string) bool) {
		at, ok := d.last[form]
		for ok && at >= 0 && yield(d.links[at].word) {
			at = d.links[at].next
		}
	}
}

// deletions visits a word and every form of it that lacks one letter.
func deletions(w string, visit func(form uint64)) {
	visit(hashOn(hashBegin, w))
	begin := hashBegin
	for i, r := range w {
		rest := i + utf8.RuneLen(r)
		visit(hashOn(begin, w[rest:]))
		begin = hashOn(begin, w[i:rest])
	}
}

// FNV-1a, which can go on from the hash of a beginning.
const (
	hashBegin uint64 = 14695981039346656037
	hashPrime uint64 = 1099511628211
)

func hashOn(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * hashPrime
	}
	return h
}
