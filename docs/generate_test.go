package docs_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

// update rewrites the generated documents instead of comparing them:
// go test ./docs -update
var update = flag.Bool("update", false, "rewrite the generated documents")

// regenerate is named by every failure that an update would mend.
const regenerate = "run: go test ./docs -update"

// same compares a generated document with the file, or rewrites the file.
func same(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := read(t, path); got != want {
		t.Errorf("%s differs from the code at line %d; %s", path, firstDifference(got, want), regenerate)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// firstDifference counts lines from 1.
func firstDifference(got, want string) int {
	lines := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(lines) || lines[i] != line {
			return i + 1
		}
	}
	return len(lines)
}

// row writes one row of a Markdown table.
func row(cells ...string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// head writes the heading of a Markdown table.
func head(cells ...string) string {
	return row(cells...) + strings.Repeat("|---", len(cells)) + "|\n"
}

func code(text string) string { return "`" + text + "`" }
