package tools_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
)

// valid holds an envelope against both schemas of its tool: the whole one and
// the one that tools/list publishes; and against the rules for its words.
func (h *fixture) valid(tool string, envelope answers.Envelope) {
	h.t.Helper()
	op, ok := schemas.Lookup(tool)
	if !ok {
		return
	}
	raw, err := json.Marshal(envelope)
	if err != nil {
		h.t.Fatal(err)
	}
	output := &jsonschema.Schema{}
	if err := json.Unmarshal(op.Published().Output, output); err != nil {
		h.t.Fatal(err)
	}
	for name, schema := range map[string]*jsonschema.Schema{"answer": op.AnswerSchema(), "output": output} {
		if err := validate(h.t, schema, raw); err != nil {
			h.t.Errorf("%s: not valid against the %s schema: %v\n%s", tool, name, err, raw)
		}
	}
	if envelope.Status.IsError() != (envelope.Problem != nil) {
		h.t.Errorf("%s: status %s with problem %v", tool, envelope.Status, envelope.Problem)
	}
	h.plain(envelope.Summary)
	if envelope.Problem != nil {
		if !slices.Contains(documentedProblems(h.t, tool), string(envelope.Problem.Code)) {
			h.t.Errorf("%s: docs/tools.md does not have the problem %s", tool, envelope.Problem.Code)
		}
		h.plain(envelope.Problem.Message)
		h.plain(envelope.Problem.Hint)
		if problem := envelope.Problem; problem.NextTool != "" {
			if _, ok := schemas.Lookup(problem.NextTool); !ok {
				h.t.Errorf("%s: next_tool %q does not exist", tool, problem.NextTool)
			}
		}
	}
	if strings.Contains(string(raw), h.sim.ClientSecret()) || strings.Contains(string(raw), "eyJ") {
		h.t.Errorf("%s: a secret or token in %s", tool, raw)
	}
}

var toolsPage = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("../docs/tools.md") })

// documentedProblems are the codes that docs/tools.md has for a tool: its own, and
// those of another tool but for some.
func documentedProblems(t testing.TB, tool string) []string {
	t.Helper()
	page, err := toolsPage()
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+tool+"\n")
	_, line, _ := strings.Cut(section, "**Problems:** ")
	line, _, ended := strings.Cut(line, "\n")
	if !found || !ended {
		t.Fatalf("docs/tools.md has no problems of %s", tool)
	}
	quoted := func(text string) (codes []string) {
		for i, part := range strings.Split(text, "`") {
			if i%2 == 1 {
				codes = append(codes, part)
			}
		}
		return codes
	}
	own, others, shares := strings.Cut(line, "and those of ")
	codes := quoted(own)
	if shares {
		of, but, _ := strings.Cut(others, " but for ")
		left := quoted(but)
		for _, code := range documentedProblems(t, quoted(of)[0]) {
			if !slices.Contains(left, code) {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// plain refuses words that are not ours: hostile names carry such characters.
func (h *fixture) plain(text string) {
	h.t.Helper()
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		h.t.Errorf("not a plain sentence: %q", text)
	}
	if strings.Contains(strings.ToLower(text), "ignore") {
		h.t.Errorf("untrusted text in our words: %q", text)
	}
}

func validate(t testing.TB, schema *jsonschema.Schema, raw []byte) error {
	t.Helper()
	compiler := validator.NewCompiler()
	if err := compiler.AddResource("mem:///schema", schemas.Object(schema)); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("mem:///schema")
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(value)
}
