package docs_test

import (
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	packagesBegin = "<!-- packages:begin -->\n"
	packagesEnd   = "<!-- packages:end -->"
	designPage    = "dev/design.md"
)

// TestDesignPageListsPackages holds the list of packages to their own comments.
func TestDesignPageListsPackages(t *testing.T) {
	t.Parallel()
	before, rest, begun := strings.Cut(read(t, designPage), packagesBegin)
	_, after, ended := strings.Cut(rest, packagesEnd)
	if !begun || !ended {
		t.Fatalf("%s has no marks around its list of packages", designPage)
	}
	same(t, designPage, before+packagesBegin+packageList(t)+packagesEnd+after)
}

// packageList has a line for each package of the program, without what is below
// a command's or a backend's package, and without helpers of tests.
func packageList(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, pattern := range []string{"*", "internal/*"} {
		folders, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			name := filepath.ToSlash(strings.TrimPrefix(folder, root+string(filepath.Separator)))
			if strings.HasSuffix(name, "test") || name == "e2e" {
				continue
			}
			if text := synopsis(t, folder); text != "" {
				lines = append(lines, "- "+code(name)+": "+text+"\n")
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// synopsis is the first sentence of a package's comment up to a colon, without
// the words that begin all of them.
func synopsis(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc == nil {
			continue
		}
		text, _, _ := strings.Cut(new(doc.Package).Synopsis(file.Doc.Text()), ": ")
		return strings.TrimSuffix(strings.TrimPrefix(text, "Package "+file.Name.Name+" "), ".")
	}
	return ""
}
