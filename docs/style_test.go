package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wordRooms are folders whose literals are words that users say.
var wordRooms = []string{"search"}

// banned are the phrases of testdata/banned.txt, as one expression.
func banned(t *testing.T) *regexp.Regexp {
	t.Helper()
	var parts []string
	for line := range strings.Lines(read(t, "testdata/banned.txt")) {
		phrase := strings.TrimSpace(line)
		if phrase == "" || strings.HasPrefix(phrase, "#") {
			continue
		}
		part := strings.ReplaceAll(regexp.QuoteMeta(phrase), " ", `\s+`)
		parts = append(parts, strings.ReplaceAll(part, `\*`, `\w*`))
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(parts, "|") + `)\b`)
}

// TestDocumentsAvoidBannedPhrases reads the documents, code blocks included.
func TestDocumentsAvoidBannedPhrases(t *testing.T) {
	t.Parallel()
	phrases := banned(t)
	for page := range pages(t) {
		for _, found := range phrases.FindAllString(read(t, page), -1) {
			t.Errorf("%s says %q", page, found)
		}
	}
}

// TestProgramAvoidsBannedPhrases reads the string literals of production code, which
// are problems, tool descriptions and log messages, and the help and the prompts.
func TestProgramAvoidsBannedPhrases(t *testing.T) {
	t.Parallel()
	phrases := banned(t)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipped(path)
		}
		if filepath.Base(filepath.Dir(path)) == "prompts" || filepath.Base(path) == "help.txt" {
			for _, found := range phrases.FindAllString(read(t, path), -1) {
				t.Errorf("%s says %q", path, found)
			}
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		return eachLiteral(path, func(at token.Position, text string) {
			if found := phrases.FindString(text); found != "" {
				t.Errorf("%s:%d says %q in %q", at.Filename, at.Line, found, text)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// skipped leaves out folders that hold no production code, and wordRooms.
func skipped(path string) error {
	room := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
	if slices.Contains(wordRooms, room) || room == "e2e" || strings.HasPrefix(filepath.Base(room), ".") && room != root {
		return filepath.SkipDir
	}
	return nil
}

func eachLiteral(path string, do func(token.Position, string)) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				do(files.Position(literal.Pos()), text)
			}
		}
		return true
	})
	return nil
}

// maxWords bounds all documents below docs together: 36 000 words, and at most 1 000 more
// for each subject added since.
const maxWords = 41_000

// TestDocumentsAreShort counts words as wc -w does.
func TestDocumentsAreShort(t *testing.T) {
	t.Parallel()
	words := 0
	for page, text := range fullPages(t) {
		if !strings.HasPrefix(page, root) {
			words += len(strings.Fields(text))
		}
	}
	if words > maxWords {
		t.Errorf("the documents have %d words, at most %d are wanted", words, maxWords)
	}
}
