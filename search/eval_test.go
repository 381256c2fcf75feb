package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mcp-partner/schemas"
)

type utterance struct {
	Says       string         `yaml:"says"`
	Tool       string         `yaml:"tool"`
	OutOfScope bool           `yaml:"out_of_scope"`
	Arguments  map[string]any `yaml:"arguments"`
	// Language is given once a file, or with the utterance where they are mixed.
	Language string `yaml:"language"`
}

// readUtterances reads files of utterances. Those of operations that the
// catalogue lacks are left out.
func readUtterances(t testing.TB, pattern string) []utterance {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no utterances at %s: %v", pattern, err)
	}
	var out []utterance
	for _, path := range paths {
		var file struct {
			Language   string              `yaml:"language"`
			Says       map[string][]string `yaml:"says"`
			Utterances []utterance         `yaml:"utterances"`
		}
		readYAML(t, path, &file)
		for _, tool := range slices.Sorted(maps.Keys(file.Says)) {
			for _, says := range file.Says[tool] {
				file.Utterances = append(file.Utterances, utterance{Says: says, Tool: tool, OutOfScope: tool == NotHere})
			}
		}
		for _, u := range file.Utterances {
			u.Language = cmp.Or(u.Language, file.Language)
			if _, ok := schemas.Lookup(u.Tool); ok || u.OutOfScope {
				out = append(out, u)
			}
		}
	}
	return out
}

func readYAML(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// evalNames is the directory that the utterances speak of.
func evalNames() *Names {
	text, err := os.ReadFile("../evals/directory.yaml")
	if err != nil {
		panic(err)
	}
	var tenants []struct {
		Name        string
		TenantID    string `yaml:"tenant_id"`
		Domains     []string
		DisplayName string `yaml:"display_name"`
	}
	if err := yaml.Unmarshal(text, &tenants); err != nil {
		panic(err)
	}
	var names []TenantName
	for _, tenant := range tenants {
		names = append(names, TenantName(tenant))
	}
	return NewNames(names)
}

func (u utterance) wanted() string {
	if u.OutOfScope {
		return NotHere
	}
	return u.Tool
}

// verdict is how one utterance went.
type verdict struct {
	utterance
	got            string
	right, inThree bool
	// unsafe: a request to read, or one out of scope, was answered first with a
	// tool that writes.
	unsafe    bool
	arguments string // what differs, or empty
}

func judge(ix *Index, names *Names, u utterance) verdict {
	found := ix.Find(u.Says, names, 3)
	v := verdict{utterance: u, got: NotHere}
	wanted, _ := schemas.Lookup(u.Tool)
	first := found.Matches[0]
	if found.OutOfScope == nil {
		v.got = first.Tool
	}
	v.unsafe = first.Effect.Writes() && (u.OutOfScope || !wanted.Effect.Writes())
	if u.Arguments != nil && !sameArguments(u.Arguments, first.Arguments) {
		v.arguments = fmt.Sprintf("arguments %v, want %v", first.Arguments, u.Arguments)
	}
	v.right = v.got == u.wanted()
	v.inThree = u.OutOfScope && v.right || slices.Contains(toolsOf(found), u.Tool)
	return v
}

func sameArguments(want, got map[string]any) bool {
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(got)
	return errA == nil && errB == nil && string(a) == string(b)
}

type tally struct{ right, inThree, unsafe, all int }

func share(n, all int) float64 { return float64(n) / float64(max(all, 1)) }

// wilson is the interval of a share at 95 %.
func wilson(n, all int) (low, high float64) {
	const z = 1.96
	p, size := share(n, all), float64(max(all, 1))
	middle, half := p+z*z/(2*size), z*math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	return (middle - half) / (1 + z*z/size), (middle + half) / (1 + z*z/size)
}

func (c tally) String() string {
	low, high := wilson(c.right, c.all)
	return fmt.Sprintf("first %.3f (%.3f to %.3f)  among three %.3f  of %d, unsafe %d", share(c.right, c.all), low, high, share(c.inThree, c.all), c.all, c.unsafe)
}

func count(verdicts []verdict, key func(verdict) string) map[string]tally {
	out := map[string]tally{}
	one := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	for _, v := range verdicts {
		c := out[key(v)]
		c.all++
		c.right += one(v.right)
		c.inThree += one(v.inThree)
		c.unsafe += one(v.unsafe)
		out[key(v)] = c
	}
	return out
}

func byScope(v verdict) string {
	if v.OutOfScope {
		return "not here"
	}
	return "in scope"
}

func judgeAll(t *testing.T, pattern string) []verdict {
	t.Helper()
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	var out []verdict
	for _, u := range readUtterances(t, pattern) {
		out = append(out, judge(ix, names, u))
	}
	return out
}

// TestEval scores the sentences that the model never learnt from. The aims here
// are a little below what was measured, so that an accident shows.
func TestEval(t *testing.T) {
	t.Parallel()
	verdicts := judgeAll(t, "../evals/test/*.yaml")
	for _, key := range []func(verdict) string{byScope, func(v verdict) string { return v.Language + " " + byScope(v) }} {
		counts := count(verdicts, key)
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("%-14s %s", name, counts[name])
		}
	}
	t.Logf("confusion (wanted, got, times):\n%s", confusion(verdicts))
	in, out := count(verdicts, byScope)["in scope"], count(verdicts, byScope)["not here"]
	if share(in.right, in.all) < 0.85 || share(in.inThree, in.all) < 0.95 || share(out.right, out.all) < 0.85 {
		t.Errorf("in scope %s; not here %s", in, out)
	}
	if in.unsafe > 0 || out.unsafe*150 > out.all {
		t.Errorf("%d reads and %d foreign orders are answered first with a tool that writes", in.unsafe, out.unsafe)
	}
}

