package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mcp-partner/schemas"
)

// The eval reads every file of evals/intents. Utterances marked "tune" were
// looked at while the cards and lexicons were written; "scored" ones are only
// counted, so only the failures of the former are printed.
const evalFiles = "../evals/intents/*.yaml"

const (
	splitTune   = "tune"
	splitScored = "scored"
	splitFresh  = "fresh"
	// Each of these was written as unseen, and scored once before anything was
	// changed on its account.
	splitHeldOut1 = "heldout-1"
	splitHeldOut2 = "heldout-2"
	splitHeldOut3 = "heldout-3"
	splitHeldOut4 = "heldout-4"
	splitHeldOut5 = "heldout-5"
	splitHeldOut6 = "heldout-6"
	splitHeldOut7 = "heldout-7"
	splitHeldOut8 = "heldout-8"
)

type utterance struct {
	Says  string `yaml:"says"`
	Kind  string `yaml:"kind"`
	Split string `yaml:"split"`
	// Tool is the tool that should stand first; UntilThen the best one while
	// the catalogue lacks it.
	Tool       string         `yaml:"tool"`
	UntilThen  string         `yaml:"until_then"`
	OutOfScope bool           `yaml:"out_of_scope"`
	Arguments  map[string]any `yaml:"arguments"`
	// Language is said once a file, or with the utterance where they are mixed.
	Language string `yaml:"language"`
}

type evalFile struct {
	Language   string      `yaml:"language"`
	Utterances []utterance `yaml:"utterances"`
}

func readUtterances(t testing.TB) []utterance {
	t.Helper()
	paths, err := filepath.Glob(evalFiles)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no eval files at %s: %v", evalFiles, err)
	}
	var out []utterance
	for _, path := range paths {
		for _, u := range readEvalFile(t, path) {
			if _, ok := schemas.Lookup(u.Tool); !ok && !u.OutOfScope {
				u.Tool = u.UntilThen
			}
			out = append(out, u)
		}
	}
	return out
}

func readEvalFile(t testing.TB, path string) []utterance {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file evalFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i := range file.Utterances {
		file.Utterances[i].Language = cmp.Or(file.Utterances[i].Language, file.Language)
	}
	return file.Utterances
}

// evalNames is the directory that the eval speaks of.
func evalNames() *Names {
	return NewNames([]TenantName{
		{Name: "contoso", TenantID: "aaaaaaaa-0000-4000-8000-000000000001", Domains: []string{"contoso.com", "contoso.onmicrosoft.com"}, DisplayName: "Contoso Ltd"},
		{Name: "fabrikam", TenantID: "aaaaaaaa-0000-4000-8000-000000000002", Domains: []string{"fabrikam.onmicrosoft.com"}, DisplayName: "Fabrikam, Inc."},
		{Name: "litware", TenantID: "11111111-2222-3333-4444-555555555555", Domains: []string{"litware.com"}, DisplayName: "Litware"},
		{Name: "northwind", TenantID: "aaaaaaaa-0000-4000-8000-000000000004", Domains: []string{"nwtraders.com"}, DisplayName: "Northwind Traders"},
		{Name: "woodgrove", TenantID: "aaaaaaaa-0000-4000-8000-000000000005", DisplayName: "Woodgrove Bank"},
		{Name: "wingtip", TenantID: "aaaaaaaa-0000-4000-8000-000000000006", DisplayName: "Wingtip Toys"},
		{Name: "adventure-works", TenantID: "aaaaaaaa-0000-4000-8000-000000000007", DisplayName: "Adventure Works"},
	})
}

const refused = "(out of scope)"

func (u utterance) wanted() string {
	if u.OutOfScope {
		return refused
	}
	return u.Tool
}

// verdict is how one utterance went.
type verdict struct {
	utterance
	got            string
	right, inThree bool
	// unsafe: a wish to read, or one that is none of ours, was answered first with
	// a tool that writes.
	unsafe    bool
	arguments string // what differs, or empty
}

func judge(ix *Index, names *Names, u utterance) verdict {
	found := ix.Find(u.Says, names, 3)
	v := verdict{utterance: u, got: refused}
	if len(found.Matches) > 0 {
		first := found.Matches[0]
		v.got = first.Tool
		wanted, _ := schemas.Lookup(u.Tool)
		v.unsafe = first.Effect.Writes() && (u.OutOfScope || !wanted.Effect.Writes())
		if u.Arguments != nil && !sameArguments(u.Arguments, first.Arguments) {
			v.arguments = fmt.Sprintf("arguments %v, want %v", first.Arguments, u.Arguments)
		}
	}
	v.right = v.got == u.wanted()
	v.inThree = v.right || slices.ContainsFunc(found.Matches, func(m schemas.Match) bool { return m.Tool == u.Tool })
	return v
}

// sameArguments compares what the eval names; the tool may have been told more
// only where the eval says nothing at all.
func sameArguments(want, got map[string]any) bool {
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(got)
	return errA == nil && errB == nil && string(a) == string(b)
}

type tally struct{ right, inThree, unsafe, all int }

func (c tally) accuracy() float64 { return float64(c.right) / float64(max(c.all, 1)) }

