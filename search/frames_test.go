package search

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mcp-partner/schemas"
)

// frames are sentences of one language with a gap for a verb that writes.
type frames struct {
	Verbs []struct {
		Do, Done, Doing string
	} `yaml:"verbs"`
	Questions, Marked, Orders []string
	// Commands, Things and Places make orders that are out of scope.
	Commands, Things, Places []string
}

func readFrames(t *testing.T) map[string]frames {
	t.Helper()
	text, err := os.ReadFile("../evals/frames.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]frames{}
	if err := yaml.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// fill puts every verb into every sentence.
func (f frames) fill(sentences []string) []string {
	var out []string
	for _, s := range sentences {
		for _, v := range f.Verbs {
			out = append(out, strings.NewReplacer("{do}", v.Do, "{done}", v.Done, "{doing}", v.Doing).Replace(s))
		}
	}
	return out
}

// No question is answered first with a tool that writes, whatever the verb in
// it, and whether or not somebody takes the trouble of a question mark.
func TestFramesOfQuestions(t *testing.T) {
	t.Parallel()
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	asked := 0
	for language, f := range readFrames(t) {
		for _, says := range append(f.fill(f.Questions), f.fill(f.Marked)...) {
			asked++
			checkReads(t, ix, names, language, says)
		}
		for _, says := range f.fill(f.Questions) {
			checkReads(t, ix, names, language, strings.TrimRight(says, "? "))
		}
	}
	if asked < 1000 {
		t.Errorf("only %d questions", asked)
	}
}

func checkReads(t *testing.T, ix *Index, names *Names, language, says string) {
	t.Helper()
	if found := ix.Find(says, names, 1); len(found.Matches) > 0 && found.Matches[0].Effect.Writes() {
		t.Errorf("%s %q: got %s first", language, says, found.Matches[0].Tool)
	}
}

// The same verbs, asked for, are understood.
func TestFramesOfOrders(t *testing.T) {
	t.Parallel()
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	for language, f := range readFrames(t) {
		for _, says := range f.fill(f.Orders) {
			if found := ix.Find(says, names, 1); len(found.Matches) == 0 || !found.Matches[0].Effect.Writes() {
				t.Errorf("%s %q: got %v, want a tool that writes", language, says, toolsOf(found))
			}
		}
	}
}

// A request out of scope is never answered first with a tool that writes.
func TestFramesOfOtherThings(t *testing.T) {
	t.Parallel()
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	for language, f := range readFrames(t) {
		for _, command := range f.Commands {
			for _, thing := range f.Things {
				for _, place := range f.Places {
					checkReads(t, ix, names, language, command+" "+thing+" "+place)
				}
			}
		}
	}
}