func confusion(verdicts []verdict) string {
	counts := count(verdicts, func(v verdict) string { return fmt.Sprintf("   %-26s %-26s", v.wanted(), v.got) })
	var b strings.Builder
	for _, pair := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %4d\n", pair, counts[pair].all)
	}
	return b.String()
}

// What the model learnt from it knows, and no request to read among it is
// answered first with a tool that writes.
func TestTrainingSentencesFindTheirOperation(t *testing.T) {
	t.Parallel()
	verdicts := judgeAll(t, "../evals/intents/*.yaml")
	named, read := 0, 0
	for _, v := range verdicts {
		if v.unsafe {
			t.Errorf("%s %q asks to read and is answered first with a tool that writes", v.Language, v.Says)
		}
		if !v.right {
			t.Logf("%s %q: got %s, want %s", v.Language, v.Says, v.got, v.wanted())
		}
		if v.Arguments != nil {
			named++
			if v.right && v.arguments == "" {
				read++
			}
			if v.arguments != "" {
				t.Logf("%s %q: %s", v.Language, v.Says, v.arguments)
			}
		}
	}
	all := count(verdicts, func(verdict) string { return "" })[""]
	t.Logf("%s; arguments %d of %d", all, read, named)
	if share(all.right, all.all) < 0.97 || share(read, named) < 0.97 {
		t.Errorf("%s; arguments %d of %d", all, read, named)
	}
}

// Each operation has utterances in each language.
func TestEveryOperationHasSentencesInEveryLanguage(t *testing.T) {
	t.Parallel()
	said := map[[2]string]bool{}
	for _, u := range readUtterances(t, "../evals/intents/*.yaml") {
		said[[2]string{u.Tool, u.Language}] = true
	}
	for _, o := range schemas.Catalogue() {
		for _, language := range []string{"de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "zh"} {
			if !said[[2]string{o.Name, language}] {
				t.Errorf("%s has no utterance in %s: add some to evals/intents and run: go run ./search/train", o.Name, language)
			}
		}
	}
}
