package schemas_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"mcp-partner/schemas"
)

// TestEveryPublishedNameIsStillKnown keeps testdata/names.txt: every name under
// which a tool was ever published. A tool that is renamed keeps the old name in
// Former, and the file gets the new one.
func TestEveryPublishedNameIsStillKnown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	published := strings.Fields(string(text))
	for _, name := range published {
		if _, ok := schemas.Lookup(name); !ok {
			t.Errorf("%s is no longer known: add it to Former of the operation that took its place", name)
		}
	}
	for _, op := range schemas.Catalogue() {
		if !slices.Contains(published, op.Name) {
			t.Errorf("%s is new: add it to testdata/names.txt", op.Name)
		}
	}
}

func TestFormerNamesMeanTheOperation(t *testing.T) {
	t.Parallel()
	op := schemas.Operation{Name: "new_name", Former: []string{"old_name"}}
	for name, want := range map[string]bool{"new_name": true, "old_name": true, "": false, "other": false} {
		if op.Called(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
