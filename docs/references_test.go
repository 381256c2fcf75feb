package docs_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository, seen from this folder.
const root = ".."

var (
	goFile    = regexp.MustCompile("`((?:[a-z0-9_-]+/)+[a-z0-9_]+\\.go)`")
	goNames   = regexp.MustCompile("`((?:[a-z0-9_-]+/)+[a-z0-9_]+\\.go)`\\s+\\(([^)]*)\\)")
	testName  = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	testOf    = regexp.MustCompile("`([a-z0-9/_-]+)\\.((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	codeSpan  = regexp.MustCompile("`([A-Za-z_]+)`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	declared  = regexp.MustCompile(`(?m)^func (?:\([^)]*\) )?(\w+)[\[(]`)
	codeBlock = regexp.MustCompile("(?s)```.*?```")
)

// pages are the documents that people read, with their text but for code blocks.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := fullPages(t)
	for path, text := range found {
		found[path] = codeBlock.ReplaceAllString(text, "")
	}
	return found
}

func fullPages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "adr/*.md", "dev/*.md", root + "/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			found[path] = read(t, path)
		}
	}
	return found
}

// functions are the names of all functions and methods, by folder and by file,
// both seen from the repository.
func functions(t *testing.T) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	add := func(place, name string) {
		if found[place] == nil {
			found[place] = map[string]bool{}
		}
		found[place][name] = true
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != root || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		file := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		for _, match := range declared.FindAllStringSubmatch(read(t, path), -1) {
			add(file, match[1])
			add(filepath.ToSlash(filepath.Dir(file)), match[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFilesAndFunctionsExist holds the documents to the code: a file, a
// function or a test that they name is there.
func TestFilesAndFunctionsExist(t *testing.T) {
	t.Parallel()
	known := functions(t)
	for page, text := range pages(t) {
		checkFiles(t, page, text)
		checkFunctions(t, page, text, known)
		checkTests(t, page, text, known)
	}
}

func checkFiles(t *testing.T, page, text string) {
	t.Helper()
	for _, match := range goFile.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
			t.Errorf("%s names %s, which is not there", page, match[1])
		}
	}
}

// checkFunctions reads the names in brackets behind the name of a file.
func checkFunctions(t *testing.T, page, text string, known map[string]map[string]bool) {
	t.Helper()
	for _, match := range goNames.FindAllStringSubmatch(text, -1) {
		for _, name := range codeSpan.FindAllStringSubmatch(match[2], -1) {
			if !known[match[1]][name[1]] {
				t.Errorf("%s names %s of %s, which is not declared there", page, name[1], match[1])
			}
		}
	}
}

func checkTests(t *testing.T, page, text string, known map[string]map[string]bool) {
	t.Helper()
	for _, match := range testOf.FindAllStringSubmatch(text, -1) {
		if !known[match[1]][match[2]] {
			t.Errorf("%s names the test %s of %s, which does not exist", page, match[2], match[1])
		}
	}
	for _, match := range testName.FindAllStringSubmatch(text, -1) {
		t.Errorf("%s names the test %s without its folder; write folder.%s", page, match[1], match[1])
	}
}

// TestLanesRunTestsThatExist holds the names in .ci/run to the code: a pattern that
// matches no test would pass.
func TestLanesRunTestsThatExist(t *testing.T) {
	t.Parallel()
	lanes, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, names := range functions(t) {
		tests = slices.AppendSeq(tests, maps.Keys(names))
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(lanes), -1) {
		if !slices.ContainsFunc(tests, func(have string) bool { return strings.HasPrefix(have, name) }) {
			t.Errorf(".ci/run runs %s, which does not exist", name)
		}
	}
}

// TestLinksResolve follows the links inside the repository.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
		}
	}
}
