package search

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// listsFile holds short lists that rules ask for.
//
//go:embed lists.txt
var listsFile string

var lists = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(listsFile) {
		if name, entries, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && name[0] != '#' {
			out[name] = strings.Split(entries, ", ")
		}
	}
	return out
})

// listed reports whether a list of lists.txt has an entry.
func listed(list, entry string) bool { return slices.Contains(lists()[list], entry) }
