package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// included is where a page shows a file of the repository, with the block that
// follows, if there is one yet.
var included = regexp.MustCompile("(?s)<!-- file: ([a-z0-9/._-]+) -->\n\n?(?:```[a-z]*\n.*?\n```\n)?")

// TestFrameworksPage holds the programs on the page to the files that the lane
// of CI runs.
func TestFrameworksPage(t *testing.T) {
	t.Parallel()
	languages := map[string]string{".mjs": "js", ".py": "python", ".sh": "sh"}
	page, count := read(t, "frameworks.md"), 0
	want := included.ReplaceAllStringFunc(page, func(found string) string {
		count++
		path := included.FindStringSubmatch(found)[1]
		text := strings.TrimSuffix(read(t, filepath.Join(root, path)), "\n")
		return "<!-- file: " + path + " -->\n\n```" + languages[filepath.Ext(path)] + "\n" + text + "\n```\n"
	})
	if count != 1 {
		t.Errorf("frameworks.md shows %d programs, want the one for OpenAI's form", count)
	}
	same(t, "frameworks.md", want)
}