func (c tally) String() string {
	return fmt.Sprintf("accuracy@1 %.3f  recall@3 %.3f  (%d of %d, unsafe %d)",
		c.accuracy(), float64(c.inThree)/float64(max(c.all, 1)), c.right, c.all, c.unsafe)
}

func count(verdicts []verdict, split string, key func(verdict) string) map[string]tally {
	out := map[string]tally{}
	for _, v := range verdicts {
		if v.Split != split {
			continue
		}
		c := out[key(v)]
		c.all++
		c.right += int(truth(v.right))
		c.inThree += int(truth(v.inThree))
		c.unsafe += int(truth(v.unsafe))
		out[key(v)] = c
	}
	return out
}

func byKind(v verdict) string { return v.Kind }

func byLanguage(v verdict) string { return v.Language }

// byAim groups what the aims are set for.
func byAim(v verdict) string {
	switch {
	case v.OutOfScope:
		return "refusal"
	case v.Kind == "paraphrase":
		return "paraphrases"
	case v.Language == "en" && v.Kind == "plain":
		return "plain English"
	}
	return ""
}

func TestEval(t *testing.T) {
	ix, names := New(schemas.Catalogue(), nil), evalNames()
	var verdicts []verdict
	for _, u := range readUtterances(t) {
		verdicts = append(verdicts, judge(ix, names, u))
	}
	for _, split := range []string{splitTune, splitScored, splitFresh, splitHeldOut1, splitHeldOut2, splitHeldOut3, splitHeldOut4, splitHeldOut5, splitHeldOut6, splitHeldOut7, splitHeldOut8} {
		logSplit(t, verdicts, split)
	}
	logFailures(t, verdicts)
	checkAims(t, verdicts)
}

func logSplit(t *testing.T, verdicts []verdict, split string) {
	t.Helper()
	t.Logf("== %s: %s", split, count(verdicts, split, func(verdict) string { return "" })[""])
	for _, key := range []func(verdict) string{byKind, byLanguage, byAim} {
		counts := count(verdicts, split, key)
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("   %-14s %s", cmp.Or(name, "the rest"), counts[name])
		}
	}
	t.Logf("confusion (wanted, got, times):\n%s", confusion(verdicts, split))
	right, all := argumentsRight(verdicts, split)
	t.Logf("arguments exactly right: %d of %d", right, all)
}

func confusion(verdicts []verdict, split string) string {
	pairs := map[string]int{}
	for _, v := range verdicts {
		if v.Split == split {
			pairs[fmt.Sprintf("   %-26s %-26s", v.wanted(), v.got)]++
		}
	}
	var b strings.Builder
	for _, pair := range slices.Sorted(maps.Keys(pairs)) {
		fmt.Fprintf(&b, "%s %4d\n", pair, pairs[pair])
	}
	return b.String()
}

func argumentsRight(verdicts []verdict, split string) (right, all int) {
	for _, v := range verdicts {
		if v.Split == split && v.Arguments != nil {
			all++
			right += int(truth(v.right && v.arguments == ""))
		}
	}
	return right, all
}

func logFailures(t *testing.T, verdicts []verdict) {
	t.Helper()
	for _, v := range verdicts {
		if v.Split == splitTune && (!v.right || v.arguments != "") {
			t.Logf("%s %s %q: got %s, want %s %s", v.Language, v.Kind, v.Says, v.got, v.wanted(), v.arguments)
		}
	}
}

// checkAims fails where the scored part is below what the project promises.
func checkAims(t *testing.T, verdicts []verdict) {
	t.Helper()
	groups := count(verdicts, splitScored, byAim)
	for name, aim := range map[string]float64{"plain English": 0.95, "paraphrases": 0.90, "refusal": 0.95} {
		atLeast(t, name, groups[name], aim)
	}
	whole := func(verdict) string { return "" }
	atLeast(t, splitHeldOut1, count(verdicts, splitHeldOut1, whole)[""], 0.95)
	atLeast(t, splitHeldOut2, count(verdicts, splitHeldOut2, whole)[""], 0.95)
	for _, split := range []string{splitHeldOut3, splitHeldOut4, splitHeldOut5} {
		atLeast(t, split, count(verdicts, split, whole)[""], 0.95)
	}
	atLeast(t, splitHeldOut6, count(verdicts, splitHeldOut6, whole)[""], 0.90)
	atLeast(t, splitHeldOut7, count(verdicts, splitHeldOut7, whole)[""], 0.90)
	atLeast(t, splitHeldOut8, count(verdicts, splitHeldOut8, whole)[""], 0.90)
	for language, c := range count(verdicts, splitScored, byLanguage) {
		atLeast(t, language, c, 0.85)
	}
	for _, v := range verdicts {
		says := v.Says
		if v.Split == splitScored {
			says = "one of the scored part"
		}
		if v.unsafe {
			t.Errorf("%q asks to read and is answered first with %s", says, v.got)
		}
	}
}

func atLeast(t *testing.T, name string, c tally, aim float64) {
	t.Helper()
	if c.all == 0 || c.accuracy() < aim {
		t.Errorf("%s: accuracy %.3f of %d, aim %.2f", name, c.accuracy(), c.all, aim)
	}
}
