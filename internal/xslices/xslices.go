// Package xslices maps, filters and searches slices.
package xslices

import "iter"

// Map returns what f makes of each element. It is empty, not nil, for no element.
func Map[E, R any](list []E, f func(E) R) []R {
	made := make([]R, len(list))
	for i, element := range list {
		made[i] = f(element)
	}
	return made
}

// Filter returns the elements that keep wants, or nil if it wants none.
func Filter[E any](list []E, keep func(E) bool) []E {
	var kept []E
	for _, element := range list {
		if keep(element) {
			kept = append(kept, element)
		}
	}
	return kept
}

// Find returns the first element that is wanted.
func Find[E any](list []E, wanted func(E) bool) (found E, ok bool) {
	for _, element := range list {
		if wanted(element) {
			return element, true
		}
	}
	return found, false
}

// Rows goes through a list where rows are wanted that may fail.
func Rows[E any](list []E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for _, element := range list {
			if !yield(element, nil) {
				return
			}
		}
	}
}
