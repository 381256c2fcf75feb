package docs_test

import (
	"strings"
	"testing"
)

// readme is the first page of the repository.
const readme = "../README.md"

const (
	tableBegin = "<!-- tools:begin -->\n"
	tableEnd   = "<!-- tools:end -->"
)

func TestReadmeToolTable(t *testing.T) {
	t.Parallel()
	text := read(t, readme)
	before, rest, begun := strings.Cut(text, tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		t.Fatalf("%s has no %s and %s around its table of tools", readme, strings.TrimSpace(tableBegin), tableEnd)
	}
	same(t, readme, before+tableBegin+toolTable()+tableEnd+after)
}
